"""Distillation of a converted `sdn` network into its own integers (`convert --finetune`).

Needs PyTorch.
"""
