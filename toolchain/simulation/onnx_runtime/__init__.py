"""The backend `onnx`: the exported graph in onnxruntime."""

from spikeport.toolchain.simulation.onnx_runtime.backend import OnnxBackend as OnnxBackend
