"""One point of the search space: a conversion, as the optimiser and as `convert` know it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.neurons import BY_NAME, SHORT_NAMES

ERRORS = (0.01, 1.0)
THRIFTS = (1e-3, 100.0)
SHARES = (1 / 16, 16.0)
TRIGGERS = (1, 8)
# action errors of plain sdn; the finest are for policies that forgive little
PLAIN = (0.1, 0.05, 0.2, 0.025, 0.0125)
# rule, action error, trigger, thrift: along the directions that saved most, what saved most first
THRIFTY = (
    *(
        ("sensitivity", error, trigger, thrift)
        for thrift in (1.0, 0.3, 0.1, 3.0)
        for error, trigger in ((0.05, 1), (0.1, 1), (0.1, 3))
    ),
    *(
        ("sensitivity", error, trigger, thrift)
        for thrift in (0.3, 1.0)
        for error, trigger in ((0.05, 3), (0.2, 2))
    ),
    *(("events", 0.1, 3, thrift) for thrift in (0.3, 0.1)),
    *(("sensitivity", error, trigger, 0.03) for error, trigger in ((0.05, 1), (0.1, 3))),
    ("sensitivity", 0.05, 1, 0.01),
)
ALPHAS = tuple(eighth / 8 for eighth in range(9))


@dataclass(frozen=True)
class Point:
    """Fields of ConversionOptions; () and None leave them at their defaults."""

    neuron: str = "sdn"
    weight_bits: int = 8
    timesteps: int | None = None
    alpha: float | None = None
    action_error: float | None = None
    allocation: str = "sensitivity"
    thrift: float = 0.0
    error_shares: tuple[float, ...] = ()
    triggers: tuple[int, ...] = ()

    def options(self, keep_source: bool = True) -> ConversionOptions:
        """The options of `convert` that make it."""
        return ConversionOptions(**dataclasses.asdict(self), keep_source=keep_source)

    def facts(self) -> dict[str, Any]:
        """What differs from the defaults, for JSON."""
        found = {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if value != getattr(Point(), name) or name in ("neuron", "weight_bits")
        }
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in found.items()
        }

    def __str__(self) -> str:
        """The options of `convert` that make it."""
        words = []
        for name, value in self.facts().items():
            listed = value if isinstance(value, list) else [value]
            texts = (f"{item:.4g}" if isinstance(item, float) else str(item) for item in listed)
            words.append(f"--{name.replace('_', '-')} {','.join(texts)}")
        return " ".join(words)

    def parameters(self) -> dict[str, Any]:
        """The optimiser's view; the inverse of `suggest`.

        Every neuron, and every rule of sdn, has names of its own.
        """
        if self.neuron != "sdn":
            found: dict[str, Any] = {"timesteps": self.timesteps, "alpha": self.alpha}
        else:
            found = {"allocation": self.allocation, "action_error": self.action_error}
            found |= {f"trigger_{index}": trigger for index, trigger in enumerate(self.triggers)}
            found |= {"thrifty": self.thrift > 0, "split": bool(self.error_shares)} | (
                {"thrift": self.thrift} if self.thrift else {}
            )
            found |= {f"share_{index}": share for index, share in enumerate(self.error_shares)}
        return {
            f"{self.neuron}_{name}": value
            for name, value in (found | {"weight_bits": self.weight_bits}).items()
        }


def suggest(trial: Any, neuron: str, weight_bits: tuple[int, ...], hidden: int) -> Point:
    """Ask an Optuna trial for a point.

    Args:
        trial: Optuna's.
        neuron: Short name of the point's neurons.
        weight_bits: Widths to choose from.
        hidden: Number of hidden layers.

    Returns:
        The point.
    """
    bits = trial.suggest_categorical(f"{neuron}_weight_bits", weight_bits)
    if neuron != "sdn":
        steps = trial.suggest_categorical(
            f"{neuron}_timesteps", BY_NAME[neuron].traits.tried_timesteps
        )
        alpha = trial.suggest_categorical(f"{neuron}_alpha", ALPHAS)
        return Point(neuron, bits, timesteps=steps, alpha=alpha)
    allocation = trial.suggest_categorical("sdn_allocation", ("events", "sensitivity"))
    error = trial.suggest_float("sdn_action_error", *ERRORS, log=True)
    triggers = tuple(
        trial.suggest_int(f"sdn_trigger_{index}", *TRIGGERS, log=True) for index in range(hidden)
    )
    thrift = 0.0
    if trial.suggest_categorical("sdn_thrifty", (True, False)):
        thrift = trial.suggest_float("sdn_thrift", *THRIFTS, log=True)
    split = trial.suggest_categorical("sdn_split", (False, True))
    shares = tuple(
        trial.suggest_float(f"sdn_share_{index}", *SHARES, log=True)
        for index in range(hidden + 1 if split else 0)
    )
    return Point(
        neuron,
        bits,
        action_error=error,
        allocation=allocation,
        thrift=thrift,
        error_shares=shares,
        triggers=triggers,
    )


def first_points(
    neurons: tuple[str, ...], weight_bits: tuple[int, ...], hidden: int
) -> list[Point]:
    """Where a search begins.

    It is the plain conversion, thrifty sdn, then finer and coarser plain ones and the other
    neurons' defaults.
    """
    most = max(weight_bits)
    points = list[Point]()
    plain = [Point(weight_bits=most, action_error=error, triggers=(1,) * hidden) for error in PLAIN]
    if "sdn" in neurons:
        points += plain[:1]
        for rule, error, trigger, thrift in THRIFTY:
            points.append(
                Point(
                    weight_bits=most,
                    action_error=error,
                    allocation=rule,
                    thrift=thrift,
                    triggers=(trigger,) * hidden,
                )
            )
        points += plain[1:]
    others = [name for name in reversed(SHORT_NAMES) if name in neurons and name != "sdn"]
    for name in others:  # dc first: it needs fewest timesteps
        traits = BY_NAME[name].traits
        points.append(Point(name, most, timesteps=traits.timesteps, alpha=traits.alpha))
    return points


def no_thriftier(point: Point, other: Point) -> bool:
    """Whether an sdn point differs from another only in fields that make it finer and dearer."""
    if point.neuron != "sdn" or dataclasses.replace(
        point, action_error=None, thrift=0.0, triggers=()
    ) != dataclasses.replace(other, action_error=None, thrift=0.0, triggers=()):
        return False
    triggers = all(mine <= its for mine, its in zip(point.triggers, other.triggers, strict=True))
    return (
        triggers
        and point.thrift <= other.thrift
        and (point.action_error or 0.1) <= (other.action_error or 0.1)
    )


def neighbours(point: Point, step: float, weight_bits: tuple[int, ...]) -> Iterator[Point]:
    """Points one move away that may be cheaper; `step` scales the moves of continuous fields.

    First one field alone in its cheaper direction, then two against each other.
    """
    change = dataclasses.replace
    if point.neuron != "sdn":
        steps = BY_NAME[point.neuron].traits.tried_timesteps
        alphas = ALPHAS
        here = steps.index(point.timesteps or steps[0])
        share = alphas.index(point.alpha or 0.0)
        yield from (change(point, timesteps=steps[index]) for index in (here - 1,) if index >= 0)
        yield from (
            change(point, alpha=alphas[index])
            for index in (share + 1, share - 1)
            if 0 <= index < len(alphas)
        )
        return
    if not point.thrift:
        yield from (change(point, thrift=thrift) for thrift in (0.3, 0.1, 0.03))
    coarser, finer = (
        _within((point.action_error or ERRORS[0]) * 1.4 ** (sign * step), ERRORS)
        for sign in (1, -1)
    )
    thriftier, richer = (
        _within(point.thrift * 2.0 ** (sign * step), THRIFTS) if point.thrift else 0.0
        for sign in (1, -1)
    )
    higher = [
        tuple(m + (i == index) for i, m in enumerate(point.triggers))
        for index, old in enumerate(point.triggers)
        if old < TRIGGERS[1]
    ]
    yield change(point, thrift=thriftier)
    yield change(point, action_error=coarser)
    yield from (change(point, triggers=triggers) for triggers in higher)
    for index, share in enumerate(point.error_shares):
        for factor in (2.0**step, 0.5**step):
            yield change(
                point,
                error_shares=(
                    *point.error_shares[:index],
                    _within(share * factor, SHARES),
                    *point.error_shares[index + 1 :],
                ),
            )
    yield change(point, thrift=thriftier, action_error=finer)
    yield change(point, thrift=richer, action_error=coarser)
    for triggers in higher:
        yield change(point, triggers=triggers, action_error=finer)
        yield change(point, triggers=triggers, thrift=richer)
    if point.allocation == "sensitivity":
        yield change(point, allocation="events")
    yield from (
        change(point, weight_bits=bits) for bits in weight_bits if bits != point.weight_bits
    )


def _within(value: float, limits: tuple[float, float]) -> float:
    return min(max(value, limits[0]), limits[1])
