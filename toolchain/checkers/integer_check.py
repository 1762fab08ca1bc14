"""A backend's integers against the recorded ones.

All are compared, the first difference in time is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.checkers.golden import Golden

Arrays = list[NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Integers:
    """payloads and states [decisions, T, neurons] per layer, saturations [decisions, layers] (or
    their sum [layers]).
    """

    payloads: Arrays
    states: Arrays
    saturations: NDArray[Any]


def recorded_integers(case: Golden) -> Integers:
    """What Lava computed."""
    layers = range(len(case.artifact.network.layers))
    payloads, states = (
        [case.recorded[f"{kind}.{index}"] for index in layers] for kind in ("payloads", "states")
    )
    return Integers(payloads, states, case.recorded["saturations"])


def differences(case: Golden, got: Integers) -> tuple[list[str], str]:
    """The problems, at most one, and what to say where there are none."""
    wanted = recorded_integers(case)
    if len(got.payloads) != len(wanted.payloads) or len(got.states) != len(wanted.states):
        return [
            f"{len(got.payloads)} layers of payloads and {len(got.states)} of states,"
            f" {len(wanted.payloads)} of each expected"
        ], ""
    pairs = [
        (index, kind, getattr(wanted, kind)[index], getattr(got, kind)[index])
        for index in range(len(wanted.payloads))
        for kind in ("payloads", "states")
    ]
    if got.saturations.ndim == 2:
        saturations = wanted.saturations
    else:
        saturations = wanted.saturations.sum(axis=0)
    shapes = [
        f"{kind} of layer {index} have shape {theirs.shape}, {ours.shape} expected"
        for index, kind, ours, theirs in pairs
        if ours.shape != theirs.shape
    ]
    if got.saturations.shape != saturations.shape:
        shapes.append(
            f"saturations have shape {got.saturations.shape}, {saturations.shape} expected"
        )
    if shapes:
        return ["; ".join(shapes)], ""
    found = [
        (tuple(place), index, kind)
        for index, kind, ours, theirs in pairs
        for place in np.argwhere(ours != theirs).tolist()
    ]
    compared = sum(ours.size for _, _, ours, _ in pairs) + saturations.size
    wrong = len(found) + int(np.count_nonzero(saturations != got.saturations))
    if not wrong:
        return [], f"{compared} integers equal"
    if found:
        # the earliest decision and timestep, there the layer nearest to the input: what follows may
        # be its consequence
        (decision, timestep, neuron), index, kind = min(
            found, key=lambda one: (one[0][:2], one[1], one[2], one[0][2])
        )
        pair = next(
            (ours, theirs) for layer, name, ours, theirs in pairs if (layer, name) == (index, kind)
        )
        ours, theirs = (values[decision, timestep, neuron].item() for values in pair)
        kind_of = case.artifact.network.layers[index].neuron
        what = (
            f"{kind[:-1]} of {kind_of}, layer {index}, decision {decision}, timestep {timestep},"
            f" neuron {neuron}"
        )
    else:
        place = tuple(int(part) for part in np.argwhere(saturations != got.saturations)[0])
        ours = saturations[place].item()
        theirs = got.saturations[place].item()
        what = (
            f"saturations of {case.artifact.network.layers[place[-1]].neuron}, layer {place[-1]}"
            + (f", decision {place[0]}" if len(place) == 2 else "")
        )
    return [f"{what}: expected {ours}, got {theirs} ({wrong} of {compared} differ)"], ""
