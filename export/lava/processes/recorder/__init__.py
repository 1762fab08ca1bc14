"""What keeps the spikes and membranes of a stock LIF."""
