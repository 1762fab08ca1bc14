"""The command line: a thin shell over spikeport.api (contract section 8).

Results go to stdout (with --json one object and nothing else), progress and log lines to stderr.
Exit code 0: done, 1: a check failed, 2: input or usage wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from spikeport import __version__
from spikeport.commands.checkers import check, golden
from spikeport.commands.command_options import (
    as_json,
    checkpoint_options,
    environment_option,
    read_options,
    seed_option,
)
from spikeport.commands.convert import convert, tune
from spikeport.commands.terminal import Group, emit, progress_bar
from spikeport.commands.train import train


@click.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="spikeport")
def main() -> None:
    """A trained robot policy in, an integer spiking network out: proven, simulated, priced."""


main.add_command(convert)
main.add_command(tune)
main.add_command(check)
main.add_command(golden)
main.add_command(train)


@main.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@environment_option
@click.option(
    "--backend",
    default="fast",
    show_default=True,
    metavar="NAME",
    help="reference, fast, lava-direct, lava or onnx.",
)
@click.option("--episodes", default=10, show_default=True, metavar="N")
@seed_option
@click.option("--compare", is_flag=True, help="Run the source policy on the same seeds.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Checkpoint to compare with, where the artifact has none inside.",
)
@click.option(
    "--video",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Film the first episode (.mp4 or .gif).",
)
@click.option(
    "--latency-from",
    metavar="PROFILE",
    help="Actions reach the environment as late as this hardware profile says.",
)
@click.option(
    "--latency-io",
    type=click.Choice(["floor", "system"]),
    help="With --latency-from: host I/O as the measured floor or as a measured system.",
)
@as_json
def simulate(
    artifact: Path,
    env: str | None,
    backend: str,
    episodes: int,
    seed: int,
    compare: bool,
    source: Path | None,
    video: Path | None,
    latency_from: str | None,
    latency_io: str | None,
    as_json: bool,
) -> None:
    """Run an artifact in its environment, closed loop."""
    from spikeport import api
    from spikeport.artifact_loading import load
    from spikeport.toolchain.errors import InputError
    from spikeport.toolchain.report import simulation_text

    if source is not None and not compare:
        raise InputError(
            "--source",
            "is what --compare compares with",
            got="no --compare",
            fix=("--compare --source FILE", "leave --source away"),
        )
    if latency_io is not None and latency_from is None:
        raise InputError(
            "--latency-io",
            "says how --latency-from counts the host",
            got="no --latency-from",
            fix="--latency-from PROFILE",
        )
    loaded = load(artifact)
    policy = given_source(loaded, source, env)
    if latency_from is None:
        latency = None
    else:
        latency = api.modelled_latency(loaded, latency_from, latency_io or "floor")
    with progress_bar(episodes * (1 + compare), "episodes") as progress:
        result = api.simulate(
            loaded,
            environment=env,
            backend=backend,
            episodes=episodes,
            seed=seed,
            compare=compare,
            source=policy,
            video=video,
            latency_s=latency,
            progress=progress,
        )
    emit(as_json, result.to_json(), simulation_text(result))


def given_source(loaded: Any, source: Path | None, env: str | None) -> Any:
    """The policy in --source, with a note where it is another file than the artifact came from.

    None without the option.
    """
    from spikeport import api

    if source is None:
        return None
    policy = api.load_source(loaded, source, env=env)
    if policy.provenance.sha256 != loaded.provenance.sha256:
        click.echo(
            f"note: {source.name} is not the file that the artifact was converted from"
            f" ({loaded.provenance.file})",
            err=True,
        )
    return policy


@main.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@environment_option
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Checkpoint to compare with, where the artifact has none inside.",
)
@click.option(
    "--backend",
    default="fast",
    show_default=True,
    metavar="NAME",
    help="reference, fast, lava-direct, lava or onnx.",
)
@click.option("--episodes", default=10, show_default=True, metavar="N")
@seed_option
@as_json
def diagnose(
    artifact: Path,
    env: str | None,
    source: Path | None,
    backend: str,
    episodes: int,
    seed: int,
    as_json: bool,
) -> None:
    """Name the cause where a converted policy does not do what its source does.

    Exit code 0: healthy, 1: a cause was found.
    """
    from spikeport.artifact_loading import load
    from spikeport.toolchain.diagnosis import diagnose as run
    from spikeport.toolchain.report import diagnosis_text

    loaded = load(artifact)
    policy = given_source(loaded, source, env)
    with progress_bar(2 * episodes, "episodes") as progress:
        result = run(
            loaded,
            environment=env,
            backend=backend,
            episodes=episodes,
            seed=seed,
            source=policy,
            progress=progress,
        )
    emit(as_json, result.to_json(), diagnosis_text(result))
    if not result.healthy:
        sys.exit(1)


@main.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--backends", default="reference,fast,lava-direct,lava,onnx", show_default=True, metavar="a,b,c"
)
@click.option(
    "--decisions",
    default=256,
    show_default=True,
    metavar="N",
    help="More than 256 adds states of the environment.",
)
@environment_option
@as_json
def verify(artifact: Path, backends: str, decisions: int, env: str | None, as_json: bool) -> None:
    """Prove that every backend computes the same integers, every neuron, every timestep."""
    from spikeport.artifact_loading import load
    from spikeport.toolchain.report import verification_text
    from spikeport.toolchain.simulation.verification import verify as run

    names = [name.strip() for name in backends.split(",") if name.strip()]
    with progress_bar(len(names), "backends") as progress:
        result = run(
            load(artifact),
            backends=names,
            decisions=decisions,
            environment=env,
            progress=lambda backend: progress(1),
        )
    emit(as_json, result.to_json(), verification_text(result))
    if not result.exact:
        sys.exit(1)


@main.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME",
    help="Hardware profile; may be repeated.  [default: loihi1-davies, loihi2]",
)
@click.option(
    "--episodes",
    type=int,
    metavar="N",
    help="Episodes to count.  [default: 10; none without an environment]",
)
@click.option(
    "--control-period-ms",
    type=float,
    metavar="X",
    help="Milliseconds between decisions.  [default: the environment's]",
)
@environment_option
@seed_option
@as_json
def energy(
    artifact: Path,
    profiles: tuple[str, ...],
    episodes: int | None,
    control_period_ms: float | None,
    env: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Energy and latency per decision; every constant has a source (docs/energy.md)."""
    from spikeport import api
    from spikeport.artifact_loading import load
    from spikeport.toolchain.energy import DEFAULT_PROFILES, baseline_estimates
    from spikeport.toolchain.report.energy_table import render_table

    loaded = load(artifact)
    if control_period_ms is not None:
        period = control_period_ms / 1000
    elif loaded.environment:
        period = loaded.environment.control_period_s
    else:
        period = None
    baselines = baseline_estimates(loaded.macs, period)
    with progress_bar(episodes or api.EPISODES, "episodes") as progress:
        census = api.measure_census(
            loaded, env=env, episodes=episodes, seed=seed, progress=progress
        )
    estimates = api.estimate_energy(
        loaded, profiles=profiles or DEFAULT_PROFILES, census=census, control_period_s=period
    )
    counted_on = api.counted_on(loaded, census, env)
    facts = {
        "estimates": [estimate.as_json() for estimate in estimates],
        "baselines": [estimate.as_json() for estimate in baselines],
        "control_period_s": period,
        "counted_on": counted_on,
    }
    emit(as_json, facts, f"{render_table(estimates, baselines)}\nCounted on {counted_on}.")


@main.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME",
    help="Hardware profile; may be repeated.  [default: loihi1-davies, loihi2, asic45]",
)
@click.option(
    "--episodes",
    type=int,
    metavar="N",
    help="Episodes to count.  [default: 10; none without an environment]",
)
@click.option(
    "--control-period-ms",
    type=float,
    metavar="X",
    help="Milliseconds between decisions.  [default: the environment's]",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Energies and break-evens as a picture (.svg, .png or .pdf).",
)
@environment_option
@seed_option
@as_json
def assess(
    artifact: Path,
    profiles: tuple[str, ...],
    episodes: int | None,
    control_period_ms: float | None,
    plot: Path | None,
    env: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Say whether a spiking policy pays, and what decides it.

    Against the same policy as an int8 network: dense, with zeros skipped, and working on changes
    only. Exit code 1: it does not fit a chip that was asked for.
    """
    from spikeport import api
    from spikeport.artifact_loading import load
    from spikeport.toolchain.energy import ASSESS_PROFILES
    from spikeport.toolchain.report.energy_assessment_plot import check_plot, plot_assessment
    from spikeport.toolchain.report.energy_assessment_text import render_assessment

    if plot is not None:
        check_plot(plot)
    loaded = load(artifact)
    if control_period_ms is not None:
        period = control_period_ms / 1000
    else:
        period = None
    with progress_bar(2 * (episodes or api.EPISODES), "episodes") as progress:
        result = api.assess(
            loaded,
            profiles=profiles or ASSESS_PROFILES,
            env=env,
            episodes=episodes,
            seed=seed,
            control_period_s=period,
            progress=progress,
        )
    if plot is not None:
        plot_assessment(result, plot)
    emit(as_json, result.as_json(), render_assessment(result))
    if not result.fits:
        sys.exit(1)


@main.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--to", "to", required=True, metavar="lava|netx|nir|onnx",
    help="lava: a folder that runs by itself. netx, nir, onnx: one file (docs/exports.md, docs/nir.md).",
)  # fmt: skip
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Absent; a folder may be empty.",
)
def export(artifact: Path, to: str, output: Path) -> None:
    """Write an artifact in somebody else's format."""
    from spikeport import api
    from spikeport.artifact_loading import load

    api.export(load(artifact), to, output)
    click.echo(f"wrote {output}")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@checkpoint_options
@as_json
def inspect(file: Path, env: str | None, as_json: bool, **given: Any) -> None:
    """Show what an artifact or a checkpoint holds, and which options a checkpoint still needs
    (`missing`).
    """
    from spikeport import api
    from spikeport.artifact_loading import load
    from spikeport.toolchain.artifact.artifact_file import is_artifact
    from spikeport.toolchain.readers.inspection import inspect_checkpoint
    from spikeport.toolchain.readers.reading_options import ReadOptions
    from spikeport.toolchain.report import artifact_text, describe_artifact

    if is_artifact(file) or api.is_exported_nir(file):
        if is_artifact(file):
            artifact = load(file)
        else:
            artifact = api.load_nir(file)
        emit(as_json, describe_artifact(artifact), artifact_text(artifact))
        return
    choices = read_options(given)
    environment = api.environment_facts(env, choices.pop("action_low"), choices.pop("action_high"))
    facts = {"kind": "checkpoint"} | inspect_checkpoint(
        file, ReadOptions(environment=environment, **choices)
    )
    emit(as_json, facts, json.dumps(facts, indent=1))


@main.command()
def doctor() -> None:
    """Say what this computer lacks and the command that mends it."""
    from spikeport.commands.doctor import diagnose, render

    checks = diagnose()
    click.echo(render(checks))
    if not all(check.ok for check in checks):
        sys.exit(1)


@main.command()
@click.option("--episodes", default=5, show_default=True, metavar="N", type=click.IntRange(min=1))
def demo(episodes: int) -> None:
    """See all of it once.

    Convert, verify, simulate and price the policy that ships with Spikeport.
    """
    from spikeport.commands.demo import run

    if not run(episodes, click.echo):
        sys.exit(1)


if __name__ == "__main__":
    main()
