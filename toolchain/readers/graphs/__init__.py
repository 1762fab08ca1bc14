"""Policies stored as graphs of operations, read without running them.

ONNX, torch.export programs and TorchScript.
"""
