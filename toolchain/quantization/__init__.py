"""Real weights to integers, arithmetic only."""
