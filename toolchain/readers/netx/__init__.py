"""Networks that lava-dl exported (netx)."""
