"""A network as plain data, the form in which Lava's side gets it:

JSON values and arrays by name.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from numpy.typing import NDArray

from spikeport.export.formats import ways_out
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import READOUT, Network
from spikeport.toolchain.network.parameters import bias_exponent

NEURONS = ("sdn@1", "if@1", "snm@1", "mt@1", "dc@1", "lif@1", "leaky@1", READOUT)
ARRAYS = ("weights", "bias", "threshold", "payload_low", "payload_high")
TABLE_ARRAYS = ("start", "multiplier", "offset", "shift")


def describe(network: Network) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Description and arrays of a network, as export/lava/network.py reads them.

    Raises InputError for a neuron that has no Lava process here.
    """
    for index, layer in enumerate(network.layers):
        if layer.neuron not in NEURONS:
            raise InputError(
                f"layer {index}",
                "no Lava process for this neuron",
                got=layer.neuron,
                limit=", ".join(NEURONS),
                fix=ways_out(layer.neuron, "lava"),
            )
    layers = []
    arrays = {}
    for index, layer in enumerate(network.layers):
        if layer.table is not None:
            activation = "table"
        else:
            activation = layer.activation
        layers.append(
            {
                "neuron": layer.neuron,
                "activation": activation,
                "trigger": layer.trigger,
                "hold_input": layer.hold_input,
            }
        )
        if layer.dynamics is not None:
            layers[-1] |= {
                "dynamics": dataclasses.asdict(layer.dynamics),
                "bias_exponent": 0 if layer.dynamics.bias_in_current else bias_exponent(layer.bias),
            }
        arrays |= {f"layers.{index}.{name}": getattr(layer, name) for name in ARRAYS}
        if layer.leak is not None:
            layers[-1] |= {"leak_shift": layer.leak.shift}
            arrays[f"layers.{index}.keep"] = layer.leak.keep
        if layer.table is not None:
            arrays |= {
                f"layers.{index}.table.{name}": getattr(layer.table, name) for name in TABLE_ARRAYS
            }
    description = {
        "timesteps": network.timesteps,
        "alpha": network.alpha,
        "coding": network.coding.value,
        "divisor": network.divisor,
        "layers": layers,
    }
    if network.spike_coding is not None:
        description["encoder_threshold"] = network.spike_coding.threshold
    return description, arrays
