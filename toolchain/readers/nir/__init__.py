"""NIR graphs."""
