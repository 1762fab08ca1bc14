"""The processes of exported networks: sources, neurons, readout and recorder."""
