"""The policy of a graph: its chain, and what the caller says about environment and action."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.environments.environment_record import environment_fix, flat_bounds
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.display_text import printable, shorten
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy, Provenance
from spikeport.toolchain.readers.facts.action_reader import (
    TOLERANCE,
    Bounds,
    environment_bounds,
    plain_action,
)
from spikeport.toolchain.readers.facts.observation_reader import read_observation
from spikeport.toolchain.readers.graphs.chain import Chain, unroll
from spikeport.toolchain.readers.graphs.machine import FIX, Machine
from spikeport.toolchain.readers.graphs.signal import (
    BATCH,
    UNSIZED,
    Observation,
    Signal,
    Unsupported,
    WidthNeeded,
    whole,
)
from spikeport.toolchain.readers.reading_options import LIMIT, ReadOptions, missing_fact

ACTION_NAMES = (
    "action",
    "actions",
    "deterministic_action",
    "deterministic_actions",
    "continuous_actions",
    "deterministic_continuous_actions",
    "mu",
    "mean",
    "action_mean",
    "mean_actions",
)


@dataclass(frozen=True)
class Input:
    """An input of a graph and its axes, None where the file does not say them.

    A leading axis of two or more is the batch.
    """

    name: str
    shape: tuple[int, ...] | None


def input_signals(inputs: tuple[Input, ...], widths: dict[str, int]) -> dict[str, Signal]:
    """Return the inputs as signals; together, in the file's order, they are the observation.

    `widths` holds what was learned about inputs without axes. Each stands alone until all are
    known.
    """
    shapes = {one.name: _shape(one, widths) for one in inputs}
    if any(shape is None for shape in shapes.values()):
        return {
            name: (
                whole(Observation(None, name), (BATCH, UNSIZED))
                if shape is None
                else whole(Observation(_size(shape), name), shape)
            )
            for name, shape in shapes.items()
        }
    total = sum(_size(shape) for shape in shapes.values() if shape is not None)
    everything = whole(Observation(total), (BATCH, total))
    signals = {}
    start = 0
    for name, shape in shapes.items():
        assert shape is not None
        signals[name] = everything.taken(np.arange(start, start + _size(shape)), shape)
        start += _size(shape)
    return signals


def _shape(one: Input, widths: dict[str, int]) -> tuple[int, ...] | None:
    if one.shape is not None:
        return one.shape
    if one.name in widths:
        return (BATCH, widths[one.name])
    return None


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod([size for size in shape if size != BATCH], dtype=np.int64))


def choose_output(
    names: list[str], options: ReadOptions, where: str, assumptions: list[str]
) -> int:
    """Return the number of the output that is the action.

    It is the only one, the one asked for, or the one with a known name.

    Args:
        names: Of the outputs.
        options: What the caller says.
        where: The file, for errors.
        assumptions: Gets a line where the name told.

    Raises:
        InputError: Where none or several could be it.
    """
    if options.action_output is not None:
        if names.count(options.action_output) != 1:
            got = f"--action-output {printable(options.action_output, 60)}"
            raise InputError(
                where, "no such output", got=got, limit=shorten(names), fix="name one of them"
            )
        return names.index(options.action_output)
    if len(names) == 1:
        return 0
    known = [place for place, name in enumerate(names) if name.lower() in ACTION_NAMES]
    if len(known) != 1:
        raise InputError(
            where,
            "which output is the deterministic action is not clear",
            got=f"outputs {shorten(names)}" if names else "no output",
            limit="one output, or one called actions",
            fix=("--action-output NAME", "export the deterministic action alone"),
        )
    assumptions.append(
        f"output {printable(names[known[0]], 60)} is the deterministic action, {shorten(names)} are"
        " there"
    )
    return known[0]


def finish(machine: Machine, action: object) -> Chain:
    """The chain behind the action's value; InputError with all that could not be read."""
    machine.finish()
    if not isinstance(action, Signal):
        raise InputError(
            machine.where,
            "the action does not depend on the observation",
            got="a constant",
            fix=FIX,
        )
    try:
        with np.errstate(all="ignore"):
            return unroll(action)
    except Unsupported as error:
        machine.problem(str(error))
    machine.finish()
    raise AssertionError


def learn(needed: WidthNeeded, widths: dict[str, int], where: str) -> None:
    """Note an input's width that the reading told.

    Args:
        needed: What an operation told.
        widths: By input; gets one more.
        where: The file, for errors.

    Raises:
        InputError: Where it is not a width or was told before.
    """
    if needed.name in widths or not 0 < needed.width <= 2**20:
        fix = "export the policy to ONNX with its input's shape"
        raise InputError(
            where,
            f"the width of input {printable(needed.name, 60)} is not clear",
            got=needed.width,
            fix=fix,
        )
    widths[needed.name] = needed.width


def build_policy(
    chain: Chain,
    content: FileContent,
    kind: str,
    family: str,
    options: ReadOptions,
    assumptions: list[str],
) -> Policy:
    """Return the policy of a chain.

    Args:
        chain: Layers, normaliser and action.
        content: The checkpoint.
        kind: The provenance's format.
        family: The provenance's family.
        options: What the caller says.
        assumptions: What was assumed so far.

    Raises:
        InputError: Where file, options and environment disagree.
    """
    where = content.name
    with np.errstate(over="ignore"):  # a Policy refuses what is not finite
        layers = tuple(
            DenseLayer(weight.astype(np.float32), bias.astype(np.float32), activation)
            for weight, bias, activation in chain.layers
        )
    hidden = {layer.activation for layer in layers[:-1]}
    if options.activation is not None and hidden and options.activation not in hidden:
        raise InputError(
            where,
            "--activation differs from what the file does",
            got=options.activation,
            limit=", ".join(sorted(hidden)),
            fix="leave --activation out",
        )
    observation, normalizer = _observation(chain, layers[0].inputs, content, options, assumptions)
    action = _action(chain, options, assumptions, where)
    provenance = Provenance(
        where,
        content.sha256,
        kind,
        family,
        tuple(assumptions),
        normalizer.name if normalizer else "",
        normalizer.sha256 if normalizer else "",
    )
    return Policy(layers, observation, action, provenance)


def _observation(
    chain: Chain, inputs: int, content: FileContent, options: ReadOptions, assumptions: list[str]
) -> tuple[ObservationContract, FileContent | None]:
    if chain.mean is None or chain.divisor is None:
        return read_observation(inputs, content, options, assumptions)
    if options.normalizer is not None and str(options.normalizer) != "none":
        raise InputError(
            content.name,
            "the file normalises its observations itself",
            got="--normalizer",
            limit="one normaliser",
            fix="leave --normalizer out",
        )
    contract, _ = read_observation(
        inputs, content, replace(options, normalizer="none"), assumptions
    )
    variance = chain.divisor**2
    if (
        not np.isfinite(chain.mean).all()
        or not np.isfinite(variance).all()
        or not (variance > 0).all()
    ):
        raise InputError(
            content.name,
            "the normaliser's mean or divisor is not usable",
            got=f"divisors from {chain.divisor.min():g} to {chain.divisor.max():g}",
            limit="finite numbers, divisors above 0",
            fix="export the policy with finite statistics",
        )
    return ObservationContract(contract.size, chain.mean, variance, 0.0, chain.clip), None


def _action(
    chain: Chain, options: ReadOptions, assumptions: list[str], where: str
) -> ActionContract:
    size = len(chain.scale)
    if chain.squash != "tanh" and chain.low is None:
        return _output_itself(size, options, assumptions, where)
    squash = "tanh" if chain.squash == "tanh" else "clip"
    if options.squash not in (None, squash):
        raise InputError(
            where,
            "--squash differs from what the file does",
            got=options.squash,
            limit=squash,
            fix="leave --squash out",
        )
    limit = None
    if options.action_limit is not None:
        limit = flat_bounds(options.action_limit, size, where, "--action-limit")
    if (
        squash == "tanh"
        and chain.low is None
        and (chain.scale == 1).all()
        and not chain.offset.any()
    ):
        return _unscaled(size, limit, options, assumptions, where)
    if chain.low is None or chain.high is None:
        low = chain.offset - chain.scale
        high = chain.offset + chain.scale
        carried = chain.scale
    else:
        low = chain.low
        high = chain.high
        carried = chain.scale if squash == "tanh" else np.maximum(high, -low)
    if limit is not None and not np.allclose(limit, carried, rtol=TOLERANCE):
        raise InputError(
            where,
            "--action-limit differs from the file's own",
            got=options.action_limit,
            limit=carried.tolist()[:6],
            fix="leave --action-limit out",
        )
    _check_reach(size, (low, high), options, assumptions, where)
    return ActionContract(size, chain.squash, chain.scale, chain.offset, chain.low, chain.high)


def _output_itself(
    size: int, options: ReadOptions, assumptions: list[str], where: str
) -> ActionContract:
    """Return the contract of a graph without a squash: its output as the options take it."""
    if options.squash is None:
        assumptions.append(
            "the graph's output is the action as it is; where the environment's bounds clip it,"
            " give --squash clip"
        )
    given = replace(options, squash=options.squash or "none")
    return plain_action(size, given, "", None, None, assumptions, where)


def _check_reach(
    size: int, ends: Bounds, options: ReadOptions, assumptions: list[str], where: str
) -> None:
    """Compare the ends of the file's actions with the environment's bounds."""
    low, high = ends
    bounds = environment_bounds(size, options.environment, where)
    if bounds is None:
        return
    slack = TOLERANCE * np.maximum(1.0, np.abs([low, high])).max()
    if (low < bounds[0] - slack).any() or (high > bounds[1] + slack).any():
        raise InputError(
            where,
            f"the file's actions reach beyond the bounds of {options.environment.label}",
            got=f"low {low.tolist()[:6]}, high {high.tolist()[:6]}",
            limit=f"low {bounds[0].tolist()[:6]}, high {bounds[1].tolist()[:6]}",
            fix=environment_fix((where,), options.environment),
        )
    if np.isfinite(bounds).all() and (
        (low > bounds[0] + slack).any() or (high < bounds[1] - slack).any()
    ):
        assumptions.append(
            f"the file's actions, {low.min():g} to {high.max():g}, do not reach the bounds of"
            f" {options.environment.label}"
        )


def _unscaled(
    size: int, limit: np.ndarray | None, options: ReadOptions, assumptions: list[str], where: str
) -> ActionContract:
    """Return the contract of a bare tanh.

    Exporters leave the scale to the environment's bounds to the code around the graph.
    """
    bounds = environment_bounds(size, options.environment, where)
    if (
        limit is None
        and bounds is not None
        and not np.allclose(bounds, [-np.ones(size), np.ones(size)], rtol=TOLERANCE)
    ):
        raise missing_fact(
            (LIMIT,),
            where,
            f"the file's tanh ends at -1 and 1, the bounds of {options.environment.label} are"
            " others",
            got="a tanh without scale",
            limit=f"low {bounds[0].tolist()[:6]}, high {bounds[1].tolist()[:6]}",
            why="many exports leave the scaling to the code around them",
            fix=(
                "--action-limit with the factor behind the tanh (1 where there is none)",
                "export the scaling, too",
            ),
        )
    if limit is None:
        limit = np.ones(size)
        if bounds is None:
            assumptions.append("the file's tanh is not scaled: actions lie within -1 and 1")
    return ActionContract(size, "tanh", limit, np.zeros(size))
