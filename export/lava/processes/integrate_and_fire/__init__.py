"""`if@1` as a Lava process."""
