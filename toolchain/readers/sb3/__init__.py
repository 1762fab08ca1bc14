"""Stable-Baselines3 zips."""
