"""Ways to make a network: one scheme per kind, by neuron in scheme_table.py."""
