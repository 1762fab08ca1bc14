"""Policies stored as graphs of operations:

ONNX, torch.export programs and TorchScript, read without running them.
"""
