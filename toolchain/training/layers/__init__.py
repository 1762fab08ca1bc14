"""Networks and their layers, forward and back, as fast as the processor allows."""
