"""The two backends that run Lava's own process models."""
