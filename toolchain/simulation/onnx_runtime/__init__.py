"""The backend `onnx`: the exported graph in onnxruntime."""

from spikeport.toolchain.simulation.onnx import OnnxBackend as OnnxBackend
