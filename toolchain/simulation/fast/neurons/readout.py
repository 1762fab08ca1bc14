"""The layout of `readout@1`; its steps are additions and stand in fast/kernels.py."""

from __future__ import annotations

from spikeport.toolchain.network.integer_network import Coding, Layer, Network
from spikeport.toolchain.simulation.fast.neurons.kernel_layout import (
    READOUT_ACROSS,
    READOUT_DIFFERENTIAL,
    READOUT_RATE,
    Layout,
)

KINDS = {
    Coding.RATE: READOUT_RATE,
    Coding.DIFFERENTIAL: READOUT_DIFFERENTIAL,
    Coding.ACROSS: READOUT_ACROSS,
}


def kind(network: Network, layer: Layer) -> int:
    """The kind of the readout follows from what the payloads mean that it sums."""
    return KINDS[network.coding]


LAYOUT = Layout(kind, state=1)  # acc
