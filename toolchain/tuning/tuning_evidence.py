"""What is known of a candidate: its closed-loop episodes so far.

They stand next to the source policy's on the same seeds.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.energy import estimate_energy
from spikeport.toolchain.simulation.census import Census, LayerCensus, combined
from spikeport.toolchain.simulation.return_statistics import return_ratio
from spikeport.toolchain.simulation.rollout import Rollout
from spikeport.toolchain.tuning.tuning_options import TuningOptions

Float = NDArray[np.float64]
LEAST_SHORTFALL = 0.01  # of a candidate whose mean return is right but which loses episodes


@dataclass(frozen=True)
class Batch:
    """Some episodes in a row.

    `moved` is the sum of |change of action| over `moves` changes; the source policy has no census.
    """

    returns: tuple[float, ...]
    moved: float
    moves: int
    census: Census | None

    @classmethod
    def of(cls, rollout: Rollout, census: Census | None) -> Batch:
        """The episodes of a rollout."""
        moves = max(rollout.decisions - len(rollout.returns), 0)
        return cls(tuple(rollout.returns.tolist()), rollout.chatter * moves, moves, census)

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Batch:
        """The inverse of dataclasses.asdict."""
        census = None
        if facts["census"]:
            layers = tuple(LayerCensus(**layer) for layer in facts["census"]["layers"])
            census = Census(**facts["census"] | {"layers": layers})
        return cls(tuple(facts["returns"]), facts["moved"], facts["moves"], census)


@dataclass(frozen=True)
class Episodes:
    """All episodes of one actor so far, in the order of their seeds."""

    batches: tuple[Batch, ...] = ()

    @property
    def returns(self) -> Float:
        """Returns [episodes]."""
        return np.array([value for batch in self.batches for value in batch.returns])

    @property
    def count(self) -> int:
        """Number of episodes."""
        return sum(len(batch.returns) for batch in self.batches)

    def __add__(self, more: list[Batch]) -> Episodes:
        return Episodes((*self.batches, *more))

    def chatter(self, count: int) -> float:
        """Mean |change of action| of the first `count` episodes, which end with a batch."""
        moved = 0.0
        moves = 0
        for batch in self.batches:
            if count <= 0:
                break
            count = count - len(batch.returns)
            moved = moved + batch.moved
            moves = moves + batch.moves
        return moved / max(moves, 1)

    def census(self) -> Census:
        """The work of all batches together."""
        return combined([batch.census for batch in self.batches if batch.census is not None])


@dataclass(frozen=True)
class Evidence:
    """Numbers of one candidate."""

    episodes: int
    ratio: float  # of the mean return to the source's
    chatter_ratio: float
    cost: float  # in the unit of the search
    synops_per_mac: float
    safe: bool  # it held with a margin on all rungs
    reason: str  # empty while it may go on
    failed: bool = False  # a gate has shut it out

    def shortfall(self, target: float, chatter: float) -> float:
        """How far from admissible it is, for an optimiser that knows constraints.

        0 where no gate objects.
        """
        if not self.failed:
            return 0.0
        missing = max(target - self.ratio, 0.0)
        return missing + max(self.chatter_ratio - chatter, 0.0) + LEAST_SHORTFALL


def gather(
    artifact: Artifact, spiking: Episodes, ann: Episodes, options: TuningOptions
) -> Evidence:
    """The evidence of the episodes that a candidate has run, neither safe nor out."""
    returns = spiking.returns
    count = spiking.count
    census = spiking.census()
    ratio = 0.0
    if np.isfinite(returns).all():
        ratio = float(return_ratio(returns, ann.returns[:count]) or 0.0)
    return Evidence(
        episodes=count,
        ratio=ratio,
        chatter_ratio=spiking.chatter(count) / max(ann.chatter(count), 1e-12),
        cost=price(census, artifact, options),
        synops_per_mac=census.synops_per_mac,
        safe=False,
        reason="",
    )


def not_convertible(problem: str) -> Evidence:
    """The evidence of a point that `convert` refuses."""
    return Evidence(0, 0.0, 0.0, np.inf, np.inf, False, f"not convertible: {problem}", True)


def as_json(evidence: Evidence) -> dict[str, Any]:
    """JSON has no infinity: None stands for it."""
    return {
        name: value if not isinstance(value, float) or np.isfinite(value) else None
        for name, value in dataclasses.asdict(evidence).items()
    }


def price(census: Census, artifact: Artifact, options: TuningOptions) -> float:
    """Synops, or dynamic joules on the chip, per decision."""
    if options.profile is None:
        return census.synops_per_decision
    return estimate_energy(census, artifact, (options.profile,))[0].dynamic_j
