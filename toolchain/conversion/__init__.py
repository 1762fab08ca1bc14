"""Conversion: a float policy in, an integer artifact out (pipeline.py)."""
