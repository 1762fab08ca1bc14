"""Arithmetic and memory accesses of a textbook chip, for spiking and dense networks alike.

    E = operations + memory

spiking   per synop: one addition (a multiply-add where payloads are graded, a shift and an addition
          where they are powers of two), one addition for the address, the weight read, the sum read
          and written;
          per neuron and timestep: its state read and written, one addition; lif and leaky one
          multiplication per state that decays and one addition more per sum that their equations
          add to it (their traits);
          per payload: written to and read from a queue
dense     per multiply-add: multiply, add, address, weight read, activation read; each output
          written once
sparse    the cheaper of events as above and a dense walk that skips the multiply-add and the weight
delta     events as above with a stored sum and a stored last value per neuron

A weight and an activation have 8 bits, everything else 32. The energy of reading one 32-bit word
grows with the memory's size, linearly between the published sizes; beyond 1 MB it is DRAM's. low
keeps sums in registers for a whole timestep, high reads a whole word for every weight and
activation. Source: Horowitz, ISSCC 2014; Lemaire et al. 2022 (arXiv:2210.13107) as coded in
SpikingJelly 2.0.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeport.hardware_profiles import Profile
from spikeport.toolchain.energy.ann_work import AnnWork
from spikeport.toolchain.energy.chip import host_fields, per_decision
from spikeport.toolchain.energy.estimate_result import (
    DELTA,
    DENSE,
    SPARSE,
    SPIKING,
    Estimate,
    Grade,
)
from spikeport.toolchain.energy.pricing import Joules, total
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.neurons import neuron_of
from spikeport.toolchain.neurons.traits import ADDITION, MULTIPLY_ADD
from spikeport.toolchain.simulation.census import Census

SHARE = 8 / 32  # of a word that a weight or an activation takes
UNPRICED = (
    "latency, real time and static energy: a table of operations has no clock and no leakage",
)


def word_energy(profile: Profile, size: float) -> Joules:
    """Reading or writing one 32-bit word of a memory of `size` bytes, J."""
    if size > 2**20:
        return Joules(*profile.band("memory.dram"))
    points = [profile.band(f"memory.sram_{name}") for name in ("8k", "32k", "1m")]
    sizes = (0, 2**13, 2**15, 2**20)
    return Joules(
        *(
            float(np.interp(size, sizes, (0.0, *(point[end] for point in points))))
            for end in range(3)
        )
    )


def _times(
    energy: Joules, value: float, low: float | None = None, high: float | None = None
) -> Joules:
    """An energy as often as it is paid; low and high may be paid less or more often."""
    return Joules(
        energy.value * value,
        energy.low * (value if low is None else low),
        energy.high * (value if high is None else high),
    )


def _op(profile: Profile, *names: str) -> Joules:
    missing = [name for name in names if f"energy.{name}" not in profile]
    if missing:
        known = [
            key.removeprefix("energy.") for key in profile.numbers if key.startswith("energy.")
        ]
        raise InputError(
            profile.name,
            "no energy is known for this operation of a neuron",
            got=", ".join(missing),
            limit=", ".join(known),
            fix="name operations of the profile in the traits of the neuron",
        )
    return total(Joules(*profile.band(f"energy.{name}")) for name in names)


@dataclass(frozen=True, kw_only=True)
class EventLayer:
    """One layer that works on events, in counts per decision."""

    inputs: int
    outputs: int
    synops: float
    payloads: float
    timesteps: int
    state_words: int  # 32-bit words of a neuron's state
    operation: tuple[str, ...]  # what one synop takes
    update: tuple[str, ...] = ("add32",)  # what one neuron takes in one timestep
    weight_bytes: int = 1

    def terms(self, profile: Profile) -> dict[str, Joules]:
        """Energies by kind of work."""
        outputs = self.outputs
        synops = self.synops
        weights = word_energy(profile, self.weight_bytes * self.inputs * outputs)
        sums = word_energy(profile, 4 * outputs)
        states = word_energy(profile, 4 * outputs * self.state_words)
        queue = word_energy(profile, 4 * self.inputs)
        updates = outputs * self.timesteps
        return {
            "operations": (
                _times(_op(profile, *self.operation, "add32"), synops)
                + _times(_op(profile, *self.update), updates)
            ),
            "weights": _times(weights, self.weight_bytes * SHARE * synops, None, synops),
            "states": (
                _times(sums, 2 * synops, 0.0) + _times(states, 2 * updates * self.state_words)
            ),
            "messages": _times(queue, 2 * self.payloads),
        }


def walked_layer(
    profile: Profile, inputs: int, outputs: int, effective: float | None = None
) -> dict[str, Joules]:
    """Price one dense layer, output by output, per decision.

    Args:
        profile: The energies.
        inputs: Of the layer.
        outputs: Of the layer.
        effective: Multiply-adds that are done where zeros are skipped; all by default.
    """
    macs = float(inputs * outputs)
    done = macs if effective is None else effective
    weights = word_energy(profile, inputs * outputs)
    activations = word_energy(profile, inputs)
    return {
        "operations": (
            _times(_op(profile, "mul8", "add32"), done) + _times(_op(profile, "add32"), macs)
        ),
        "weights": _times(weights, SHARE * done, None, done),
        "states": (
            _times(activations, SHARE * macs, SHARE * inputs, macs)
            + _times(word_energy(profile, outputs), SHARE * outputs, None, outputs)
        ),
    }


def _sum(parts: list[dict[str, Joules]]) -> dict[str, Joules]:
    return {
        name: total(part[name] for part in parts if name in part)
        for name in dict.fromkeys(name for part in parts for name in part)
    }


def operation_of(network: Network, layer: int) -> tuple[str, ...]:
    """What one payload times one weight takes in `layer`: it depends on who sends."""
    if layer:
        return neuron_of(network, network.layers[layer - 1]).traits.synop
    return MULTIPLY_ADD if network.coding.graded else ADDITION


def spiking_terms(census: Census, network: Network, profile: Profile) -> dict[str, Joules]:
    """Price the spiking network per decision, by kind of work.

    Synops outside windows are spread over the layers as those inside are.

    Args:
        census: What was counted.
        network: Whose decisions these are.
        profile: The energies.
    """
    n = float(census.decisions)
    if census.idle_synops:
        n = census.decisions * (census.synops / (census.synops + census.idle_synops))
    parts = []
    for index, (layer, counts) in enumerate(zip(network.layers, census.layers, strict=True)):
        traits = neuron_of(network, layer).traits
        events = EventLayer(
            inputs=layer.inputs,
            outputs=layer.outputs,
            synops=counts.synops / n,
            payloads=counts.messages_in / n,
            timesteps=census.timesteps,
            state_words=traits.state_words,
            operation=operation_of(network, index),
            update=traits.update,
        )
        parts.append(events.terms(profile))
    return _sum(parts)


def ann_terms(work: AnnWork, profile: Profile, runs: str) -> dict[str, Joules] | None:
    """Price the source policy as an int8 network per decision.

    Args:
        work: What it does.
        profile: The energies.
        runs: DENSE, SPARSE or DELTA.

    Returns:
        Energies by kind of work; None where this work was not counted.
    """
    layers: list[dict[str, Joules]] = []
    for index, layer in enumerate(work.layers):
        if runs == DENSE:
            layers.append(walked_layer(profile, layer.inputs, layer.outputs))
            continue
        sparse = runs == SPARSE
        synops = layer.sparse if sparse else layer.delta
        payloads = layer.active if sparse else layer.changed
        if synops is None or payloads is None:
            return None
        last = index == len(work.layers) - 1
        events = EventLayer(
            inputs=layer.inputs,
            outputs=layer.outputs,
            synops=synops,
            payloads=payloads,
            timesteps=1,
            state_words=1 if sparse or last else 2,  # a change needs the last value too
            operation=("mul8", "add32"),
        ).terms(profile)
        if sparse:
            walked = walked_layer(profile, layer.inputs, layer.outputs, synops)
            events = min((events, walked), key=lambda parts: total(parts.values()).value)
        layers.append(events)
    return _sum(layers)


def textbook_estimate(
    census: Census, network: Network, profile: Profile, control_period_s: float | None
) -> Estimate:
    """Price the spiking network.

    Args:
        census: What was counted.
        network: Whose decisions these are.
        profile: The energies.
        control_period_s: Between decisions; None where it is not known.
    """
    terms = spiking_terms(census, network, profile)
    return _estimate(
        profile,
        SPIKING,
        terms,
        per_decision(census, network),
        control_period_s,
        **host_fields(census),
    )


def textbook_ann_estimates(
    work: AnnWork, profile: Profile, control_period_s: float | None
) -> list[Estimate]:
    """Price the source policy dense, with zeros skipped and as changes, where this was counted.

    Args:
        work: What it does.
        profile: The energies.
        control_period_s: Between decisions; None where it is not known.
    """
    counted = {DENSE: work.dense, SPARSE: work.sparse, DELTA: work.delta}
    found = ((runs, ann_terms(work, profile, runs)) for runs in counted)
    return [
        _estimate(profile, runs, terms, {"macs_per_decision": counted[runs]}, control_period_s)
        for runs, terms in found
        if terms is not None
    ]


def _estimate(
    profile: Profile,
    runs: str,
    terms: dict[str, Joules],
    census: dict[str, Any],
    period: float | None,
    **more: Any,
) -> Estimate:
    energy = total(terms.values())
    kind, read = profile.grade("energy", "memory")
    return Estimate(
        profile=profile.name,
        runs=runs,
        dynamic_j=energy.value,
        low_j=energy.low,
        high_j=energy.high,
        static_inference_j=None,
        static_period_j=None,
        latency_s=None,
        realtime=None,
        grade=kind,
        read=read,
        unpriced=(*UNPRICED, *profile.unpriced),
        census=census,
        grades={"dynamic_j": Grade(kind, read)},
        headline=profile.headline,
        control_period_s=period,
        terms_j={name: part.value for name, part in terms.items()},
        notes=profile.notes,
        **more,
    )
