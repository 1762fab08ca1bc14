"""Everything that touches Gymnasium: find an environment, read its facts, make it without noise.

`module:Id` imports code, so it is accepted from the command line only; an id that a file carries
must be registered already and must not have a colon (contract section 6).
"""

from __future__ import annotations

import functools
import importlib.metadata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from spikeport.toolchain.contracts import ActionContract
from spikeport.toolchain.environments.environment_record import EnvironmentFacts, EnvironmentRecord
from spikeport.toolchain.errors import InputError, did_you_mean


@contextmanager
def silent() -> Iterator[None]:
    """Silence Gymnasium's deprecation notes on -v4 environments and MuJoCo's on its own models.

    MuJoCo would print its notes and append them to MUJOCO_LOG.TXT in the working directory.
    """
    _silence_mujoco()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Keep everything silent, on one BLAS thread.

    The products of a policy are so small that a second thread costs more than it brings. Finding
    the libraries takes milliseconds; code that only makes an environment is better off with
    `silent`.
    """
    with silent(), threadpool_limits(1, user_api="blas"):
        yield


@functools.cache
def _silence_mujoco() -> None:
    try:
        import mujoco
    except ImportError:
        return
    config = getattr(mujoco, "MjLogConfig").get()  # noqa: B009 - compiled, unknown to type checkers
    config.logto_console = config.logto_file = False
    config.set()


def _registered() -> list[str]:
    """Return the ids that can be made.

    Gymnasium keeps those of its old MuJoCo environments, only to refuse them.
    """
    import gymnasium

    return [known for known in gymnasium.registry if not _successors(known)]


def make(
    identifier: str,
    *,
    trusted: bool,
    kwargs: dict[str, Any] | None = None,
    render_mode: str | None = None,
) -> Any:
    """Make an environment.

    Args:
        identifier: A Gymnasium id.
        trusted: Whether a user typed it, so that `module:Id` may import code.
        kwargs: For the environment.
        render_mode: For the environment.

    Raises:
        InputError: For an unknown id (with a suggestion), for a colon in an id that is not trusted,
            and when the environment cannot be built or is not Box in and Box or Discrete (counted
            from 0) out.
    """
    import gymnasium

    if ":" in identifier and not trusted:
        raise InputError(
            "environment",
            "an id from a file may not import code",
            got=identifier,
            limit="an id without a colon",
            fix=f"--env {identifier} on the command line, if you trust that module",
        )
    if ":" not in identifier and identifier not in gymnasium.registry:
        raise _unknown(identifier, trusted)
    options = dict(kwargs or {})
    if render_mode:
        options["render_mode"] = render_mode
    with silent():
        try:
            env = gymnasium.make(identifier, **options)
        # a user's module and an environment's constructor raise whatever they like
        except Exception as error:
            fix = _successors(identifier) or (
                "check the id and its keyword arguments",
                "install what the environment needs",
            )
            raise InputError(
                f"environment {identifier}",
                f"cannot be made: {type(error).__name__} {str(error).rstrip('.')}",
                fix=fix,
            ) from None
    _check_spaces(env, identifier)
    return env


def _check_spaces(env: Any, identifier: str) -> None:
    import gymnasium

    box = gymnasium.spaces.Box
    discrete = gymnasium.spaces.Discrete
    for name, space, known, limit in (
        ("observation", env.observation_space, (box,), "Box"),
        ("action", env.action_space, (box, discrete), "Box or Discrete counted from 0"),
    ):
        if not isinstance(space, known) or (isinstance(space, discrete) and space.start != 0):
            raise InputError(
                f"environment {identifier}",
                f"its {name} space is not supported",
                got=space if isinstance(space, discrete) else type(space).__name__,
                limit=limit,
                fix=(
                    "use an environment with flat continuous observations, and continuous actions"
                    " or one choice of n"
                ),
            )


def typed_action(action: np.ndarray, space: Any) -> Any:
    """Return an action [channels] as the environment's `step` takes it.

    It is an array of the space's shape, or a NumPy integer.
    """
    return action.astype(space.dtype).reshape(space.shape)[()]


def _unknown(identifier: str, trusted: bool) -> InputError:
    hint = (
        _successors(identifier)
        or did_you_mean(identifier, _registered())
        or "list them with `python -c 'import gymnasium; gymnasium.pprint_registry()'`"
    )
    if trusted:
        module = ()
    else:
        module = (f"--env MODULE:{identifier} with the module that registers it",)
    return InputError(
        "environment",
        "unknown environment",
        got=identifier,
        limit="a registered id",
        fix=(hint, *module),
    )


def _successors(identifier: str) -> str:
    """Return what replaces a -v2 or -v3 id of MuJoCo, which Gymnasium gave up; empty for others."""
    import gymnasium

    name, _, version = identifier.partition("-v")
    found = [
        f"{name}-v{number}"
        for number in (4, 5)
        if version in ("2", "3") and f"{name}-v{number}" in gymnasium.registry
    ]
    if found:
        return (
            f"--env {' or --env '.join(found)} (the -v{version} environments are gone; take the one"
            " whose shapes fit)"
        )
    return ""


def facts(env: Any, identifier: str) -> EnvironmentFacts:
    """Sizes and bounds that a reader needs."""
    return EnvironmentFacts(
        id=identifier,
        observation_size=int(np.prod(env.observation_space.shape)),
        max_episode_steps=env.spec.max_episode_steps if env.spec is not None else None,
        **_action_facts(env.action_space),
    )


def _action_facts(space: Any) -> dict[str, Any]:
    import gymnasium

    if isinstance(space, gymnasium.spaces.Discrete):
        return {"choices": int(space.n)}
    return {
        "action_low": np.asarray(space.low, np.float64).ravel(),
        "action_high": np.asarray(space.high, np.float64).ravel(),
    }


def check_fit(
    found: EnvironmentFacts,
    observation_size: int,
    action: ActionContract,
    fix: str = "use the environment that the policy was trained in",
) -> None:
    """Raise InputError where an environment's channels are not those of a policy.

    Args:
        found: The environment.
        observation_size: The policy's channels.
        action: The policy's action.
        fix: What to do.
    """
    problems = []
    if found.observation_size != observation_size:
        problems.append(
            f"{found.observation_size} observation channels for a policy of {observation_size}"
        )
    mine = f"{action.size} {'choices' if action.discrete else 'action channels'}"
    theirs = ""
    if found.choices is not None:
        theirs = f"{found.choices} choices"
    elif found.action_low is not None:
        theirs = f"{len(found.action_low)} action channels"
    if theirs and theirs != mine:
        problems.append(
            f"{theirs} for a policy of"
            f" {mine if mine.split()[1] != theirs.split()[1] else action.size}"
        )
    if problems:
        raise InputError(
            f"environment {found.id}", "does not fit the policy: " + "; ".join(problems), fix=fix
        )


def control_period(env: Any) -> float | None:
    """Seconds between decisions: MuJoCo's `dt`, else the frame rate it renders at, else None."""
    period = getattr(env.unwrapped, "dt", None)
    if isinstance(period, int | float) and period > 0:
        return float(period)
    rate = (env.metadata or {}).get("render_fps")
    if rate:
        return 1.0 / rate
    return None


def record(env: Any, identifier: str) -> EnvironmentRecord:
    """Return what an artifact keeps of the environment.

    The part of `module:Id` that imports code is left out.
    """
    spec = env.spec
    kwargs = {
        key: value
        for key, value in (spec.kwargs if spec is not None else {}).items()
        if key != "render_mode" and isinstance(value, str | int | float | bool | None)
    }
    wrappers = tuple(
        wrapper.name for wrapper in (spec.additional_wrappers if spec is not None else ())
    )
    versions = {name: importlib.metadata.version(name) for name in ("gymnasium", "mujoco", "numpy")}
    return EnvironmentRecord(
        identifier.rpartition(":")[2], kwargs, wrappers, control_period(env), versions
    )


def flat(observation: Any) -> np.ndarray:
    """One observation as float64 [obs]."""
    return np.asarray(observation, np.float64).reshape(-1)


def environment_facts(
    env: str | None,
    action_low: Any = None,
    action_high: Any = None,
    observation_size: int | None = None,
) -> EnvironmentFacts:
    """Return what is known of the environment, from its id or from the options that replace it.

    Args:
        env: An id that a user typed.
        action_low: A number or one per channel.
        action_high: A number or one per channel.
        observation_size: Channels.
    """
    if env is None:
        low, high = (
            None if bound is None else np.atleast_1d(np.asarray(bound, np.float64))
            for bound in (action_low, action_high)
        )
        if low is not None and high is not None and low.shape != high.shape:
            if 1 not in (low.size, high.size):
                raise InputError(
                    "--action-low/--action-high",
                    "the bounds have different lengths",
                    got=f"{low.size} and {high.size}",
                    limit="one number for all channels, or one per channel",
                    fix="give both ends of every channel",
                )
            low, high = np.broadcast_arrays(low, high)
        return EnvironmentFacts(observation_size=observation_size, action_low=low, action_high=high)
    if action_low is not None or action_high is not None:
        raise InputError(
            "--action-low/--action-high",
            "the environment gives the bounds already",
            got=f"--env {env}",
            fix="give either --env or the bounds",
        )
    made = make(env, trusted=True)
    try:
        return facts(made, env)
    finally:
        made.close()
