"""Runs of a method: loop, folder, checkpoints, memory."""
