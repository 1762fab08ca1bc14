"""From layers to cores and tiles: one layer per group of cores, groups in order, four cores to a tile.

    cores = max( ceil(k * N_out / neurons), ceil(N_in / axons_in), ceil(N_out * fan_dest / axons_out), ceil(words / memory) )

k = 2 compartments per soft-reset neuron where the chip's compartments reset hard, else 1; fan_dest is the
number of cores of the next layer, each of which takes one output slot per neuron. Slices need whole words, so
cores are counted up until the largest slice fits in every respect. Layers never share a core. The limits and
their sources are in the profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np

from hardware_profiles import Profile
from toolchain.energy.synaptic_memory import synaptic_words, words_per_axon
from toolchain.errors import InputError
from toolchain.network import READOUT, Network

SOFT_RESET = ("if@1", "snm@1", "mt@1", "dc@1")


@dataclass(frozen=True)
class LayerCores:
    """Where one layer sits: its cores are `first` .. `first + len(slices) - 1`."""

    inputs: int
    compartments: int  # per neuron
    first: int
    slices: tuple[int, ...]  # neurons per core
    words: int  # of synaptic memory in the fullest core

    @property
    def cores(self) -> int:
        return len(self.slices)

    @property
    def neurons(self) -> int:
        return sum(self.slices)


@dataclass(frozen=True)
class Mapping:
    """A network on a chip. Tiles lie in rows of `mesh_width`, cores fill them in order."""

    layers: tuple[LayerCores, ...]
    cores: int
    tiles: int
    chips: int
    cores_per_tile: int
    mesh_width: int

    def position(self, core: int) -> tuple[int, int]:
        """Column and row of a core's tile."""
        row, column = divmod(core // self.cores_per_tile, self.mesh_width)
        return column, row

    def hops(self, layer: int) -> tuple[float, float]:
        """Tile hops east-west and north-south that one payload into `layer` makes, over all its destination cores.

        Averaged over the neurons that send it; the input enters at the first tile.
        """
        source = self.layers[layer - 1] if layer else None
        senders = [(source.first + index, neurons / source.neurons) for index, neurons in enumerate(source.slices)] if source else [(0, 1.0)]
        target = self.layers[layer]
        x = y = 0.0
        for core, share in senders:
            for other in range(target.first, target.first + target.cores):
                (a, b), (c, d) = self.position(core), self.position(other)
                x, y = x + share * abs(a - c), y + share * abs(b - d)
        return x, y

    def longest_path(self) -> tuple[int, int]:
        """Hops east-west and north-south of the path with most hops that a payload takes."""
        paths = []
        for index, target in enumerate(self.layers):
            source = self.layers[index - 1] if index else None
            senders = range(source.first, source.first + source.cores) if source else range(1)
            for core in senders:
                for other in range(target.first, target.first + target.cores):
                    (a, b), (c, d) = self.position(core), self.position(other)
                    paths.append((abs(a - c), abs(b - d)))
        return max(paths, key=sum)


def compartments(profile: Profile, neuron: str) -> int:
    """Compartments that one neuron takes: 2 for soft reset where a compartment resets hard, else 1."""
    return profile.limit("soft_reset_compartments") if neuron in SOFT_RESET else 1


def cores_needed(profile: Profile, inputs: int, outputs: int, *, per_neuron: int = 1, destinations: int = 0) -> int:
    """Fewest cores for a dense layer whose neurons send to `destinations` cores. Raises InputError if none fit."""

    def fits(neurons: int) -> bool:
        return (
            per_neuron * neurons <= profile.limit("neurons_per_core")
            and ("limits.axons_out" not in profile or neurons * destinations <= profile.limit("axons_out"))
            and ("limits.words_per_axon" not in profile or words_per_axon(profile, neurons) <= profile.limit("words_per_axon"))
            and synaptic_words(profile, inputs, neurons) <= profile.limit("words_per_core")
        )

    least = -(-inputs // profile.limit("axons_in")) if "limits.axons_in" in profile else 1
    if not fits(1) or least > outputs:
        what = f"a layer of {inputs} inputs and {outputs} neurons does not fit {profile.name}, not even with one neuron per core"
        got = f"{synaptic_words(profile, inputs, 1)} words and {destinations} output slots for one neuron"
        raise InputError("mapping", what, got=got, limit=f"{profile.limit('words_per_core')} words", fix="a policy with narrower layers")
    return next(cores for cores in count(least) if fits(-(-outputs // cores)))


def map_network(network: Network, profile: Profile) -> Mapping:
    """Place every layer of `network` on the chip that `profile` describes. Raises InputError if a layer cannot fit."""
    plans: list[tuple[int, int]] = []
    destinations = 0  # the readout is read by the host
    for layer in reversed(network.layers):
        per_neuron = 1 if layer.neuron == READOUT else compartments(profile, layer.neuron)
        destinations = cores_needed(profile, layer.inputs, layer.outputs, per_neuron=per_neuron, destinations=destinations)
        plans.insert(0, (destinations, per_neuron))
    layers: list[LayerCores] = []
    first = 0
    for layer, (cores, per_neuron) in zip(network.layers, plans, strict=True):
        slices = tuple(len(part) for part in np.array_split(np.arange(layer.outputs), cores))
        layers.append(LayerCores(layer.inputs, per_neuron, first, slices, synaptic_words(profile, layer.inputs, max(slices))))
        first += cores
    per_tile, per_chip = profile.limit("cores_per_tile"), profile.limit("cores")
    return Mapping(tuple(layers), first, -(-first // per_tile), -(-first // per_chip), per_tile, profile.limit("mesh_width"))
