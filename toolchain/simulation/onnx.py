"""`onnx`: what `spikeport export --to onnx` writes, run by onnxruntime; encode and decode are the
host's, as everywhere.

Decisions run the exported graph itself, which counts for the census. A trace runs the same graph
with more outputs.
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
from spikeport.toolchain.host.observations import Float, Mask, checked_mask, checked_observations
from spikeport.toolchain.neurons import START
from spikeport.toolchain.simulation.recorded import RecordedBackend, Window

Long = NDArray[np.int64]


@final
class OnnxBackend(RecordedBackend):
    """Any number of environments.

    Raises BackendError where onnx or onnxruntime is missing, InputError for a neuron without a
    graph.
    """

    name = "onnx"
    counterparts = NEURON_GRAPHS

    @classmethod
    def missing(cls) -> str:
        problem = onnx_problem()
        if problem:
            return f"{problem}; {install_command()}"
        return ""

    def __init__(self, artifact: Artifact, rows: int = 1) -> None:
        super().__init__(artifact, rows)
        if problem := onnx_problem():
            raise BackendError(
                "backend onnx",
                problem,
                why="onnxruntime runs the exported graph",
                fix=f"`{install_command()}`",
            )
        self.announced = np.zeros((rows, artifact.observation.features), np.int64)

    @cached_property
    def decisions(self) -> GraphSession:
        """The exported graph."""
        return GraphSession(self.artifact, self.rows, trace=False)

    @cached_property
    def traced(self) -> GraphSession:
        """The graph with every payload and state."""
        return GraphSession(self.artifact, self.rows, trace=True)

    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        values = checked_observations(self.artifact, observations, self.rows)
        if active is None:
            active = np.ones(self.rows, bool)
        else:
            active = checked_mask(active, self.rows)
        control, payloads = self.host.encode(values, active)
        outputs = self.decisions.run(self.encoded(payloads, control), control)
        messages, synops, saturations = outputs["counts"].sum(0).T
        self.counters.messages += messages
        self.counters.synops += synops
        self.counters.saturations += saturations
        self.counters.decisions += int(active.sum())
        self.counters.encode_saturations = self.host.saturations
        if self.network.spike_coding is None:
            return self.host.decode(outputs["accumulator"], active)
        idle_spikes, idle_synops = outputs["idle_counts"].sum(0).tolist()
        self.counters.idle_spikes += idle_spikes
        self.counters.idle_synops += idle_synops
        self.counters.output_spikes += int(outputs["spike_counts"].sum())
        return self.host.decode(outputs["spike_counts"], active)

    def run_window(self, payloads: Long, control: Long) -> Window:
        outputs = self.traced.run(self.encoded(payloads, control), control)
        states = [outputs[f"states_{index}"] for index in range(len(self.network.layers))]
        sent = [
            outputs.get(f"payloads_{index}", np.zeros_like(state))
            for index, state in enumerate(states)
        ]  # a readout sends nothing
        if self.network.spike_coding is not None:
            idle = outputs["idle_counts"].sum(0).tolist()
        else:
            idle = (0, 0)
        return Window(sent, states, outputs["counts"][..., 2].sum(0), *idle)

    def encoded(self, payloads: Long, control: Long) -> Long:
        """q0 of the input's payloads: the graph takes q0 and forms the changes of sdn itself."""
        if not self.network.across_decisions:
            return payloads
        self.announced = np.where((control == START)[:, None], payloads, self.announced + payloads)
        return self.announced


Arrays = dict[str, NDArray[Any]]


class GraphSession:
    """The graph of an artifact for `rows` environments, in the state in which a first decision
    finds it.
    """

    def __init__(self, artifact: Artifact, rows: int, trace: bool) -> None:
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
        """Outputs by name for q0 [rows, features] and control words [rows]; the state moves on."""
        fed = {
            "encoded": encoded.astype(np.int32),
            "control": control.astype(np.int32),
        } | self.state
        values: Sequence[Any] = self.session.run(None, fed)
        outputs: Arrays = dict(zip(self.names, values, strict=True))
        self.state = {name: outputs[f"next_{name}"] for name in self.state}
        return outputs
