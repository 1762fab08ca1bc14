"""Chips that take a network whole or not at all.

One layer per core (Speck), one pool of neurons (Xylo).

    kernel words of a dense layer = inputs * 2^ceil(log2 outputs)      a 1 x 1 convolution
    neuron words                  = outputs

A layer of Speck needs a core of its own whose kernel and neuron memories hold it. Limits only: no
energy per operation of these chips is agreed on. Sources: sinabs 3.1.3 dynapcnn_layer.py; Rockpool
3.1.0 xylo_mapper.py.
"""

from __future__ import annotations

from spikeport.hardware_profiles import Profile
from spikeport.toolchain.energy.limits import Violation
from spikeport.toolchain.network.integer_network import READOUT, Network


def kernel_words(inputs: int, outputs: int) -> int:
    """Kernel memory of a dense layer in words."""
    return inputs * 2 ** (outputs - 1).bit_length()


def assign_cores(network: Network, profile: Profile) -> list[int] | None:
    """The core of each layer on a chip of kind `convolution`; None where no assignment exists."""
    cores = sorted(
        int(key.rpartition("_")[2])
        for key in profile.numbers
        if key.startswith("limits.kernel_memory_")
    )
    needs = [(kernel_words(layer.inputs, layer.outputs), layer.outputs) for layer in network.layers]

    def assign(layer: int, free: tuple[int, ...]) -> list[int] | None:
        if layer == len(needs):
            return []
        kernel, neurons = needs[layer]
        for core in free:
            if kernel <= profile.limit(f"kernel_memory_{core}") and neurons <= profile.limit(
                f"neuron_memory_{core}"
            ):
                rest = assign(layer + 1, tuple(other for other in free if other != core))
                if rest is not None:
                    return [core, *rest]
        return None

    if len(needs) <= len(cores):
        return assign(0, tuple(cores))
    return None


def convolution_violations(network: Network, profile: Profile) -> list[Violation]:
    """Every limit of a chip that puts one layer on one core."""
    memories = [
        profile.limit(key.removeprefix("limits."))
        for key in profile.numbers
        if key.startswith("limits.kernel_memory_")
    ]
    found = []
    if len(network.layers) > len(memories):
        found.append(
            Violation(profile.name, "the network", "layers", len(network.layers), len(memories))
        )
    for index, layer in enumerate(network.layers):
        place = f"layer {index} ({layer.inputs} inputs, {layer.outputs} neurons)"
        if layer.outputs > profile.limit("features"):
            found.append(
                Violation(profile.name, place, "features", layer.outputs, profile.limit("features"))
            )
        if (kernel := kernel_words(layer.inputs, layer.outputs)) > max(memories):
            found.append(
                Violation(
                    profile.name,
                    place,
                    "kernel_memory",
                    kernel,
                    max(memories),
                    "in the largest core",
                )
            )
    if not found and assign_cores(network, profile) is None:
        needs = sorted(
            (kernel_words(layer.inputs, layer.outputs) for layer in network.layers), reverse=True
        )
        found.append(
            Violation(
                profile.name,
                "the network",
                "kernel_memory",
                sum(needs),
                sum(memories),
                "each layer needs a core of its own that holds it",
            )
        )
    return found + state_violations(network, profile)


def pool_violations(network: Network, profile: Profile) -> list[Violation]:
    """Every limit of a chip with one pool of neurons."""
    needs = {
        "network_inputs": network.layers[0].inputs,
        "network_neurons": sum(layer.outputs for layer in network.layers[:-1]),
        "network_outputs": network.layers[-1].outputs,
    }
    found = [
        Violation(profile.name, "the network", name, needed, profile.limit(name))
        for name, needed in needs.items()
        if needed > profile.limit(name)
    ]
    return found + state_violations(network, profile)


def state_violations(network: Network, profile: Profile) -> list[Violation]:
    """Layers whose thresholds alone do not fit the chip's signed state."""
    found = []
    for index, layer in enumerate(network.layers):
        if layer.neuron == READOUT:
            needed = 0
        else:
            needed = int(layer.threshold.max()).bit_length() + 1
        if needed > profile.limit("state_bits"):
            found.append(
                Violation(
                    profile.name,
                    f"layer {index}'s largest threshold",
                    "state_bits",
                    needed,
                    profile.limit("state_bits"),
                )
            )
    return found
