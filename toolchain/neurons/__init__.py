"""The neuron models by their versioned id.

One file per neuron: equations first, integer step second, its rules and its bound behind. A neuron
that is added stands in MODELS and nowhere else in this folder.
"""

from __future__ import annotations

from collections.abc import Sequence

from spikeport.toolchain.errors import InputError, did_you_mean
from spikeport.toolchain.network.codes import SpikeCoding
from spikeport.toolchain.network.integer_network import (
    READOUT,
    Coding,
    Encoder,
    Layer,
    Network,
)
from spikeport.toolchain.neurons.differential_coding import DifferentialCoding as DifferentialCoding
from spikeport.toolchain.neurons.integrate_and_fire import IntegrateAndFire as IntegrateAndFire
from spikeport.toolchain.neurons.leaky import Leaky as Leaky
from spikeport.toolchain.neurons.leaky_integrate_and_fire import (
    LeakyIntegrateAndFire as LeakyIntegrateAndFire,
)
from spikeport.toolchain.neurons.multi_threshold import MultiThreshold as MultiThreshold
from spikeport.toolchain.neurons.neuron import CARRY as CARRY
from spikeport.toolchain.neurons.neuron import INACTIVE as INACTIVE
from spikeport.toolchain.neurons.neuron import START as START
from spikeport.toolchain.neurons.neuron import Neuron as Neuron
from spikeport.toolchain.neurons.readout import Readout as Readout
from spikeport.toolchain.neurons.sigma_delta import SigmaDelta as SigmaDelta
from spikeport.toolchain.neurons.signed_memory import SignedMemory as SignedMemory
from spikeport.toolchain.neurons.traits import Traits as Traits

MODELS: tuple[Neuron, ...] = (
    SigmaDelta(),
    IntegrateAndFire(),
    SignedMemory(),
    MultiThreshold(),
    DifferentialCoding(),
    LeakyIntegrateAndFire(),
    Leaky(),
)
HIDDEN_NEURONS: dict[str, Neuron] = {neuron.id: neuron for neuron in MODELS}
NEURON_IDS = (*HIDDEN_NEURONS, READOUT)
BY_NAME: dict[str, Neuron] = {neuron.traits.name: neuron for neuron in MODELS}
# what an ANN converts to, and what only networks that were trained as spiking do
SHORT_NAMES = {name: neuron.id for name, neuron in BY_NAME.items() if not neuron.traits.trained}
TRAINED_NAMES = tuple(name for name, neuron in BY_NAME.items() if neuron.traits.trained)


def neuron_of(network: Network, layer: Layer) -> Neuron:
    """The model that executes `layer`.

    Raises InputError for an id that this version does not know.
    """
    if layer.neuron == READOUT:
        return Readout(network.coding)
    return hidden_neuron(layer.neuron)


def hidden_neuron(identifier: str) -> Neuron:
    """The model of hidden neurons with this id.

    Raises InputError for an id that this version does not know.
    """
    if identifier in HIDDEN_NEURONS:
        return HIDDEN_NEURONS[identifier]
    known = (*HIDDEN_NEURONS, READOUT)
    raise InputError(
        "neuron",
        "unknown neuron id",
        got=repr(identifier),
        limit=", ".join(known),
        fix=did_you_mean(identifier, known) or "reconvert the policy",
    )


def trained_as_spiking(network: Network) -> bool:
    """Whether no ANN converts to the neurons of a network."""
    return neuron_of(network, network.layers[0]).traits.trained


def coding_of(layers: Sequence[Layer], timesteps: int, spike_coding: SpikeCoding | None) -> Coding:
    """What the payloads of a network mean.

    Its hidden neurons decide. Without a hidden layer, or with neurons that are not known, a
    readout with one timestep reads changes and one with more reads values.
    """
    if spike_coding:
        return Coding.SPIKES
    if len(layers) > 1 and layers[0].neuron in HIDDEN_NEURONS:
        return HIDDEN_NEURONS[layers[0].neuron].traits.coding
    return Coding.ACROSS if timesteps == 1 else Coding.RATE


def network_of(
    encoder: Encoder,
    layers: tuple[Layer, ...],
    timesteps: int,
    alpha: int = 0,
    resync_every: int = 0,
    spike_coding: SpikeCoding | None = None,
) -> Network:
    """A network with the coding of its neurons.

    Args:
        encoder: From observations to the first layer's input.
        layers: Hidden layers and the readout.
        timesteps: T.
        alpha: The residual's share that is carried over, in 64ths.
        resync_every: Decisions between resyncs, 0 = never.
        spike_coding: Of a network that is fed and read by spikes, without a readout.
    """
    coding = coding_of(layers, timesteps, spike_coding)
    return Network(encoder, layers, timesteps, alpha, resync_every, spike_coding, coding=coding)
