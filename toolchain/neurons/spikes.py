"""What a neuron of a rate network may announce in one timestep, by its id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spikes:
    """Payloads lie in low..high.

    The full scale theta is `levels` times the layer's threshold array (theta or lambda).
    """

    low: int
    high: int
    levels: int = 1


SPIKES: dict[str, Spikes] = {
    "if@1": Spikes(0, 1),
    "snm@1": Spikes(-1, 1),
    "mt@1": Spikes(-8, 8, levels=8),
    "dc@1": Spikes(-8, 8, levels=8),
}
