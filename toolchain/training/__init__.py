"""Training of spiking actors that deploy without loss (docs/training.md).

Needs PyTorch and Stable-Baselines3.
"""
