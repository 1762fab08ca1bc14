"""A network as plain data, as Lava's side gets it: JSON values and arrays by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from spikeport.export.exporter import NotCarried
from spikeport.export.host_description import spike_coding_of
from spikeport.toolchain.network.integer_network import READOUT, Layer, Network
from spikeport.toolchain.network.parameters import bias_exponent
from spikeport.toolchain.neurons import Leaky, LeakyIntegrateAndFire
from spikeport.toolchain.neurons.leaky import leak_of
from spikeport.toolchain.neurons.leaky_integrate_and_fire import dynamics_of

Facts = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
ARRAYS = ("weights", "bias", "threshold", "payload_low", "payload_high")
TABLE_ARRAYS = ("start", "multiplier", "offset", "shift")


def _nothing_more(layer: Layer) -> tuple[Facts, Arrays]:
    return {}, {}


def _table(layer: Layer) -> tuple[Facts, Arrays]:
    if layer.table is None:
        return {}, {}
    return {"activation": "table"}, {
        f"table.{name}": getattr(layer.table, name) for name in TABLE_ARRAYS
    }


def _dynamics(layer: Layer) -> tuple[Facts, Arrays]:
    dynamics = dynamics_of(layer)
    exponent = 0 if dynamics.bias_in_current else bias_exponent(layer.bias)
    return {"dynamics": dataclasses.asdict(dynamics), "bias_exponent": exponent}, {}


def _leak(layer: Layer) -> tuple[Facts, Arrays]:
    leak = leak_of(layer)
    return {"leak_shift": leak.shift}, {"keep": leak.keep}


# What each neuron adds to its layer's facts and arrays.
NEURONS: dict[str, Callable[[Layer], tuple[Facts, Arrays]]] = {
    "sdn@1": _table,
    "if@1": _nothing_more,
    "snm@1": _nothing_more,
    "mt@1": _nothing_more,
    "dc@1": _nothing_more,
    LeakyIntegrateAndFire.id: _dynamics,
    Leaky.id: _leak,
    READOUT: _nothing_more,
}


def describe(network: Network) -> tuple[Facts, Arrays]:
    """Description and arrays of a network, as export/lava/network.py reads them.

    Raises NotCarried for a neuron that has no Lava process here.
    """
    layers = []
    arrays: Arrays = {}
    for index, layer in enumerate(network.layers):
        if layer.neuron not in NEURONS:
            raise NotCarried(
                f"layer {index}",
                "no Lava process for this neuron",
                neuron=layer.neuron,
                format="lava",
                carried=NEURONS,
                got=layer.neuron,
            )
        own_facts, own_arrays = NEURONS[layer.neuron](layer)
        facts = {
            "neuron": layer.neuron,
            "activation": layer.activation,
            "trigger": layer.trigger,
            "hold_input": layer.hold_input,
        }
        layers.append(facts | own_facts)
        common = {name: getattr(layer, name) for name in ARRAYS}
        arrays |= {f"layers.{index}.{name}": array for name, array in (common | own_arrays).items()}
    description = {
        "timesteps": network.timesteps,
        "alpha": network.alpha,
        "coding": network.coding.value,
        "divisor": network.divisor,
        "layers": layers,
    }
    return description | CODES[network.code.name](network), arrays


def _no_encoder(network: Network) -> Facts:
    return {}


def _encoder(network: Network) -> Facts:
    return {"encoder_threshold": spike_coding_of(network).threshold}


CODES = {"value": _no_encoder, "spikes": _encoder}
