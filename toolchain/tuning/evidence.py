"""What is known of a candidate: its closed-loop episodes so far, next to the source policy's on the same seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolchain.artifact import Artifact
from toolchain.energy import estimate_energy
from toolchain.simulation.census import Census
from toolchain.simulation.fast import FastBackend
from toolchain.simulation.rollout import Actor, roll_out
from toolchain.simulation.statistics import return_ratio
from toolchain.tuning.options import TuningOptions

Float = NDArray[np.float64]
MAX_ROWS = 128


class Episodes:
    """Episodes of one actor, a few at a time, in seed order."""

    def __init__(self, actor: Actor, make_env: Callable[[], Any], seeds: Sequence[int]) -> None:
        self.actor, self.make_env, self.seeds = actor, make_env, seeds
        self.returns: Float = np.zeros(0)
        self._moved, self._moves = [0.0], [0]  # cumulative, by episode

    def extend(self, count: int) -> None:
        """Run until `count` episodes are there."""
        new = self.seeds[len(self.returns) : count]
        if not len(new):
            return
        rollout = roll_out(self.actor, lambda index: self.make_env(), new)
        moves = max(rollout.decisions - len(new), 0)
        self.returns = np.concatenate([self.returns, rollout.returns])
        self._moved += [self._moved[-1] + rollout.chatter * moves] * len(new)
        self._moves += [self._moves[-1] + moves] * len(new)

    def chatter(self, count: int) -> float:
        """Mean |change of action| of the first `count` episodes; `count` must be one that `extend` was called with."""
        return self._moved[count] / max(self._moves[count], 1)


@dataclass(frozen=True)
class Evidence:
    """Numbers of one candidate. `cost` is in the unit of the search; `safe` says that it held with a margin on all rungs."""

    episodes: int
    ratio: float
    chatter_ratio: float
    cost: float
    synops_per_mac: float
    safe: bool
    reason: str

    def shortfall(self, target: float, chatter: float) -> float:
        """How far from admissible; 0 where it is, for an optimiser that knows constraints."""
        return 0.0 if self.safe else max(target - self.ratio, 0.0) + max(self.chatter_ratio - chatter, 0.0)


def gather(artifact: Artifact, spiking: Episodes, ann: Episodes, options: TuningOptions, safe: bool, reason: str) -> Evidence:
    """The evidence of the episodes that a candidate has run on the fast backend."""
    assert isinstance(spiking.actor, FastBackend)
    count, census = len(spiking.returns), spiking.actor.census()
    chatter = ann.chatter(count)
    return Evidence(
        count,
        float(return_ratio(spiking.returns, ann.returns[:count]) or 0.0) if np.isfinite(spiking.returns).all() else 0.0,
        spiking.chatter(count) / max(chatter, 1e-12),
        price(census, artifact, options),
        census.synops_per_mac,
        safe,
        reason,
    )


def price(census: Census, artifact: Artifact, options: TuningOptions) -> float:
    """Synops, or dynamic joules on the chip, per decision."""
    if options.profile is None:
        return census.synops_per_decision
    return estimate_energy(census, artifact, (options.profile,))[0].dynamic_j
