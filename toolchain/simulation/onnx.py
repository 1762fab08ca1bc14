"""The backend `onnx`: onnxruntime runs what `spikeport export --to onnx` writes.

Encode and decode are the host's, as everywhere. Decisions run the exported graph itself, which
counts for the census. A trace runs the same graph with more outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from spikeport.export.onnx.model import onnx_model, serialised
from spikeport.export.onnx.neurons import NEURON_GRAPHS
from spikeport.export.onnx.requirement import install_command, onnx_problem
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import BackendError
from spikeport.toolchain.host.observations import Float, Mask, checked_observations
from spikeport.toolchain.simulation.recorded import RecordedBackend, Window

Long = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]
# Of graphs that end with their window and whose last layer is a readout.
NONE_PUT_OUT: Arrays = {
    "idle_counts": np.zeros((1, 2), np.int64),
    "spike_counts": np.zeros((1, 1), np.int64),
}


@final
class OnnxBackend(RecordedBackend):
    """Any number of environments.

    Raises:
        BackendError: Where onnx or onnxruntime is missing.
        InputError: For a neuron without a graph.
    """

    name = "onnx"
    counterparts = NEURON_GRAPHS
    takes_q0 = True  # the graph forms the changes of sdn itself

    @classmethod
    def missing(cls) -> str:
        """Which package is not installed, and the command that installs it."""
        problem = onnx_problem()
        return f"{problem}; {install_command()}" if problem else ""

    def __init__(self, artifact: Artifact, rows: int = 1) -> None:
        """Check what is installed; graphs are loaded when first run."""
        super().__init__(artifact, rows)
        if problem := onnx_problem():
            raise BackendError(
                "backend onnx",
                problem,
                why="onnxruntime runs the exported graph",
                fix=f"`{install_command()}`",
            )

    @cached_property
    def decisions(self) -> GraphSession:
        """The exported graph."""
        return GraphSession(self.artifact, self.rows, trace=False)

    @cached_property
    def traced(self) -> GraphSession:
        """The graph with every payload and state."""
        return GraphSession(self.artifact, self.rows, trace=True)

    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        """Run the exported graph, which counts for the census."""
        values = checked_observations(self.artifact, observations, self.rows)
        active = self.checked_active(active)
        control, q = self.host.quantise(values, active)
        outputs = self.decisions.run(q, control)
        messages, synops, saturations = outputs["counts"].sum(0).T
        self.counters.messages += messages
        self.counters.synops += synops
        self.counters.saturations += saturations
        self.counters.decisions += int(active.sum())
        self.counters.encode_saturations = self.host.saturations
        idle_spikes, idle_synops = outputs["idle_counts"].sum(0).tolist()
        self.counters.idle_spikes += idle_spikes
        self.counters.idle_synops += idle_synops
        self.counters.output_spikes += int(outputs["spike_counts"].sum())
        return self.host.decode(outputs[self.network.code.decoded_output], active)

    def run_window(self, payloads: Long, control: Long) -> Window:
        """Run the graph with more outputs, from q0 [rows, inputs]."""
        outputs = self.traced.run(payloads, control)
        states = [outputs[f"states_{index}"] for index in range(len(self.network.layers))]
        sent = [
            outputs.get(f"payloads_{index}", np.zeros_like(state))
            for index, state in enumerate(states)
        ]  # a readout sends nothing
        idle = outputs["idle_counts"].sum(0).tolist()
        return Window(sent, states, outputs["counts"][..., 2].sum(0), *idle)


class GraphSession:
    """The graph of an artifact, and its state, which a first decision finds as zeros."""

    def __init__(self, artifact: Artifact, rows: int, trace: bool) -> None:
        """Load the graph.

        Args:
            artifact: What to run.
            rows: Environments.
            trace: Whether every payload and state is put out.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        self.session = onnxruntime.InferenceSession(
            serialised(onnx_model(artifact, trace)), options, providers=["CPUExecutionProvider"]
        )
        self.names: Sequence[str] = [output.name for output in self.session.get_outputs()]
        inputs = {port.name: port.shape[1:] for port in self.session.get_inputs()}
        self.state: Arrays = {
            name: np.zeros((rows, *shape), np.int32)
            for name, shape in inputs.items()
            if name not in ("encoded", "control")
        }

    def run(self, encoded: NDArray[np.int64], control: NDArray[np.int64]) -> Arrays:
        """Outputs by name for q0 [rows, inputs] and control words [rows]; the state moves on.

        Graphs without idle activity and spike counts have put out none.
        """
        fed = {
            "encoded": encoded.astype(np.int32),
            "control": control.astype(np.int32),
        } | self.state
        values: Sequence[Any] = self.session.run(None, fed)
        outputs: Arrays = NONE_PUT_OUT | dict(zip(self.names, values, strict=True))
        self.state = {name: outputs[f"next_{name}"] for name in self.state}
        return outputs
