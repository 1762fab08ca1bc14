"""The host's side of a decision, the only floating-point arithmetic at run time."""
