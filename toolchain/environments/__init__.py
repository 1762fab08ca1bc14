"""Environments: what is recorded of them, and the bridge to Gymnasium."""
