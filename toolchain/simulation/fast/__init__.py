"""The fast backend: event-driven, batched, compiled; one process, one core, integers only."""

from spikeport.toolchain.simulation.fast.fast_backend import FastBackend as FastBackend
