"""`lava`: the artifact in Lava's own runtime, in processes of its own."""

from spikeport.toolchain.simulation.lava.runtime import LavaBackend as LavaBackend
