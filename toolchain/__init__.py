"""The pipeline, in the order in which a policy flows through it (docs/architecture.md)."""
