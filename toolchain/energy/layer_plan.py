"""One layer on as few cores as hold it.

    cores = max(ceil(k * N_out / neurons), ceil(N_in / axons_in),
                ceil(N_out * fan_dest / axons_out), ceil(words / memory))

k = 2 compartments per soft-reset neuron where the chip's compartments reset hard, else 1; fan_dest
is the number of cores of the next layer, each of which takes one output slot per neuron. Slices
need whole words, so cores are counted up until the largest slice fits in every respect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.hardware_profiles import Profile
from spikeport.toolchain.energy.limits import Violation
from spikeport.toolchain.energy.synaptic_memory import (
    SPARSE,
    Packing,
    encodings,
    index_bits,
    pack,
    weight_code,
)


@dataclass(frozen=True)
class LayerPlan:
    """Slices of one layer, neurons per core, and the fullest core's memory."""

    slices: tuple[int, ...]
    packing: Packing
    binding: tuple[str, ...]  # limits that one core fewer would exceed


def plan_layer(
    profile: Profile,
    weights: NDArray[np.integer],
    place: str = "the layer",
    *,
    per_neuron: int = 1,
    destinations: int = 0,
    encoding: str | None = None,
) -> LayerPlan | list[Violation]:
    """Put a layer on the fewest cores.

    Args:
        profile: The chip.
        weights: Integers [out, in].
        place: The layer's name, for violations.
        per_neuron: Compartments of one neuron.
        destinations: Cores of the next layer, to each of which every neuron sends.
        encoding: How synapses are stored; the cheapest way by default.

    Returns:
        The plan, or every limit that no number of cores keeps.
    """
    outputs, inputs = weights.shape
    bits = weight_code(profile, int(np.abs(weights.astype(np.int64)).max(initial=0)))
    if bits > profile.limit("weight_bits"):
        return [Violation(profile.name, place, "weight_bits", bits, profile.limit("weight_bits"))]
    running = np.zeros((inputs, outputs + 1), np.int32)
    np.cumsum(weights.T != 0, axis=1, out=running[:, 1:])
    least = 1
    if "limits.axons_in" in profile:
        least = -(-inputs // profile.limit("axons_in"))
    if least > outputs:
        most = outputs * profile.limit("axons_in")
        why = "even with one neuron per core"
        return [Violation(profile.name, place, "axons_in", inputs, most, why)]
    alone = _alone(profile, weights, place, bits, per_neuron, destinations, encoding)
    if alone:
        return alone
    starts = {
        "axons_in": least,
        "words_per_core": _fewest_by_memory(profile, running[:, -1], outputs, bits, encoding),
    }
    if "limits.neurons_per_core" in profile:
        starts["neurons_per_core"] = -(-per_neuron * outputs // profile.limit("neurons_per_core"))
    cores = max(starts.values())
    binding = tuple(name for name, needed in starts.items() if needed == cores > 1)
    while True:
        slices, packings = _packed(profile, running, cores, bits, encoding)
        fullest = max(packings, key=lambda packing: packing.words)
        needs = {
            "neurons_per_core": per_neuron * max(slices),
            "axons_out": max(slices) * destinations,
            "words_per_axon": max(packing.largest_axon for packing in packings),
            "words_per_core": fullest.words,
        }
        found = _exceeded(profile, place, needs)
        if not found:
            return LayerPlan(slices, fullest, binding)
        binding = tuple(violation.limit for violation in found)
        cores += 1


def _packed(
    profile: Profile, running: NDArray[np.int32], cores: int, bits: int, encoding: str | None
) -> tuple[tuple[int, ...], list[Packing]]:
    """Return neurons per core and the storage of each core's synapses.

    `running` [in, out + 1] counts the non-zero weights of the neurons before each.
    """
    outputs = running.shape[1] - 1
    slices = tuple(len(part) for part in np.array_split(np.arange(outputs), cores))
    bounds = np.cumsum((0, *slices))
    packings = [
        pack(
            profile,
            (running[:, end] - running[:, start]).astype(np.int64),
            int(end - start),
            bits,
            encoding,
        )
        for start, end in zip(bounds[:-1], bounds[1:], strict=True)
    ]
    return slices, packings


def _alone(
    profile: Profile,
    weights: NDArray[np.integer],
    place: str,
    bits: int,
    per_neuron: int,
    destinations: int,
    encoding: str | None,
) -> list[Violation]:
    """Limits that even one neuron per core exceeds; the neuron with most synapses decides."""
    column = weights[int(np.count_nonzero(weights, axis=1).argmax())] != 0
    packing = pack(profile, column.astype(np.int64), 1, bits, encoding)
    needs = {
        "neurons_per_core": per_neuron,
        "axons_out": destinations,
        "words_per_axon": packing.largest_axon,
        "words_per_core": packing.words,
    }
    return _exceeded(profile, place, needs)


def _exceeded(profile: Profile, place: str, needs: dict[str, int]) -> list[Violation]:
    return [
        Violation(profile.name, place, name, needed, profile.limit(name), "per core")
        for name, needed in needs.items()
        if f"limits.{name}" in profile and needed > profile.limit(name)
    ]


def _fewest_by_memory(
    profile: Profile, nonzero: NDArray[np.integer], outputs: int, bits: int, encoding: str | None
) -> int:
    """Cores that the synapses' bits alone fill: a lower bound to start from."""
    needs = []
    for name in encodings(profile) if encoding is None else (encoding,):
        if name == SPARSE:
            synapses = int(nonzero.sum())
        else:
            synapses = len(nonzero) * outputs
        needs.append(synapses * (bits + index_bits(profile, name, 1)))
    return max(1, -(-min(needs) // (profile.limit("word_bits") * profile.limit("words_per_core"))))
