"""The network in Lava: processes, the real runtime under supervision, and the host's side of a decision."""
