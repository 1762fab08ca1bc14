"""The neuron models by their versioned id.

One file per neuron: equations first, integer step second.
"""

from __future__ import annotations

from spikeport.toolchain.errors import InputError, did_you_mean
from spikeport.toolchain.network.integer_network import LEAKY, LIF, READOUT, Layer, Network
from spikeport.toolchain.neurons.differential_coding import DifferentialCoding as DifferentialCoding
from spikeport.toolchain.neurons.integrate_and_fire import IntegrateAndFire as IntegrateAndFire
from spikeport.toolchain.neurons.leaky import Leaky as Leaky
from spikeport.toolchain.neurons.leaky_integrate_and_fire import (
    LeakyIntegrateAndFire as LeakyIntegrateAndFire,
)
from spikeport.toolchain.neurons.multi_threshold import MultiThreshold as MultiThreshold
from spikeport.toolchain.neurons.neuron import CARRY as CARRY
from spikeport.toolchain.neurons.neuron import INACTIVE as INACTIVE
from spikeport.toolchain.neurons.neuron import SPIKES as SPIKES
from spikeport.toolchain.neurons.neuron import START as START
from spikeport.toolchain.neurons.neuron import Neuron as Neuron
from spikeport.toolchain.neurons.readout import Readout as Readout
from spikeport.toolchain.neurons.sigma_delta import SigmaDelta as SigmaDelta
from spikeport.toolchain.neurons.signed_memory import SignedMemory as SignedMemory

MODELS = (
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
SHORT_NAMES = {
    identifier.split("@")[0]: identifier
    for identifier in HIDDEN_NEURONS
    if identifier not in (LIF, LEAKY)
}  # what an ANN converts to


def neuron_of(network: Network, layer: Layer) -> Neuron:
    """The model that executes `layer`.

    Raises InputError for an id that this version does not know.
    """
    if layer.neuron == READOUT:
        return Readout(network.coding)
    if layer.neuron not in HIDDEN_NEURONS:
        raise InputError(
            "neuron",
            "unknown neuron id",
            got=repr(layer.neuron),
            limit=", ".join(NEURON_IDS),
            fix=did_you_mean(layer.neuron, NEURON_IDS) or "reconvert the policy",
        )
    return HIDDEN_NEURONS[layer.neuron]
