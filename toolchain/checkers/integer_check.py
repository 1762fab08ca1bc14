"""A backend's integers against the recorded ones: all are compared, the first difference named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.checkers.golden import Golden

Arrays = list[NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Integers:
    """What a backend computed in one case."""

    payloads: Arrays  # [decisions, T, neurons] per layer
    states: Arrays  # [decisions, T, neurons] per layer
    saturations: NDArray[Any]  # [decisions, layers], or their sum over decisions [layers]


def recorded_integers(case: Golden) -> Integers:
    """What Lava computed."""
    layers = range(len(case.artifact.network.layers))
    payloads, states = (
        [case.recorded[f"{kind}.{index}"] for index in layers] for kind in ("payloads", "states")
    )
    return Integers(payloads, states, case.recorded["saturations"])


@dataclass(frozen=True, eq=False)
class Pair:
    """The payloads or the states of one layer [decisions, T, neurons], recorded and found."""

    layer: int
    kind: str
    ours: NDArray[Any]
    theirs: NDArray[Any]


def differences(case: Golden, got: Integers) -> tuple[list[str], str]:
    """The problems, at most one, and what to say where there are none."""
    wanted = recorded_integers(case)
    if len(got.payloads) != len(wanted.payloads) or len(got.states) != len(wanted.states):
        return [
            f"{len(got.payloads)} layers of payloads and {len(got.states)} of states,"
            f" {len(wanted.payloads)} of each expected"
        ], ""
    pairs = [
        Pair(layer, kind, getattr(wanted, kind)[layer], getattr(got, kind)[layer])
        for layer in range(len(wanted.payloads))
        for kind in ("payloads", "states")
    ]
    saturations = wanted.saturations
    if got.saturations.ndim != 2:
        saturations = saturations.sum(axis=0)
    shapes = [
        f"{pair.kind} of layer {pair.layer} have shape {pair.theirs.shape},"
        f" {pair.ours.shape} expected"
        for pair in pairs
        if pair.ours.shape != pair.theirs.shape
    ]
    if got.saturations.shape != saturations.shape:
        shapes.append(
            f"saturations have shape {got.saturations.shape}, {saturations.shape} expected"
        )
    if shapes:
        return ["; ".join(shapes)], ""
    compared = sum(pair.ours.size for pair in pairs) + saturations.size
    wrong = sum(int(np.count_nonzero(pair.ours != pair.theirs)) for pair in pairs)
    saturated = int(np.count_nonzero(saturations != got.saturations))
    if not wrong + saturated:
        return [], f"{compared} integers equal"
    if wrong:
        first = _first_difference(case, pairs)
    else:
        first = _first_saturation(case, saturations, got.saturations)
    return [f"{first} ({wrong + saturated} of {compared} differ)"], ""


def _first_difference(case: Golden, pairs: list[Pair]) -> str:
    """The earliest difference in decision and timestep, there in the layer nearest to the input.

    What follows may be its consequence.
    """
    found = [
        (place[:2], pair.layer, pair.kind, place[2], pair)
        for pair in pairs
        for place in np.argwhere(pair.ours != pair.theirs).tolist()
    ]
    (decision, timestep), layer, kind, neuron, pair = min(found, key=lambda one: one[:4])
    ours = pair.ours[decision, timestep, neuron].item()
    theirs = pair.theirs[decision, timestep, neuron].item()
    return (
        f"{kind[:-1]} of {case.artifact.network.layers[layer].neuron}, layer {layer}, decision"
        f" {decision}, timestep {timestep}, neuron {neuron}: expected {ours}, got {theirs}"
    )


def _first_saturation(case: Golden, ours: NDArray[Any], theirs: NDArray[Any]) -> str:
    """The first difference of the saturations, [decisions, layers] or [layers]."""
    place = tuple(int(part) for part in np.argwhere(ours != theirs)[0])
    layer = place[-1]
    what = f"saturations of {case.artifact.network.layers[layer].neuron}, layer {layer}"
    if len(place) == 2:
        what += f", decision {place[0]}"
    return f"{what}: expected {ours[place].item()}, got {theirs[place].item()}"
