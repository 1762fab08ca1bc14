"""From network outputs to actions: which squash, which scale, which bounds, and who says so."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ActionContract
from spikeport.toolchain.environments.environment_record import (
    EnvironmentFacts,
    environment_fix,
    flat_bounds,
)
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.reading_options import BOUNDS, LIMIT, ReadOptions, missing_fact

Float = NDArray[np.float64]
Bounds = tuple[Float, Float]
TOLERANCE = 1e-6  # recorded bounds are decimal text with eight digits
ASK_BOUNDS = ("--env ID", "--action-low and --action-high")
ASK_LIMIT = "--action-limit with the factor behind the policy's tanh"


def plain_action(
    size: int,
    options: ReadOptions,
    reference: str,
    scale: Float | None,
    bias: Float | None,
    assumptions: list[str],
    where: str,
) -> ActionContract:
    """Return the action contract of a state dict.

    Args:
        size: Outputs of the network.
        options: What the caller says.
        reference: The family's code, which multiplies a tanh by the environment's bound; empty
            where nothing may be assumed.
        scale: [size] or [1], the file's own action_scale.
        bias: [size] or [1], the file's own action_bias.
        assumptions: Gets a line for each fact that is assumed.
        where: The file, for errors.

    Raises:
        InputError: Where a fact is missing or the file and the options disagree.
    """
    squash = options.squash
    if squash == "argmax":
        return discrete_action(size, options, where)
    if squash is None:
        squash = "tanh"
        assumptions.append(f"assumed by family: squash tanh ({reference})")
    if squash != "tanh" and (scale is not None or bias is not None):
        raise InputError(
            where,
            "the file scales a tanh by its action_scale",
            got=f"--squash {squash}",
            limit="tanh",
            fix="leave --squash out",
        )
    if squash == "none":
        if options.action_limit is not None:
            raise InputError(
                where,
                "an action limit needs a squash",
                got="--squash none with --action-limit",
                fix=("--squash tanh", "--squash clip"),
            )
        environment_bounds(size, options.environment, where)
        return ActionContract(size, "none", np.ones(size), np.zeros(size))
    if squash == "clip":
        return _clipped(size, options, where)
    if scale is not None or bias is not None:
        return _carried(size, options, scale, bias, where)
    return _scaled_tanh(size, options, reference, assumptions, where)


def bounded_action(
    size: int, squash: str, bounds: Bounds, mean_limit: float | None = None
) -> ActionContract:
    """Return the contract of Stable-Baselines3: tanh unscaled to the bounds, or the output clipped.

    Args:
        size: Action channels.
        squash: `tanh` or anything else, which is clipped.
        bounds: (low, high), [size] each.
        mean_limit: Clips the output before tanh, as gSDE does; tanh is monotonic, so clipping after
            it gives the same action, and that is how the contract says it.
    """
    low, high = bounds
    if squash != "tanh":
        return ActionContract(size, "none", np.ones(size), np.zeros(size), low, high)
    scale = (high - low) / 2.0
    offset = (high + low) / 2.0
    if mean_limit is None:
        return ActionContract(size, "tanh", scale, offset)
    reach = np.tanh(mean_limit) * scale
    return ActionContract(size, "tanh", scale, offset, offset - reach, offset + reach)


def discrete_action(
    size: int, options: ReadOptions, where: str, hints: tuple[str, ...] = ()
) -> ActionContract:
    """Return the contract of the number of the largest output.

    Args:
        size: Outputs, one per choice.
        options: What the caller says.
        where: The file, for errors.
        hints: Texts that may name the environment, for errors.

    Raises:
        InputError: Where the environment or an option says otherwise.
    """
    environment = options.environment
    if options.action_limit is not None:
        raise InputError(
            where,
            "a discrete action has no limit",
            got=f"--action-limit {options.action_limit}",
            fix="leave --action-limit out",
        )
    if environment.bounds is not None or environment.choices not in (None, size):
        if environment.bounds is None:
            theirs = f"{environment.choices} choices"
        else:
            theirs = f"{environment.bounds[0].size} continuous action channels"
        raise InputError(
            where,
            "the policy's choices do not fit the environment",
            got=f"{size} choices",
            limit=f"{theirs} of {environment.label}",
            fix=(
                environment_fix((*hints, where), environment)
                if environment.id
                else "leave --action-low and --action-high out"
            ),
        )
    return ActionContract(size, "argmax", np.ones(size), np.zeros(size))


def environment_bounds(
    size: int, environment: EnvironmentFacts, where: str, hints: tuple[str, ...] = ()
) -> Bounds | None:
    """Return the environment's (low, high), [size] each; None where it has none.

    Args:
        size: The policy's action channels.
        environment: What is known of it.
        where: The file, for errors.
        hints: Texts that may name the environment, for errors.

    Raises:
        InputError: Where its action is discrete or has another size.
    """
    bounds = environment.bounds
    if environment.choices is not None:
        raise InputError(
            where,
            "the policy's actions do not fit the environment",
            got=f"{size} continuous outputs",
            limit=f"one of {environment.choices} choices of {environment.label}",
            fix=(
                environment_fix((*hints, where), environment),
                "--squash argmax, if the outputs are logits or values",
            ),
        )
    if bounds is None:
        return None
    if bounds[0].size == 1 and not environment.id:  # a user's one number serves every channel
        return np.repeat(bounds[0], size), np.repeat(bounds[1], size)
    if bounds[0].shape != (size,):
        raise InputError(
            where,
            "the policy's actions do not fit the environment",
            got=f"{size} outputs",
            limit=f"{bounds[0].size} action channels of {environment.label}",
            fix=environment_fix((*hints, where), environment),
        )
    return bounds


def agreed_bounds(
    size: int,
    recorded: Bounds | None,
    environment: EnvironmentFacts,
    where: str,
    hints: tuple[str, ...],
) -> Bounds:
    """Return the bounds that checkpoint and environment agree on, [size] each.

    Args:
        size: The policy's action channels.
        recorded: (low, high) of the checkpoint.
        environment: What is known of it.
        where: The file, for errors.
        hints: Texts that may name the environment, for errors.

    Raises:
        InputError: Where they differ or neither gives any.
    """
    given = environment_bounds(size, environment, where, hints)
    if recorded is None and given is None:
        raise missing_fact(
            (BOUNDS,), where, "the action bounds are not readable in the checkpoint", fix=ASK_BOUNDS
        )
    if recorded is not None and given is not None:
        for name, ours, theirs in zip(("low", "high"), recorded, given, strict=True):
            if not np.allclose(ours, theirs, rtol=TOLERANCE, atol=1e-7):
                raise InputError(
                    where,
                    f"the checkpoint and {environment.label} give different action bounds",
                    got=f"{name} {_short(ours)} recorded in the checkpoint",
                    limit=f"{name} {_short(theirs)}",
                    fix=environment_fix((*hints, where), environment),
                )
    low, high = given or recorded  # type: ignore[misc]  # one of them is not None
    return _usable((low, high), where)


def limited_bounds(
    size: int,
    recorded: Bounds | None,
    options: ReadOptions,
    where: str,
    hints: tuple[str, ...] = (),
) -> Bounds:
    """Return `agreed_bounds`, compared with --action-limit too.

    Args:
        size: The policy's action channels.
        recorded: (low, high) of the checkpoint.
        options: What the caller says.
        where: The file, for errors.
        hints: Texts that may name the environment, for errors.

    Raises:
        InputError: As `agreed_bounds`, and where --action-limit differs from the bounds.
    """
    low, high = agreed_bounds(size, recorded, options.environment, where, hints)
    if options.action_limit is not None:
        limit = flat_bounds(options.action_limit, size, where, "--action-limit")
        if not (np.allclose(high, limit) and np.allclose(low, -limit)):
            raise InputError(
                where,
                "--action-limit differs from the action bounds",
                got=options.action_limit,
                limit=f"low {low.tolist()[:6]}, high {high.tolist()[:6]}",
                fix="leave --action-limit out",
            )
    return low, high


def _usable(bounds: Bounds, where: str) -> Bounds:
    low, high = bounds
    if not (np.isfinite([low, high]).all() and (low < high).all()):
        raise InputError(
            where,
            "the action bounds are not usable",
            got=f"low {_short(low)}, high {_short(high)}",
            limit="finite, low < high",
            fix=ASK_BOUNDS,
        )
    return bounds


def _clipped(size: int, options: ReadOptions, where: str) -> ActionContract:
    bounds = environment_bounds(size, options.environment, where)
    if options.action_limit is not None:
        limit = flat_bounds(options.action_limit, size, where, "--action-limit")
        bounds = (-limit, limit)
    if bounds is None:
        if options.squash == "clip":
            got = "--squash clip alone"
        else:
            got = "none"
        raise missing_fact(
            (BOUNDS,),
            where,
            "a clipped action needs its bounds",
            got=got,
            fix=(*ASK_BOUNDS, "--action-limit"),
        )
    return bounded_action(size, "clip", _usable(bounds, where))


def _carried(
    size: int, options: ReadOptions, scale: Float | None, bias: Float | None, where: str
) -> ActionContract:
    """Return the contract of tanh(y) * action_scale + action_bias, both buffers of the file."""
    scale = _every_channel(scale, size)
    bias = _every_channel(bias, size)
    if (
        scale.shape != (size,)
        or bias.shape != (size,)
        or not np.isfinite([scale, bias]).all()
        or (scale <= 0).any()
    ):
        raise InputError(
            where,
            "action_scale and action_bias do not fit the action",
            got=f"{_short(scale)} and {_short(bias)}",
            limit=f"{size} finite values, the scale positive",
            fix="save the actor with its buffers",
        )
    if options.action_limit is not None and not np.allclose(
        flat_bounds(options.action_limit, size, where, "--action-limit"), scale, rtol=TOLERANCE
    ):
        raise InputError(
            where,
            "--action-limit differs from the file's action_scale",
            got=options.action_limit,
            limit=_short(scale),
            fix="leave --action-limit out",
        )
    agreed_bounds(size, (bias - scale, bias + scale), options.environment, where, ())
    return ActionContract(size, "tanh", scale, bias)


def _every_channel(values: Float | None, size: int) -> Float:
    """Return [size] values; those of another size as they are, which is refused afterwards."""
    if values is None:
        return np.zeros(size)
    if values.size not in (1, size):
        return values
    return np.broadcast_to(values, (size,)).copy()


def _scaled_tanh(
    size: int, options: ReadOptions, reference: str, assumptions: list[str], where: str
) -> ActionContract:
    """Return the contract of tanh(y) * limit.

    The limit comes from the options, else it is the one bound that all channels share.
    """
    bounds = environment_bounds(size, options.environment, where)
    if options.action_limit is not None:
        limit = flat_bounds(options.action_limit, size, where, "--action-limit")
        if bounds is not None and (
            (limit > bounds[1] + TOLERANCE).any() or (-limit < bounds[0] - TOLERANCE).any()
        ):
            assumptions.append(
                f"the action limit {_short(limit)} exceeds the bounds of"
                f" {options.environment.label}; actions are not clipped, as the option says"
            )
        return ActionContract(size, "tanh", limit, np.zeros(size))
    if bounds is None:
        raise missing_fact(
            (LIMIT,),
            where,
            "a state_dict does not carry the action limit",
            got="no action bounds",
            why="the actor multiplies its tanh by it",
            fix=(*ASK_BOUNDS, "--action-limit"),
        )
    low, high = bounds
    if not np.isfinite(high).all() or (low != -high).any() or (high != high[0]).any():
        raise missing_fact(
            (LIMIT,),
            where,
            "the action limit does not follow from the bounds",
            got=f"low {_short(low)}, high {_short(high)}",
            limit="one bound for all channels, low = -high",
            why="the actor multiplies its tanh by one number",
            fix=ASK_LIMIT,
        )
    assumptions.append(
        f"assumed by family: action limit {high[0]:g}, the environment's bound ({reference})"
        if reference
        else f"action limit {high[0]:g}, the environment's bound"
    )
    return ActionContract(size, "tanh", high.copy(), np.zeros(size))


def _short(values: Float) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:6])
    return f"[{shown}{', ...' if values.size > 6 else ''}]"
