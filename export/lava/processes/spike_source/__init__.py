"""The input of a network that was trained as spiking."""
