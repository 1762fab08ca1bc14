"""An ONNX graph of one decision in onnxruntime, one thread, with the state that it hands from
decision to decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.export.onnx.model import onnx_model, serialised
from spikeport.toolchain.artifact.artifact import Artifact

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
