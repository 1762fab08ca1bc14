"""Artifacts as NIR graphs (Neuromorphic Intermediate Representation), and back; docs/nir.md."""
