"""The graphs of the neuron models, by versioned id.

The integer steps of toolchain/neurons, one file each.
"""

from __future__ import annotations

from spikeport.export.formats import ways_out
from spikeport.export.onnx.neurons.differential_coding import DifferentialCodingGraph
from spikeport.export.onnx.neurons.integrate_and_fire import IntegrateAndFireGraph
from spikeport.export.onnx.neurons.leaky import LeakyGraph
from spikeport.export.onnx.neurons.leaky_integrate_and_fire import LeakyIntegrateAndFireGraph
from spikeport.export.onnx.neurons.multi_threshold import MultiThresholdGraph
from spikeport.export.onnx.neurons.readout import ReadoutGraph
from spikeport.export.onnx.neurons.sigma_delta import SigmaDeltaGraph
from spikeport.export.onnx.neurons.signed_memory import SignedMemoryGraph
from spikeport.export.onnx.onnx_window import NeuronGraph
from spikeport.toolchain.errors import violations
from spikeport.toolchain.network.integer_network import READOUT, Network

NEURON_GRAPHS: dict[str, NeuronGraph] = {
    "sdn@1": SigmaDeltaGraph(),
    "if@1": IntegrateAndFireGraph(),
    "snm@1": SignedMemoryGraph(),
    "mt@1": MultiThresholdGraph(),
    "dc@1": DifferentialCodingGraph(),
    "lif@1": LeakyIntegrateAndFireGraph(),
    "leaky@1": LeakyGraph(),
    READOUT: ReadoutGraph(),
}


def graphs_of(network: Network) -> list[NeuronGraph]:
    """One per layer. Raises InputError that names every layer whose neuron has no graph."""
    unknown = [
        f"layer {index} has {layer.neuron}"
        for index, layer in enumerate(network.layers)
        if layer.neuron not in NEURON_GRAPHS
    ]
    if unknown:
        known = ", ".join(NEURON_GRAPHS)
        first = next(layer.neuron for layer in network.layers if layer.neuron not in NEURON_GRAPHS)
        raise violations(
            "onnx",
            [f"no ONNX graph for this neuron: {', '.join(unknown)} (limit {known})"],
            fix=ways_out(first, "onnx"),
        )
    return [NEURON_GRAPHS[layer.neuron] for layer in network.layers]
