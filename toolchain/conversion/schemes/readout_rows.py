"""The last layer of a network that accumulates its outputs, whatever the hidden neurons."""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.network.integer_network import READOUT, Layer
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.quantization.layer_rounding import IntegerRows


def readout_layer(rows: IntegerRows, hold_input: bool = False) -> Layer:
    """The readout of integer rows; it announces nothing, so it has no threshold and no payloads.

    `hold_input` says whether the host feeds it in every timestep: it is the only layer of a rate
    network.
    """
    nothing = np.zeros(len(rows.bias), np.int32)
    return Layer(
        neuron=READOUT,
        synapses=Dense(rows.weights.astype(np.int8)),
        bias=rows.bias.astype(np.int32),
        row_scale=rows.scale,
        threshold=nothing,
        payload_low=nothing,
        payload_high=nothing,
        unit=rows.scale,
        activation="identity",
        hold_input=hold_input,
    )
