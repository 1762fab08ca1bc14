"""Checkpoints read as policies, one reader per format."""
