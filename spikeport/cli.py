"""The command line: a thin shell over spikeport.api (contract section 8).

Results go to stdout (with --json one object and nothing else), progress and log lines to stderr. Exit code 0:
done, 1: a check failed, 2: input or usage wrong.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from spikeport import __version__

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else there.")
environment_option = click.option("--env", "env", metavar="ID", help="Gymnasium id; `module:Id` imports that module.")
seed_option = click.option("--seed", default=1000, show_default=True, help="Episode i is reset with seed + i.")


class Group(click.Group):
    """Turns Spikeport's errors into one line on stderr and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        from toolchain.errors import SpikeportError

        try:
            return super().invoke(ctx)
        except SpikeportError as error:
            click.echo(plain(f"{type(error).__name__}: {error}"), err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(130)  # as shells count SIGINT; click's own 1 would read as a failed check


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="spikeport")
def main() -> None:
    """A trained robot policy in, an integer spiking network out: proven, simulated, priced."""


@contextmanager
def progress_bar(total: int, title: str) -> Iterator[Callable[[int], None]]:
    """A bar on stderr; silent where stderr is not a terminal."""
    from tqdm import tqdm

    with tqdm(total=total, desc=title, file=sys.stderr, disable=None, leave=False) as bar:
        yield lambda done: (bar.update(done), None)[1]


@contextmanager
def staged_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar that is renamed whenever a new stage begins."""
    from tqdm import tqdm

    bars: dict[str, Any] = {}

    def advance(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            close()
            bars[stage] = tqdm(total=total, desc=stage, file=sys.stderr, disable=None, leave=False)
        bars[stage].update(done)

    def close() -> None:
        for bar in bars.values():
            bar.close()

    try:
        yield advance
    finally:
        close()


def emit(machine: bool, facts: dict[str, Any], text: str) -> None:
    """Print a result for a program or for a person."""
    click.echo(json.dumps(facts, allow_nan=False) if machine else plain(text))


def plain(text: str) -> str:
    """A text without control characters: names that a file carries must not reach the terminal's escape codes."""
    return "".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text)


def checkpoint_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a checkpoint may leave open."""
    for option in reversed(
        (
            environment_option,
            click.option("--action-low", metavar="X[,X...]", callback=_numbers, help="Lower action bounds, where there is no --env."),
            click.option("--action-high", metavar="X[,X...]", callback=_numbers, help="Upper action bounds, where there is no --env."),
            click.option("--normalizer", metavar="FILE|none", help="VecNormalize pickle; default: the one beside the checkpoint."),
            click.option("--activation", metavar="NAME", help="Hidden activation, where the file does not carry it."),
            click.option("--squash", type=click.Choice(["tanh", "clip", "none"]), help="What follows the last layer, where the file does not carry it."),
            click.option("--action-limit", type=float, metavar="X", help="The actor's action scale, where the file does not carry it."),
        )
    ):
        command = option(command)
    return command


def _numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> list[float] | None:
    if value is None:
        return None
    try:
        return [float(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of numbers such as -1,-1,-0.5") from None


def _whole_numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> list[int] | None:
    numbers = _numbers(context, parameter, value)
    if numbers is not None and not all(number.is_integer() for number in numbers):
        raise click.BadParameter(f"{value!r} is not a list of whole numbers such as 2,3")
    return None if numbers is None else [int(number) for number in numbers]


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--output", "output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The artifact to write (.spk).")
@checkpoint_options
@click.option("--observations", type=click.Path(path_type=Path), metavar="FILE.npy", help="Recorded observations (N, obs) instead of --env.")
@click.option("--episode-starts", type=click.Path(path_type=Path), metavar="FILE.npy", help="Flags (N) that mark episode starts.")
@click.option("--neuron", default="sdn", show_default=True, metavar="sdn|if|snm|mt|dc|auto", help="Neuron of the hidden layers; auto: the cheapest that holds.")
@click.option("--timesteps", type=int, metavar="T", help="Timesteps of a decision.  [default: sdn 1, if 16, snm 8, mt 4, dc 4]")
@click.option("--alpha", type=float, metavar="A", help="Share of the residual that is carried over, in 64ths.  [default: if 0.5, others 0]")
@click.option("--weight-bits", default=8, show_default=True, metavar="B", help="Symmetric weights of 2 to 8 bits.")
@click.option(
    "--action-error", type=float, metavar="E", help="Wanted RMS action error in half ranges.  [default: 0.1, finer where the closed loop asks for it]"
)
@click.option("--calibration-steps", default=10_000, show_default=True, metavar="N", help="Decisions of the policy to calibrate on.")
@click.option("--error-shares", metavar="X[,X...]", callback=_numbers, help="Shares of the squared action error: input, hidden layers.  [default: cheapest]")
@click.option("--triggers", metavar="M[,M...]", callback=_whole_numbers, help="Payload units a change must reach to be sent, per hidden layer.  [default: 1]")
@click.option(
    "--allocation", default="sensitivity", show_default=True, metavar="sensitivity|events", help="Thresholds by formula, or from events counted in calibration."
)
@click.option("--thrift", default=0.0, show_default=True, metavar="X", help="Squared action error that a synop per MAC saved is worth; drops synapses.")
@click.option("--resync-every", default=0, show_default=True, metavar="N", help="Restart all state every N decisions; 0 = never.")
@click.option("--prune-dead", is_flag=True, help="Drop neurons that never fired in calibration.")
@click.option("--finetune", is_flag=True, help="Distil the policy into the integers: minutes, for 4 or 5 weight bits; sdn only, needs PyTorch.")
@click.option("--seed", default=0, show_default=True, help="Calibration episode k is reset with 10^6 + 1000 * seed + k.")
@click.option("--no-source", is_flag=True, help="Leave the float policy out of the artifact.")
@as_json
def convert(checkpoint: Path, output: Path, env: str | None, observations: Path | None, episode_starts: Path | None, as_json: bool, **given: Any) -> None:
    """Convert a trained policy into an integer spiking artifact.

    CHECKPOINT: a torch state_dict (l1,l2,l3; fc1,fc2,fc_mu; Sequential numbering), a safetensors file, or a
    Stable-Baselines3 / sb3-contrib zip (TD3, DDPG, SAC, TQC, PPO, A2C, TRPO).
    """
    from spikeport import api
    from toolchain.artifact_file import check_writable, save
    from toolchain.errors import InputError
    from toolchain.report import artifact_text, describe_artifact

    check_writable(output)
    if output.exists() and checkpoint.exists() and output.samefile(checkpoint):
        raise InputError("-o", "would overwrite the checkpoint", got=output, fix="give the artifact a name of its own, such as policy.spk")
    own = ("neuron", "timesteps", "alpha", "weight_bits", "action_error", "allocation", "thrift", "finetune")
    choices: dict[str, Any] = {name: given[name] for name in own}
    choices |= {"error_shares": tuple(given["error_shares"] or ()), "triggers": tuple(given["triggers"] or ())}
    choices |= {"resync_every": given["resync_every"], "prune_dead": given["prune_dead"], "keep_source": not given["no_source"]}
    if given["neuron"] != "auto":
        choices = {"options": api.ConversionOptions(**choices)}
        if given["neuron"] != "sdn" and given["action_error"] is not None:
            click.echo(f"note: --action-error chooses the thresholds of sdn; {given['neuron']} takes its own from the largest activations", err=True)
    recorded = None if observations is None else read_array(observations, "--observations")
    starts = None if episode_starts is None else read_array(episode_starts, "--episode-starts")
    policy = api.load_policy(checkpoint, env=env, observation_size=None if recorded is None or recorded.ndim != 2 else recorded.shape[1], **read_options(given))
    attempts: list[Any] = []
    with staged_bar() as progress:
        artifact = api.convert(
            policy,
            env=env,
            observations=recorded,
            episode_starts=starts,
            calibration_steps=given["calibration_steps"],
            seed=given["seed"],
            progress=progress,
            attempts=attempts,
            **choices,
        )
    save(artifact, output)
    for attempt in attempts:
        click.echo(f"closed loop: {attempt}", err=True)
    emit(as_json, describe_artifact(artifact) | {"output": output.name}, f"{artifact_text(artifact)}\nwrote {output}")


def read_options(given: dict[str, Any]) -> dict[str, Any]:
    """The options that belong to the reader."""
    return {name: given[name] for name in ("action_low", "action_high", "normalizer", "activation", "squash", "action_limit")}


def read_array(path: Path, option: str) -> Any:
    """A numeric .npy array; pickled objects are refused."""
    import numpy as np

    from toolchain.errors import InputError

    try:
        with path.open("rb") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # NumPy parses the header with Python's own parser, which raises whatever it likes
        raise InputError(option, f"{path.name or path} is not a readable .npy array: {error}", fix="np.save(FILE, array) with plain numbers") from None


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--output", "output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The artifact to write (.spk).")
@checkpoint_options
@click.option("--target", default=0.99, show_default=True, metavar="R", help="Return ratio to hold.")
@click.option("--cost", default="synops", show_default=True, metavar="synops|joules", help="What is to become cheap, per decision.")
@click.option("--profile", metavar="NAME", help="Chip whose dynamic joules count, with --cost joules.")
@click.option("--neurons", default="sdn,if,snm,mt,dc", show_default=True, metavar="a[,b...]", help="Neurons to search.")
@click.option("--weight-bits", default="8", show_default=True, metavar="B[,B...]", callback=_whole_numbers, help="Weight widths to search.")
@click.option("--trials", default=1000, show_default=True, metavar="N", help="Candidates at most.")
@click.option("--minutes", default=12.0, show_default=True, metavar="M", help="Time at most, calibration and judgement included.")
@click.option("--chatter", default=1.1, show_default=True, metavar="X", help="Largest change of action per decision, as a multiple of the source policy's.")
@click.option("--calibration-steps", default=10_000, show_default=True, metavar="N", help="Decisions of the policy to calibrate on.")
@click.option("--seed", default=0, show_default=True, metavar="S", help="Of the calibration, the search and the judgement (docs/tuning.md).")
@click.option("--study", type=click.Path(path_type=Path), metavar="FILE", help="Keep the search here; an interrupted one goes on from it.")
@click.option("--no-source", is_flag=True, help="Leave the float policy out of the artifact.")
@as_json
def tune(checkpoint: Path, output: Path, env: str | None, study: Path | None, as_json: bool, **given: Any) -> None:
    """Search for the cheapest conversion that still holds the policy's return.

    Candidates run in the environment, closed loop; the cheapest that hold are judged on episodes that the search
    never saw. Exit code 1: nothing held, and FILE is the plain conversion.
    """
    from spikeport import api
    from toolchain.artifact_file import check_writable, save
    from toolchain.errors import InputError
    from toolchain.report import artifact_text, candidate_line, describe_artifact, tuning_text

    check_writable(output)
    if output.exists() and checkpoint.exists() and output.samefile(checkpoint):
        raise InputError("-o", "would overwrite the checkpoint", got=output, fix="give the artifact a name of its own, such as policy.spk")
    if env is None:
        raise InputError("tune", "searches in the policy's environment", got="no --env", fix="--env ID")
    options = api.TuningOptions(
        **{name: given[name] for name in ("target", "cost", "profile", "trials", "minutes", "chatter", "seed", "calibration_steps")},
        neurons=tuple(name.strip() for name in given["neurons"].split(",") if name.strip()),
        weight_bits=tuple(given["weight_bits"]),
        keep_source=not given["no_source"],
    )
    policy = api.load_policy(checkpoint, env=env, **read_options(given))
    tuned = api.tune(
        policy,
        env,
        options,
        study=study,
        report=lambda number, point, evidence: click.echo(f"{number:4d}  {candidate_line(point, evidence)}", err=True),
        note=lambda text: click.echo(plain(text), err=True),
    )
    save(tuned.artifact, output)
    facts = describe_artifact(tuned.artifact) | {"tuning": tuned.to_json(), "output": output.name}
    emit(as_json, facts, f"{tuning_text(tuned)}\n{artifact_text(tuned.artifact)}\nwrote {output}")
    if not tuned.holds:
        sys.exit(1)


@main.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@environment_option
@click.option("--backend", default="fast", show_default=True, metavar="NAME", help="reference, fast, lava-direct or lava.")
@click.option("--episodes", default=10, show_default=True, metavar="N")
@seed_option
@click.option("--compare", is_flag=True, help="Run the source policy on the same seeds.")
@click.option("--source", type=click.Path(path_type=Path), metavar="FILE", help="Checkpoint to compare with, where the artifact has none inside.")
@click.option("--video", type=click.Path(path_type=Path), metavar="FILE", help="Film the first episode (.mp4 or .gif).")
@as_json
def simulate(
    artifact: Path, env: str | None, backend: str, episodes: int, seed: int, compare: bool, source: Path | None, video: Path | None, as_json: bool
) -> None:
    """Run an artifact in its environment, closed loop."""
    from spikeport import api
    from toolchain.artifact_file import load
    from toolchain.errors import InputError
    from toolchain.report import simulation_text

    if source is not None and not compare:
        raise InputError("--source", "is what --compare compares with", got="no --compare", fix=("--compare --source FILE", "leave --source away"))
    loaded = load(artifact)
    policy = given_source(loaded, source, env)
    with progress_bar(episodes * (1 + compare), "episodes") as progress:
        result = api.simulate(
            loaded, environment=env, backend=backend, episodes=episodes, seed=seed, compare=compare, source=policy, video=video, progress=progress
        )
    emit(as_json, result.to_json(), simulation_text(result))


def given_source(loaded: Any, source: Path | None, env: str | None) -> Any:
    """The policy in --source, with a note where it is another file than the artifact came from; None without the option."""
    from spikeport import api

    if source is None:
        return None
    policy = api.load_source(loaded, source, env=env)
    if policy.provenance.sha256 != loaded.provenance.sha256:
        click.echo(f"note: {source.name} is not the file that the artifact was converted from ({loaded.provenance.file})", err=True)
    return policy


@main.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@environment_option
@click.option("--source", type=click.Path(path_type=Path), metavar="FILE", help="Checkpoint to compare with, where the artifact has none inside.")
@click.option("--backend", default="fast", show_default=True, metavar="NAME", help="reference, fast, lava-direct or lava.")
@click.option("--episodes", default=10, show_default=True, metavar="N")
@seed_option
@as_json
def diagnose(artifact: Path, env: str | None, source: Path | None, backend: str, episodes: int, seed: int, as_json: bool) -> None:
    """Name the cause where a converted policy does not do what its source does.

    Exit code 0: healthy, 1: a cause was found.
    """
    from toolchain.artifact_file import load
    from toolchain.diagnosis import diagnose as run
    from toolchain.report import diagnosis_text

    loaded = load(artifact)
    policy = given_source(loaded, source, env)
    with progress_bar(2 * episodes, "episodes") as progress:
        result = run(loaded, environment=env, backend=backend, episodes=episodes, seed=seed, source=policy, progress=progress)
    emit(as_json, result.to_json(), diagnosis_text(result))
    if not result.healthy:
        sys.exit(1)


@main.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--backends", default="reference,fast,lava-direct,lava", show_default=True, metavar="a,b,c")
@click.option("--decisions", default=256, show_default=True, metavar="N", help="More than 256 adds states of the environment.")
@environment_option
@as_json
def verify(artifact: Path, backends: str, decisions: int, env: str | None, as_json: bool) -> None:
    """Prove that every backend computes the same integers, every neuron, every timestep."""
    from toolchain.artifact_file import load
    from toolchain.report import verification_text
    from toolchain.simulation.verification import verify as run

    names = [name.strip() for name in backends.split(",") if name.strip()]
    with progress_bar(len(names), "backends") as progress:
        result = run(load(artifact), backends=names, decisions=decisions, environment=env, progress=lambda backend: progress(1))
    emit(as_json, result.to_json(), verification_text(result))
    if not result.exact:
        sys.exit(1)


@main.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Hardware profile; may be repeated.  [default: loihi1-davies, loihi2]")
@click.option("--episodes", default=10, show_default=True, metavar="N", help="Episodes to count.")
@click.option("--control-period-ms", type=float, metavar="X", help="Milliseconds between decisions.  [default: the environment's]")
@environment_option
@seed_option
@as_json
def energy(artifact: Path, profiles: tuple[str, ...], episodes: int, control_period_ms: float | None, env: str | None, seed: int, as_json: bool) -> None:
    """Energy and latency per decision; every constant has a source (docs/energy.md)."""
    from spikeport import api
    from toolchain.artifact_file import load
    from toolchain.energy import DEFAULT_PROFILES, baseline_estimates, render_table

    loaded = load(artifact)
    period = control_period_ms / 1000 if control_period_ms is not None else loaded.environment.control_period_s if loaded.environment else None
    with progress_bar(episodes, "episodes") as progress:
        estimates = api.estimate_energy(
            loaded, profiles=profiles or DEFAULT_PROFILES, env=env, episodes=episodes, seed=seed, control_period_s=period, progress=progress
        )
    baselines = baseline_estimates(loaded.macs, period)
    facts = {
        "estimates": [estimate.as_json() for estimate in estimates],
        "baselines": [estimate.as_json() for estimate in baselines],
        "control_period_s": period,
    }
    emit(as_json, facts, render_table(estimates, baselines))


@main.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--to", "to", required=True, metavar="lava")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="PATH", help="Absent or empty.")
def export(artifact: Path, to: str, output: Path) -> None:
    """Write an artifact in somebody else's format."""
    from spikeport import api
    from toolchain.artifact_file import load

    api.export(load(artifact), to, output)
    click.echo(f"wrote {output}")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@checkpoint_options
@as_json
def inspect(file: Path, env: str | None, as_json: bool, **given: Any) -> None:
    """Show what an artifact or a checkpoint holds."""
    from spikeport import api
    from toolchain.artifact_file import is_artifact, load
    from toolchain.policies import describe
    from toolchain.report import artifact_text, describe_artifact

    if is_artifact(file):
        artifact = load(file)
        emit(as_json, describe_artifact(artifact), artifact_text(artifact))
        return
    facts = {"kind": "checkpoint"} | describe(api.load_policy(file, env=env, **read_options(given)))
    emit(as_json, facts, json.dumps(facts, indent=1))


@main.command()
def doctor() -> None:
    """Say what this computer lacks and the command that mends it."""
    from spikeport.doctor import diagnose, render

    checks = diagnose()
    click.echo(render(checks))
    if not all(check.ok for check in checks):
        sys.exit(1)


@main.command()
@click.option("--episodes", default=5, show_default=True, metavar="N", type=click.IntRange(min=1))
def demo(episodes: int) -> None:
    """See all of it once: convert, verify, simulate and price the policy that ships with Spikeport."""
    from spikeport.demo import run

    if not run(episodes, click.echo):
        sys.exit(1)


if __name__ == "__main__":
    main()
