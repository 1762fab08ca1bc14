"""Artifacts of `lif@1` as HDF5 networks that lava-dl's `netx` runs; docs/exports.md."""
