"""`energy` and `assess`: joules and seconds per decision, and whether the spikes pay."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from spikeport.commands.command_options import as_json, environment_option, seed_option
from spikeport.commands.terminal import emit, progress_bar


@click.command()
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
    total = episodes or api.EPISODES
    with progress_bar(total, "episodes") as progress:
        census = api.measure_census(
            loaded,
            env=env,
            episodes=episodes,
            seed=seed,
            progress=lambda done: progress("episodes", done, total),
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


@click.command()
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
