"""The pipeline's steps as a user calls them from Python; the command line is a shell over these."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import is_artifact
from spikeport.toolchain.conversion.closed_loop_conversion import (
    Attempt,
    convert_from_observations,
    convert_in_environment,
)
from spikeport.toolchain.conversion.conversion_options import ConversionOptions as ConversionOptions
from spikeport.toolchain.conversion.neuron_choice import (
    AutomaticAttempt,
    convert_automatically,
    refuse_own_choices,
)
from spikeport.toolchain.conversion.schemes.trained_leaky import convert_leaky_policy
from spikeport.toolchain.conversion.schemes.trained_lif import (
    convert_spiking_policy,
    refuse_meaningless,
)
from spikeport.toolchain.conversion.seeds import LARGEST_SEED
from spikeport.toolchain.energy import (
    ASSESS_PROFILES,
    DEFAULT_PROFILES,
    Assessment,
    Estimate,
)
from spikeport.toolchain.energy import assess as judge
from spikeport.toolchain.energy import estimate_energy as price
from spikeport.toolchain.energy.estimate_result import check_period
from spikeport.toolchain.energy.measure import EPISODES as EPISODES
from spikeport.toolchain.energy.measure import counted_on, measure_ann_work, measure_census
from spikeport.toolchain.energy.measure import modelled_latency as modelled_latency
from spikeport.toolchain.energy.measure import probe_census as probe_census
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.environments.gymnasium_bridge import environment_facts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import LEAKY, LIF
from spikeport.toolchain.policies.leaky_policy import LeakyPolicy
from spikeport.toolchain.policies.spiking_policy import AnyPolicy, SpikingPolicy
from spikeport.toolchain.readers.facts.sidecar import environment_in_sidecar
from spikeport.toolchain.readers.load import load_policy as read_policy
from spikeport.toolchain.simulation.census import Census
from spikeport.toolchain.simulation.closed_loop import simulate as simulate
from spikeport.toolchain.tuning import Tuned as Tuned
from spikeport.toolchain.tuning import TuningOptions as TuningOptions
from spikeport.toolchain.tuning import tune as tune

FORMATS = ("lava", "netx", "nir", "onnx")


def load_policy(
    path: str | os.PathLike[str],
    *,
    env: str | None = None,
    action_low: float | Sequence[float] | None = None,
    action_high: float | Sequence[float] | None = None,
    observation_size: int | None = None,
    activation: str | None = None,
    squash: str | None = None,
    action_limit: float | None = None,
    normalizer: str | Path | None = None,
    action_output: str | None = None,
) -> AnyPolicy:
    """Read a trained policy (contract section 8's options).

    `env` is a Gymnasium id; without it the action's bounds and, for a time feature, the
    observation's size must be given, or the checkpoint's sidecar names an environment.
    `action_output` names the output of a graph that holds the action. Raises InputError for a file
    or option that cannot be used.
    """
    _refuse_artifact(path)
    if env is None and action_low is None and action_high is None and observation_size is None:
        env = environment_in_sidecar(path)
    facts = environment_facts(env, action_low, action_high, observation_size)
    return read_policy(
        path,
        activation=activation,
        squash=squash,
        action_limit=action_limit,
        normalizer=normalizer,
        environment=facts,
        action_output=action_output,
    )


def _refuse_artifact(path: str | os.PathLike[str]) -> None:
    if is_artifact(path):
        raise InputError(
            Path(path).name,
            "this is already an artifact",
            limit="a checkpoint",
            fix=(
                "use it as it is: `spikeport simulate FILE`, `verify FILE`, `inspect FILE`",
                "give the checkpoint that it was converted from",
            ),
        )


def load_source(
    artifact: Artifact, path: str | os.PathLike[str], *, env: str | None = None
) -> AnyPolicy:
    """The checkpoint that an artifact without a source came from, for `simulate(..., source=...)`.

    What the file leaves open (activation, squash, limit, normaliser) was said when it was
    converted, so the artifact's contracts stand around its layers. Raises InputError for a file
    that does not fit them.
    """
    _refuse_artifact(path)
    action = artifact.action
    layers = artifact.network.layers
    spiking = artifact.network.neuron in (LEAKY, LIF)
    if action.squash == "none" and action.low is not None:
        squash = "clip"
    else:
        squash = action.squash
    if env is not None:
        identifier = env
    elif artifact.environment is not None:
        identifier = artifact.environment.id
    else:
        identifier = None
    low, high = (
        (action.low, action.high) if identifier is None and squash == "clip" else (None, None)
    )
    facts = environment_facts(identifier, low, high)
    read = read_policy(
        path,
        activation=layers[0].activation if len(layers) > 1 and not spiking else None,
        squash=squash,
        action_limit=action.scale if squash == "tanh" and not action.offset.any() else None,
        normalizer="none",
        environment=facts,
    )
    return dataclasses.replace(read, observation=artifact.observation, action=artifact.action)


def convert(
    policy: AnyPolicy,
    *,
    env: str | None = None,
    observations: NDArray[Any] | None = None,
    episode_starts: NDArray[Any] | None = None,
    options: ConversionOptions | None = None,
    calibration_steps: int = 10_000,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    attempts: list[Attempt | AutomaticAttempt] | None = None,
    **choices: Any,
) -> Artifact:
    """Convert a policy on the states it visits in `env`, or on recorded `observations` [N, obs] in
    order.

    `choices` are the fields of ConversionOptions (neuron, timesteps, alpha, weight_bits,
    action_error, ...). With an environment and no `action_error` (sdn) or `threshold_shares` (dc),
    the closed loop decides on the thresholds; what it tried is appended to `attempts`.
    `neuron="auto"` tries every neuron's default in the closed loop and takes the cheapest that
    holds; each goes into `attempts`. A spiking policy keeps its own neurons and timesteps; its
    environment may come from its sidecar, and a rate-coded one needs no states. Raises InputError
    where the policy and the options do not go together.
    """
    if isinstance(policy, SpikingPolicy | LeakyPolicy):
        if options is None:
            choices.setdefault("neuron", "leaky" if isinstance(policy, LeakyPolicy) else "lif")
        if policy.environment:
            if env is not None or observations is not None:
                env = env
            else:
                env = policy.environment or None
        if choices.get("neuron") == "auto":
            raise InputError(
                "--neuron auto",
                "a spiking checkpoint keeps its own neurons",
                got=policy.neuron,
                fix="leave --neuron away",
            )
    automatic = options is None and choices.get("neuron") == "auto"
    if automatic:
        choices.pop("neuron")
        refuse_own_choices(
            choices.get("timesteps"), choices.get("alpha"), choices.get("threshold_shares", ())
        )
    if options is None:
        options = ConversionOptions(**choices)
    elif choices:
        raise InputError(
            "convert",
            "give options or single choices, not both",
            got=", ".join(choices),
            fix="ConversionOptions(...)",
        )
    if (env is None) == (observations is None) and not (
        env is None and isinstance(policy, SpikingPolicy)
    ):
        raise InputError(
            "convert",
            "calibration needs the policy's own states",
            got="both" if env else "neither",
            limit="--env or --observations",
            fix=("--env ID", "--observations FILE.npy"),
        )
    if episode_starts is not None and observations is None:
        raise InputError(
            "--episode-starts",
            "marks the rows of recorded observations",
            got="no --observations",
            fix=("--observations FILE.npy", "leave --episode-starts away"),
        )
    if episode_starts is not None and np.asarray(episode_starts).dtype.kind not in "biuf":
        raise InputError(
            "--episode-starts",
            "flags are numbers",
            got=np.asarray(episode_starts).dtype,
            limit="bool, or numbers of which zero is no start",
            fix="give one flag per observation",
        )
    if seed < 0:
        raise InputError(
            "--seed", "a seed is never negative", got=seed, limit="0 or more", fix="--seed 0"
        )
    if seed > LARGEST_SEED:
        raise InputError(
            "--seed",
            "too large",
            got=seed,
            limit=LARGEST_SEED,
            why="calibration's reset seeds stay below those of tuning",
            fix="--seed 0",
        )
    if automatic and env is None:
        raise InputError(
            "--neuron auto",
            "compares neurons in the closed loop",
            got="no --env",
            fix=("--env ID", "name a --neuron"),
        )
    if env is not None:
        gymnasium_bridge.check_fit(environment_facts(env), policy.observation.size, policy.action)
    if isinstance(policy, SpikingPolicy):
        refuse_meaningless(policy, options)
        return convert_spiking_policy(
            policy, options, env, observations, episode_starts, calibration_steps, seed, progress
        )
    if isinstance(policy, LeakyPolicy):
        return convert_leaky_policy(
            policy, options, env, observations, episode_starts, calibration_steps, seed, progress
        )
    if env is None:
        assert observations is not None
        return convert_from_observations(
            policy, np.asarray(observations), episode_starts, options, seed, progress
        )
    run: Callable[..., tuple[Artifact, list[Any]]] = (
        convert_automatically if automatic else convert_in_environment
    )
    artifact, tried = run(
        policy, env, options, calibration_steps=calibration_steps, seed=seed, progress=progress
    )
    if attempts is not None:
        attempts.extend(tried)
    return artifact


def estimate_energy(
    artifact: Artifact,
    *,
    profiles: Sequence[str] = DEFAULT_PROFILES,
    census: Census | None = None,
    env: str | None = None,
    episodes: int | None = None,
    seed: int = 1000,
    control_period_s: float | None = None,
    progress: Callable[[int], None] = lambda finished: None,
) -> list[Estimate]:
    """Joules and seconds per decision on each profile.

    The census is the given one, or that of `episodes` episodes (10) in the environment; an artifact
    without an environment is counted on its probe (`counted_on`). The control period is the
    environment's unless given.
    """
    check_period(control_period_s)
    if census is None:
        census = measure_census(artifact, env=env, episodes=episodes, seed=seed, progress=progress)
    if control_period_s is None and artifact.environment is not None:
        control_period_s = artifact.environment.control_period_s
    return price(census, artifact, tuple(profiles), control_period_s)


def assess(
    artifact: Artifact,
    *,
    profiles: Sequence[str] = ASSESS_PROFILES,
    env: str | None = None,
    episodes: int | None = None,
    seed: int = 1000,
    control_period_s: float | None = None,
    progress: Callable[[int], None] = lambda finished: None,
) -> Assessment:
    """Whether the spiking policy pays against the same policy as an int8 network, and what decides
    it.

    Counts `episodes` episodes (10) of the artifact and as many of its source policy on the same
    seeds; without an environment both on the probe (`counted_on`). `progress` hears of finished
    episodes of both.
    """
    check_period(control_period_s)
    census = measure_census(artifact, env=env, episodes=episodes, seed=seed, progress=progress)
    work = measure_ann_work(artifact, env=env, episodes=episodes, seed=seed, progress=progress)
    if control_period_s is None and artifact.environment is not None:
        control_period_s = artifact.environment.control_period_s
    return judge(
        census, artifact, work, tuple(profiles), control_period_s, counted_on(artifact, census, env)
    )


def export(artifact: Artifact, to: str, path: str | os.PathLike[str]) -> None:
    """Write the artifact in somebody else's format (docs/exports.md); `path` must be absent or, for
    a folder, empty.

    Raises InputError for an unknown format, a path that cannot be used or a neuron that the format
    does not carry.
    """
    from spikeport.export import formats
    from spikeport.toolchain.simulation.reference import probe_trace

    formats.write(artifact, to, path, lambda: probe_trace(artifact))


def load_nir(path: str | os.PathLike[str]) -> Artifact:
    """The artifact in a NIR file that `export(artifact, "nir", path)` wrote, equal in every field
    and array (docs/nir.md).
    """
    from spikeport.export.nir.nir_reading import load_nir as read

    return read(path)


def is_exported_nir(path: str | os.PathLike[str]) -> bool:
    """Whether a file is NIR that `export(artifact, "nir", path)` wrote.

    Raises InputError for HDF5 that cannot be read safely.
    """
    from spikeport.export.nir.nir_reading import holds_artifact

    return holds_artifact(path)


def train(method: str, env: str, steps: int, output: str | os.PathLike[str], **choices: Any) -> Any:
    """Train a policy with TD3 and write it to `output`, a zip that `load_policy` reads; returns a
    TrainingResult.

    `method` is proxy-target, spiking-td3 or td3. `choices` are the other fields of TrainingPlan
    (neuron, seed, learning_starts, threads, ...) and the arguments of spikeport.toolchain.training.run.train
    (resume, evaluate_every, ...). Needs PyTorch and Stable-Baselines3; raises InputError where they
    are missing or a choice cannot be used.
    """
    for package in ("torch", "stable_baselines3"):
        if importlib.util.find_spec(package) is None:
            raise InputError(
                "train",
                f"needs {package}, which is not installed",
                fix="pip install '.[torch,sb3]' in the clone",
            )
    from spikeport.toolchain.training.runs.training_run import TrainingPlan
    from spikeport.toolchain.training.runs.training_run import train as run

    own = {field.name for field in dataclasses.fields(TrainingPlan)}
    plan = TrainingPlan(
        method, env, **{name: value for name, value in choices.items() if name in own}
    )
    return run(
        plan,
        steps,
        Path(output),
        **{name: value for name, value in choices.items() if name not in own},
    )
