"""The integer network as data: layers, synapses, parameters, codes."""
