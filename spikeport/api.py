"""The pipeline's steps as a user calls them from Python; the command line is a shell over these."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from spikeport.energy_estimates import assess as assess
from spikeport.energy_estimates import estimate_energy as estimate_energy
from spikeport.former_names import named, public, staged
from spikeport.policy_loading import load_policy as load_policy
from spikeport.policy_loading import load_source as load_source
from spikeport.toolchain import plugins
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.calibration.state_source import StateSource
from spikeport.toolchain.conversion.closed_loop_conversion import Attempt
from spikeport.toolchain.conversion.conversion_options import ConversionOptions as ConversionOptions
from spikeport.toolchain.conversion.conversion_request import convert_as_asked
from spikeport.toolchain.conversion.neuron_choice import AutomaticAttempt
from spikeport.toolchain.energy.measure import EPISODES as EPISODES
from spikeport.toolchain.energy.measure import counted_on as counted_on
from spikeport.toolchain.energy.measure import measure_ann_work as measure_ann_work
from spikeport.toolchain.energy.measure import measure_census as measure_census
from spikeport.toolchain.energy.measure import modelled_latency as modelled_latency
from spikeport.toolchain.energy.measure import probe_census as probe_census
from spikeport.toolchain.environments.gymnasium_bridge import environment_facts as environment_facts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.progress import Progress, silent
from spikeport.toolchain.simulation import closed_loop, verification
from spikeport.toolchain.simulation.backends import BACKENDS
from spikeport.toolchain.simulation.closed_loop import Simulation
from spikeport.toolchain.simulation.verification import Verification
from spikeport.toolchain.tuning import Tuned as Tuned
from spikeport.toolchain.tuning import TuningOptions as TuningOptions
from spikeport.toolchain.tuning import tune as search
from spikeport.toolchain.tuning.tuner import Report

if TYPE_CHECKING:
    from spikeport.toolchain.diagnosis import Diagnosis

FORMATS = plugins.names("exporters")


def convert(
    policy: AnyPolicy,
    *,
    env: str | None = None,
    observations: NDArray[Any] | None = None,
    episode_starts: NDArray[Any] | None = None,
    options: ConversionOptions | None = None,
    calibration_steps: int = 10_000,
    seed: int = 0,
    progress: Progress = silent,
    attempts: list[Attempt | AutomaticAttempt] | None = None,
    **choices: Any,
) -> Artifact:
    """Convert a policy on the states that it visits in `env`, or on recorded ones.

    With an environment and no `action_error` (sdn) or `threshold_shares` (dc), the closed loop
    decides on the thresholds. `neuron="auto"` tries every neuron's default in the closed loop and
    takes the cheapest that holds. A spiking policy keeps its own neurons and timesteps; its
    environment may come from its sidecar, and a rate-coded one needs no states.

    Args:
        policy: What `load_policy` gave.
        env: A Gymnasium id, `module:Id` allowed.
        observations: Recorded ones [N, obs], in order, in place of `env`.
        episode_starts: Flags [N] that mark episode starts among `observations`.
        options: What to convert to, or single `choices`.
        calibration_steps: Decisions to visit in `env`.
        seed: Calibration episode k is reset with 10^6 + 1000 * seed + k.
        progress: Is called with a stage, what is done of it and its total.
        attempts: What the closed loop tried is appended to it, of `auto` every neuron.
        **choices: Fields of ConversionOptions (neuron, timesteps, alpha, weight_bits, action_error,
            ...).

    Returns:
        The artifact.

    Raises:
        InputError: Where the policy and the options do not go together, with every fault of the
            options at once.
    """
    source = StateSource(env, observations, episode_starts, calibration_steps, seed)
    artifact, tried = convert_as_asked(policy, source, options, choices, progress)
    if attempts is not None:
        attempts.extend(tried)
    return artifact


@public(environment="env")
def simulate(
    artifact: Artifact,
    *,
    env: str | None = None,
    backend: str = "fast",
    episodes: int = 10,
    seed: int = 1000,
    compare: bool = False,
    source: AnyPolicy | None = None,
    video: str | Path | None = None,
    latency_s: float | None = None,
    progress: Progress = silent,
) -> Simulation:
    """Run episodes in the environment, closed loop.

    Args:
        artifact: The policy.
        env: Gymnasium id, trusted as typed (it may be `module:Id`); None takes the artifact's own.
        backend: A backend's name.
        episodes: How many; each has an environment of its own.
        seed: Episode i starts from reset(seed=seed+i).
        compare: Run the source policy on the same seeds too.
        source: That policy, where the artifact has none inside.
        video: The first episode is filmed into this file, .mp4 or .gif.
        latency_s: Seconds that the spiking policy's actions reach the environment later.
        progress: progress(stage, done, total) as episodes end; `done` is new since the last call.

    Returns:
        Returns of every episode, counts and times.

    Raises:
        InputError: For seeds that calibration used, shapes that do not fit, a source that is not
            there, an unknown backend.
        BackendError: For a backend that is not installed or fails.
    """
    return closed_loop.simulate(
        artifact,
        environment=env,
        backend=backend,
        episodes=episodes,
        seed=seed,
        compare=compare,
        source=source,
        video=video,
        latency_s=latency_s,
        progress=staged(progress, "episodes", episodes * (1 + compare)),
    )


@public(environment="env")
def verify(
    artifact: Artifact,
    *,
    backends: Sequence[str] = BACKENDS,
    decisions: int = 256,
    env: str | None = None,
    progress: Progress = silent,
) -> Verification:
    """Prove that backends compute the same integers, every neuron, every timestep.

    Args:
        artifact: The policy.
        backends: Names of backends; one that is not installed makes the result not exact.
        decisions: Of the probe and, beyond 256, of states of the environment.
        env: Gymnasium id of these states; None takes the artifact's own.
        progress: Called as progress(stage, done, total) when a backend begins; the stage names it.

    Returns:
        Mismatches and comparisons of each backend.

    Raises:
        InputError: For unknown names and for backends without the artifact's neurons.
        BackendError: For a backend that dies.
    """
    return verification.verify(
        artifact,
        backends=backends,
        decisions=decisions,
        environment=env,
        progress=named(progress, len(backends)),
    )


@public(environment="env")
def diagnose(
    artifact: Artifact,
    *,
    env: str | None = None,
    backend: str = "fast",
    episodes: int = 10,
    seed: int = 1000,
    source: AnyPolicy | None = None,
    progress: Progress = silent,
) -> Diagnosis:
    """Say why a converted policy does or does not do what its source does.

    Args:
        artifact: The policy.
        env: Gymnasium id; None takes the artifact's own.
        backend: A backend's name.
        episodes: How many of each policy.
        seed: Episode i starts from reset(seed=seed+i), for both policies.
        source: The float policy, where the artifact has none inside.
        progress: Called as progress(stage, done, total) when episodes of either policy end.

    Returns:
        Errors layer by layer, the cause and its remedy.

    Raises:
        InputError: For an artifact without a source, a source that does not fit, seeds that
            calibration used, an environment that does not fit.
    """
    from spikeport.toolchain.diagnosis import diagnose as run

    return run(
        artifact,
        environment=env,
        backend=backend,
        episodes=episodes,
        seed=seed,
        source=source,
        progress=staged(progress, "episodes", 2 * episodes),
    )


@public(environment="env")
def tune(
    policy: AnyPolicy,
    env: str,
    options: TuningOptions | None = None,
    *,
    study: Path | None = None,
    report: Report = lambda number, point, evidence: None,
    note: Callable[[str], None] = lambda text: None,
) -> Tuned:
    """Search for the cheapest conversion that holds the policy's return.

    Args:
        policy: An ANN.
        env: Gymnasium id, trusted as typed.
        options: Target, cost, neurons, limits of the search; None takes the defaults.
        study: A file that an interrupted search goes on from.
        report: Called as report(number, point, evidence) after each candidate.
        note: Called with what else a user should know.

    Returns:
        The artifact, whether it holds, and the record of the search.

    Raises:
        InputError: For policy, environment and options that do not fit.
    """
    return search(policy, env, options or TuningOptions(), study=study, report=report, note=note)


def export(artifact: Artifact, to: str, path: str | os.PathLike[str]) -> None:
    """Write the artifact in somebody else's format (docs/exports.md).

    Args:
        artifact: What is written.
        to: A name of FORMATS.
        path: The file, or for `lava` the folder; it must be absent or empty.

    Raises:
        InputError: For an unknown format, a path that cannot be used or a neuron that the format
            does not carry.
    """
    from spikeport.export import formats
    from spikeport.toolchain.simulation.reference import probe_trace

    formats.write(artifact, to, path, lambda: probe_trace(artifact))


def load_nir(path: str | os.PathLike[str]) -> Artifact:
    """Read the artifact in a NIR file that `export(artifact, "nir", path)` wrote (docs/nir.md).

    It equals the exported one in every field and array.
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
    """Train a policy and write it to `output`, a zip that `load_policy` reads.

    Needs PyTorch and Stable-Baselines3.

    Args:
        method: A training method: proxy-target, spiking-td3, td3, or one that another package adds.
        env: A Gymnasium id; `module:Id` imports that module.
        steps: Environment steps in all, random ones included.
        output: The file to write; the run is kept in `output`.run beside it.
        choices: By name, what TrainingPlan holds (neuron, seed, learning_starts, threads, ...), the
            method's own choices, and the fields of RunOptions (resume, evaluate_every, ...).

    Returns:
        A TrainingResult: the file, the steps trained, and the evaluations.

    Raises:
        InputError: Where a package is missing or a choice cannot be used.
    """
    for package in ("torch", "stable_baselines3"):
        if importlib.util.find_spec(package) is None:
            raise InputError(
                "train",
                f"needs {package}, which is not installed",
                fix="pip install '.[torch,sb3]' in the clone",
            )
    from spikeport.toolchain.training.runs.training_run import train_by_name

    if "progress" in choices:
        choices["progress"] = staged(choices["progress"], "steps", steps)
    return train_by_name(method, env, steps, Path(output), choices)
