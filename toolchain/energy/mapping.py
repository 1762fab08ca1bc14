"""From layers to cores and tiles: one layer per group of cores, groups in order, on tiles in order.

Layers never share a core. The limits and their sources are in the profile; `layer_plan.py` decides
how many cores a layer takes.
"""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.hardware_profiles import Profile
from spikeport.toolchain.energy.layer_plan import LayerPlan, plan_layer
from spikeport.toolchain.energy.limits import Violation, refusal
from spikeport.toolchain.energy.synaptic_memory import Packing
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.neurons import Traits, neuron_of


@dataclass(frozen=True)
class LayerCores:
    """Where one layer sits: its cores are `first` .. `first + len(slices) - 1`."""

    inputs: int
    compartments: int  # per neuron
    first: int
    slices: tuple[int, ...]  # neurons per core
    packing: Packing  # of synaptic memory in the fullest core
    destinations: int = 0  # cores of the next layer
    binding: tuple[str, ...] = ()  # limits that one core fewer would exceed

    @property
    def cores(self) -> int:
        """Cores of the layer."""
        return len(self.slices)

    @property
    def neurons(self) -> int:
        """Neurons of the layer."""
        return sum(self.slices)

    @property
    def words(self) -> int:
        """Of synaptic memory in the fullest core."""
        return self.packing.words


@dataclass(frozen=True)
class Mapping:
    """A network on one chip. Tiles lie in rows of `mesh_width`, cores fill them in order."""

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
        """Return the tile hops east-west and north-south that one payload into a layer makes.

        They are over all its destination cores, averaged over the neurons that send it; the input
        enters at the first tile.
        """
        if layer:
            source = self.layers[layer - 1]
        else:
            source = None
        if source:
            senders = [
                (source.first + index, neurons / source.neurons)
                for index, neurons in enumerate(source.slices)
            ]
        else:
            senders = [(0, 1.0)]
        target = self.layers[layer]
        x = y = 0.0
        for core, share in senders:
            for other in range(target.first, target.first + target.cores):
                (a, b), (c, d) = self.position(core), self.position(other)
                x = x + share * abs(a - c)
                y = y + share * abs(b - d)
        return x, y

    def longest_path(self) -> tuple[int, int]:
        """Hops east-west and north-south of the path with most hops that a payload takes."""
        paths = []
        for index, target in enumerate(self.layers):
            if index:
                source = self.layers[index - 1]
            else:
                source = None
            if source:
                senders = range(source.first, source.first + source.cores)
            else:
                senders = range(1)
            for core in senders:
                for other in range(target.first, target.first + target.cores):
                    (a, b), (c, d) = self.position(core), self.position(other)
                    paths.append((abs(a - c), abs(b - d)))
        return max(paths, key=sum)


def _limit(profile: Profile, name: str, default: int) -> int:
    if f"limits.{name}" in profile:
        return profile.limit(name)
    return default


def compartments(profile: Profile, traits: Traits) -> int:
    """Return the compartments that one neuron takes.

    They are 2 for soft reset where a compartment resets hard, else 1.
    """
    if traits.soft_reset:
        return _limit(profile, "soft_reset_compartments", 1)
    return 1


def place_network(network: Network, profile: Profile) -> Mapping | list[Violation]:
    """Place every layer of a network on a chip, or return every limit that it exceeds."""
    plans: list[tuple[LayerPlan, int, int]] = []
    problems: list[Violation] = []
    destinations = 0  # the readout is read by the host
    for index, layer in reversed(list(enumerate(network.layers))):
        per_neuron = compartments(profile, neuron_of(network, layer).traits)
        place = f"layer {index} ({layer.inputs} inputs, {layer.outputs} neurons)"
        plan = plan_layer(
            profile, layer.weights, place, per_neuron=per_neuron, destinations=destinations
        )
        if not isinstance(plan, LayerPlan):
            problems = plan + problems
            destinations = 1
            continue
        plans.insert(0, (plan, per_neuron, destinations))
        destinations = len(plan.slices)
    cores = sum(len(plan.slices) for plan, _, _ in plans)
    per_chip = profile.limit("cores")
    if cores > per_chip:
        problems.append(
            Violation(
                profile.name,
                "the network",
                "cores",
                cores,
                per_chip,
                _why_so_many(network, plans) if not problems else "",
            )
        )
        problems += _spread(network, profile, plans) if len(problems) == 1 else []
    if problems:
        return problems
    layers: list[LayerCores] = []
    first = 0
    for layer, (plan, per_neuron, sent_to) in zip(network.layers, plans, strict=True):
        layers.append(
            LayerCores(
                layer.inputs, per_neuron, first, plan.slices, plan.packing, sent_to, plan.binding
            )
        )
        first += len(plan.slices)
    per_tile = _limit(profile, "cores_per_tile", 1)
    return Mapping(
        tuple(layers),
        first,
        -(-first // per_tile),
        1,
        per_tile,
        _limit(profile, "mesh_width", per_chip),
    )


def _why_so_many(network: Network, plans: list[tuple[LayerPlan, int, int]]) -> str:
    return ", ".join(
        f"{len(plan.slices)} for layer {index}" for index, (plan, _, _) in enumerate(plans)
    )


def _spread(
    network: Network, profile: Profile, plans: list[tuple[LayerPlan, int, int]]
) -> list[Violation]:
    """Return the limits behind the number of cores of the layers that fill the chip."""
    found = []
    for index, (layer, (plan, _, _)) in enumerate(zip(network.layers, plans, strict=True)):
        if "words_per_core" in plan.binding:
            words = int(plan.packing.words * len(plan.slices))
            found.append(
                Violation(
                    profile.name,
                    f"layer {index}",
                    "words_per_core",
                    words,
                    profile.limit("words_per_core"),
                    f"over {len(plan.slices)} cores",
                )
            )
        elif len(plan.slices) > 1 and plan.binding:
            name = plan.binding[0]
            needed = {"neurons_per_core": layer.outputs, "axons_in": layer.inputs}.get(
                name, layer.outputs
            )
            found.append(
                Violation(
                    profile.name,
                    f"layer {index}",
                    name,
                    needed,
                    profile.limit(name),
                    f"over {len(plan.slices)} cores",
                )
            )
    return found


def map_network(network: Network, profile: Profile) -> Mapping:
    """The placement of `network`. Raises CheckFailed naming every limit that it exceeds."""
    placed = place_network(network, profile)
    if isinstance(placed, Mapping):
        return placed
    raise refusal(placed)
