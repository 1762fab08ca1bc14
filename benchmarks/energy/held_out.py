"""Measured spiking policies that no constant of ours was fitted to.

Their census is priced, beside what was measured.
The counts are of the published weights (PopSAN: one closed-loop episode of HalfCheetah; SDDPG:
inputs uniform in [0, 1], its observations need Gazebo), five timesteps, the authors' nine chip
steps. `tests/support/spiking_checkpoints.py` counts them anew where the files are at hand.
`census_energy` takes any census, an artifact's own too.
"""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.hardware_profiles import Profile
from spikeport.toolchain.energy.activity import Activity
from spikeport.toolchain.energy.pricing import Joules, dynamic
from spikeport.toolchain.simulation.census import Census, LayerCensus


@dataclass(frozen=True)
class HeldOut:
    """A measurement: dynamic energy of one inference on Loihi 1, and what was counted for it."""

    name: str
    measured_j: float
    source: str
    census: Census
    cores: tuple[int, ...]  # of each layer, as the authors placed it
    why: str


def census_energy(census: Census, profile: Profile, cores: tuple[int, ...] | None = None) -> Joules:
    """Dynamic energy per decision of a census without its network: one compartment per neuron, no
    hops.

    `cores` per layer multiply the messages that arrive; one each by default.
    """
    n = census.decisions
    spread = cores or (1,) * len(census.layers)
    fired = (census.spikes + census.idle_spikes) / n
    messages = (
        sum(count * layer.messages_in for count, layer in zip(spread, census.layers, strict=True))
        / n
    )
    return dynamic(
        Activity(
            (census.synops + census.idle_synops) / n,
            fired,
            census.neuron_updates / n - fired,
            messages,
        ),
        profile,
    )


def counted(
    decisions: int,
    timesteps: int,
    chip_steps: int,
    layers: tuple[tuple[int, int, int, int, int, int], ...],
) -> Census:
    """A census from totals per layer: neurons, inputs, synapses, messages in, synops, spikes."""
    found = (
        LayerCensus(
            neurons, inputs, synapses, messages, synops, spikes, neurons * chip_steps * decisions, 0
        )
        for neurons, inputs, synapses, messages, synops, spikes in layers
    )
    return Census(
        decisions,
        timesteps,
        chip_steps,
        tuple(found),
        0,
        sum(neurons * inputs for neurons, inputs, *_ in layers),
        0,
    )


NOT_COUNTED = (
    "not counted: the bias neurons' spikes, the resets that the embedded processors write between"
    " decisions, and those processors' own work, all of it inside the measurement"
)
POPSAN = HeldOut(
    "PopSAN, HalfCheetah, 17-256-256-6",
    11.98e-6,
    "Tang et al., CoRL 2020 (arXiv:2010.09635), power table: Loihi, dynamic, per inference",
    counted(
        1000,
        5,
        9,
        (
            (256, 170, 43520, 166_457, 42_612_992, 420_617),
            (256, 256, 65536, 420_617, 107_677_952, 651_309),
            (60, 256, 15360, 651_309, 39_078_540, 213_049),
        ),
    ),
    (2, 2, 2),
    NOT_COUNTED,
)
SDDPG = HeldOut(
    "SDDPG, navigation, 24-256-256-256-2",
    15.53e-6,
    "Tang, Kumar and Michmizos, IROS 2020 (arXiv:2003.01157): Loihi, T = 5, dynamic, per inference"
    " (secondary)",
    counted(
        200,
        5,
        9,
        (
            (256, 24, 6144, 11_928, 3_053_568, 126_763),
            (256, 256, 65536, 126_763, 32_451_328, 168_056),
            (256, 256, 65536, 168_056, 43_022_336, 138_473),
            (2, 256, 512, 138_473, 276_946, 1_079),
        ),
    ),
    (2, 2, 2, 1),
    NOT_COUNTED + "; inputs drawn uniformly instead of laser scans",
)
HELD_OUT = (POPSAN, SDDPG)
