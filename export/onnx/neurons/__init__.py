"""The graphs of the neuron models by versioned id, one file each: toolchain/neurons' steps."""

from __future__ import annotations

from spikeport.export.exporter import NotCarried
from spikeport.export.onnx.graph.onnx_window import NeuronGraph
from spikeport.export.onnx.neurons.differential_coding import DifferentialCodingGraph
from spikeport.export.onnx.neurons.integrate_and_fire import IntegrateAndFireGraph
from spikeport.export.onnx.neurons.leaky import LeakyGraph
from spikeport.export.onnx.neurons.leaky_integrate_and_fire import LeakyIntegrateAndFireGraph
from spikeport.export.onnx.neurons.multi_threshold import MultiThresholdGraph
from spikeport.export.onnx.neurons.readout import ReadoutGraph
from spikeport.export.onnx.neurons.sigma_delta import SigmaDeltaGraph
from spikeport.export.onnx.neurons.signed_memory import SignedMemoryGraph
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
    """One per layer. Raises NotCarried that names every layer whose neuron has no graph."""
    unknown = [
        f"layer {index} has {layer.neuron}"
        for index, layer in enumerate(network.layers)
        if layer.neuron not in NEURON_GRAPHS
    ]
    if unknown:
        first = next(layer.neuron for layer in network.layers if layer.neuron not in NEURON_GRAPHS)
        raise NotCarried(
            "onnx",
            f"no ONNX graph for this neuron: {', '.join(unknown)}",
            neuron=first,
            format="onnx",
            carried=NEURON_GRAPHS,
        )
    return [NEURON_GRAPHS[layer.neuron] for layer in network.layers]
