"""What graphs are made of: nodes, integer arithmetic, windows of timesteps, carry-over."""
