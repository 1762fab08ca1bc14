"""`lava`: the artifact in Lava's own runtime, in processes of its own."""

from spikeport.toolchain.simulation.lava_runtime.backend import LavaBackend as LavaBackend
