"""`simulate`, `diagnose` and `verify`: what an artifact does, and that all backends agree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from spikeport.commands.command_options import as_json, environment_option, seed_option
from spikeport.commands.terminal import emit, progress_bar
from spikeport.toolchain import plugins


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@environment_option
@click.option(
    "--backend",
    default="fast",
    show_default=True,
    metavar="NAME",
    help=f"One of {', '.join(plugins.names('backends'))}.",
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
            fix=("--compare --source FILE", "omit --source"),
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
            env=env,
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


@click.command()
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
    help=f"One of {', '.join(plugins.names('backends'))}.",
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
    from spikeport import api
    from spikeport.artifact_loading import load
    from spikeport.toolchain.report import diagnosis_text

    loaded = load(artifact)
    policy = given_source(loaded, source, env)
    with progress_bar(2 * episodes, "episodes") as progress:
        result = api.diagnose(
            loaded,
            env=env,
            backend=backend,
            episodes=episodes,
            seed=seed,
            source=policy,
            progress=progress,
        )
    emit(as_json, result.to_json(), diagnosis_text(result))
    if not result.healthy:
        sys.exit(1)


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--backends", default=",".join(plugins.TABLES["backends"]), show_default=True, metavar="a,b,c"
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
    from spikeport import api
    from spikeport.artifact_loading import load
    from spikeport.toolchain.report import verification_text

    names = [name.strip() for name in backends.split(",") if name.strip()]
    with progress_bar(len(names), "backends") as progress:
        result = api.verify(
            load(artifact),
            backends=names,
            decisions=decisions,
            env=env,
            progress=progress,
        )
    emit(as_json, result.to_json(), verification_text(result))
    if not result.exact:
        sys.exit(1)
