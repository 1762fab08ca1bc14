"""Where a network sits on a chip and how full each core is, before anything is priced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spikeport.hardware_profiles import Profile, load_profile
from spikeport.toolchain.energy.limits import Violation
from spikeport.toolchain.energy.mapping import Mapping, place_network
from spikeport.toolchain.energy.small_chips import (
    assign_cores,
    convolution_violations,
    kernel_words,
    pool_violations,
)
from spikeport.toolchain.network.integer_network import Network


@dataclass(frozen=True)
class CoreUse:
    """What one core holds, and which share of each limit that is.

    A share is None where the chip has no such limit.
    """

    core: int
    layer: int
    neurons: int
    encoding: str
    weight_bits: int
    compartments: float | None
    memory: float | None
    axons_in: float | None
    axons_out: float | None


@dataclass(frozen=True)
class Placement:
    """A network on one profile: its cores, or why it does not fit.

    `mapping` is None where there is no mesh of cores.
    """

    profile: str
    violations: tuple[Violation, ...]
    cores: tuple[CoreUse, ...] = ()
    mapping: Mapping | None = None
    mean_hops: float | None = (
        None  # of a message to one core, mean over the layers; None where there is no mesh
    )

    def as_json(self) -> dict[str, Any]:
        """Return the placement as JSON data."""
        return {
            "profile": self.profile,
            "fits": not self.violations,
            "violations": [violation.as_json() for violation in self.violations],
            "cores": [core.__dict__ for core in self.cores],
            "mean_hops": self.mean_hops,
        }


def place(network: Network, profile: Profile) -> Placement | None:
    """Return the placement on a profile; None where it has no limits that could be exceeded."""
    if profile.kind == "convolution":
        found = convolution_violations(network, profile)
        return Placement(
            profile.name, tuple(found), () if found else _one_layer_per_core(network, profile)
        )
    if profile.kind == "pool":
        return Placement(profile.name, tuple(pool_violations(network, profile)))
    if "limits.words_per_core" not in profile:
        return None
    placed = place_network(network, profile)
    if not isinstance(placed, Mapping):
        return Placement(profile.name, tuple(placed))
    hops = [
        sum(placed.hops(layer)) / placed.layers[layer].cores for layer in range(len(placed.layers))
    ]
    return Placement(
        profile.name,
        (),
        tuple(core_uses(placed, profile)),
        placed,
        sum(hops) / len(hops) if "limits.mesh_width" in profile else None,
    )


def placements(network: Network, profile_names: Sequence[str]) -> list[Placement]:
    """The placement on every profile that has limits."""
    found = (place(network, load_profile(name)) for name in profile_names)
    return [placement for placement in found if placement is not None]


def core_uses(mapping: Mapping, profile: Profile) -> list[CoreUse]:
    """How full each core is. The memory of a layer's smaller slices is that of its fullest."""

    def share(used: float, name: str) -> float | None:
        if f"limits.{name}" in profile:
            return used / profile.limit(name)
        return None

    return [
        CoreUse(
            core=layer.first + position,
            layer=index,
            neurons=neurons,
            encoding=layer.packing.encoding,
            weight_bits=layer.packing.weight_bits,
            compartments=share(layer.compartments * neurons, "neurons_per_core"),
            memory=share(layer.words, "words_per_core"),
            axons_in=share(layer.inputs, "axons_in"),
            axons_out=share(neurons * layer.destinations, "axons_out"),
        )
        for index, layer in enumerate(mapping.layers)
        for position, neurons in enumerate(layer.slices)
    ]


def _one_layer_per_core(network: Network, profile: Profile) -> tuple[CoreUse, ...]:
    cores = assign_cores(network, profile) or []
    return tuple(
        CoreUse(
            core,
            index,
            layer.outputs,
            "dense",
            profile.limit("weight_bits"),
            layer.outputs / profile.limit(f"neuron_memory_{core}"),
            kernel_words(layer.inputs, layer.outputs) / profile.limit(f"kernel_memory_{core}"),
            None,
            None,
        )
        for index, (layer, core) in enumerate(zip(network.layers, cores, strict=True))
    )
