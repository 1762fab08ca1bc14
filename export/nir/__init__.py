"""Artifacts as NIR graphs (Neuromorphic Intermediate Representation, nir 1.0), and back.

Docs/nir.md.
"""
