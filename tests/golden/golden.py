"""A network whose membranes reach both ends of 24 bits.

The golden vectors themselves are read by toolchain/checkers/golden.py.
"""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.network.integer_network import READOUT, Encoder, Layer, Network
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import HIDDEN_NEURONS, network_of


def saturating(neuron: str = "if@1") -> Network:
    """Inputs near what the proof allows drive membranes to both ends of the 24-bit range."""
    differential = neuron == "dc@1"
    spikes = HIDDEN_NEURONS[neuron].traits
    limit, timesteps = (2_750, 4) if differential else (33_000, 8)
    threshold = np.array([5_000_000, 3, 8_000_000]) // (800 if differential else spikes.levels)
    big = np.array([[127, 127], [-127, -127], [127, -127]], np.int8)
    ones = np.ones(3, np.int32)
    zeros = np.zeros(3, np.int32)
    payloads = spikes.low * ones, spikes.high * ones
    hidden = Layer(
        neuron,
        Dense(big),
        zeros,
        np.ones(3),
        threshold.clip(3).astype(np.int32),
        *payloads,
        np.ones(3),
        hold_input=not differential,
    )
    last = np.array([[3, -5, 7], [-1, 2, 4]], np.int8)
    readout = Layer(
        READOUT,
        Dense(last),
        np.array([10, -20], np.int32),
        np.ones(2),
        zeros[:2],
        zeros[:2],
        ones[:2],
        np.ones(2),
        "identity",
    )
    return network_of(
        Encoder(np.ones(2), np.array([limit, limit], np.int32)),
        (hidden, readout),
        timesteps,
        alpha=64,
    )
