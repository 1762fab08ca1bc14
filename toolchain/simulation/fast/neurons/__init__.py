"""The compiled steps of the neurons, one file each."""
