"""Pickles and tensors, read without running anything."""
