"""`tune`: the cheapest conversion that holds the policy's return."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from spikeport.commands.command_options import (
    as_json,
    conversion_files,
    read_options,
    refuse_overwriting,
    whole_numbers,
)
from spikeport.commands.terminal import emit
from spikeport.toolchain.files.display_text import plain


@click.command()
@conversion_files
@click.option(
    "--target", default=0.99, show_default=True, metavar="R", help="Return ratio to hold."
)
@click.option(
    "--cost",
    default="synops",
    show_default=True,
    metavar="synops|joules",
    help="What is to become cheap, per decision.",
)
@click.option(
    "--profile", metavar="NAME", help="Chip whose dynamic joules count, with --cost joules."
)
@click.option(
    "--neurons",
    default="sdn,if,snm,mt,dc",
    show_default=True,
    metavar="a[,b...]",
    help="Neurons to search.",
)
@click.option(
    "--weight-bits",
    default="8",
    show_default=True,
    metavar="B[,B...]",
    callback=whole_numbers,
    help="Weight widths to search.",
)
@click.option("--trials", default=1000, show_default=True, metavar="N", help="Candidates at most.")
@click.option(
    "--minutes",
    default=12.0,
    show_default=True,
    metavar="M",
    help="Time at most, calibration and judgement included.",
)
@click.option(
    "--chatter",
    default=1.1,
    show_default=True,
    metavar="X",
    help="Largest change of action per decision, as a multiple of the source policy's.",
)
@click.option(
    "--calibration-steps",
    default=10_000,
    show_default=True,
    metavar="N",
    help="Decisions of the policy to calibrate on.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    metavar="S",
    help="Of the calibration, the search and the judgement (docs/tuning.md).",
)
@click.option(
    "--study",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keep the search here; an interrupted one goes on from it.",
)
@click.option("--no-source", is_flag=True, help="Leave the float policy out of the artifact.")
@as_json
def tune(
    checkpoint: Path, output: Path, env: str | None, study: Path | None, as_json: bool, **given: Any
) -> None:
    """Search for the cheapest conversion that still holds the policy's return.

    Candidates run in the environment, closed loop; the cheapest that hold are judged on episodes
    that the search never saw. Exit code 1: nothing held, not even the plain conversion, which FILE
    then is.
    """
    from spikeport import api
    from spikeport.toolchain.artifact.artifact_file import save
    from spikeport.toolchain.errors import InputError
    from spikeport.toolchain.files.atomic import check_writable
    from spikeport.toolchain.report import (
        artifact_text,
        candidate_line,
        describe_artifact,
        tuning_text,
    )

    check_writable(output)
    refuse_overwriting(output, checkpoint, "checkpoint")
    if env is None:
        raise InputError(
            "tune", "searches in the policy's environment", got="no --env", fix="--env ID"
        )
    if study is not None and output.resolve() == study.resolve():
        raise InputError(
            "-o",
            "would overwrite the study",
            got=output,
            fix="give the artifact a name of its own, such as policy.spk",
        )
    options = tuning_options(given)
    policy = api.load_policy(checkpoint, env=env, **read_options(given))
    tuned = api.tune(
        policy,
        env,
        options,
        study=study,
        report=lambda number, point, evidence: click.echo(
            f"{number:4d}  {candidate_line(point, evidence)}", err=True
        ),
        note=lambda text: click.echo(plain(text), err=True),
    )
    save(tuned.artifact, output)
    facts = describe_artifact(tuned.artifact) | {"tuning": tuned.to_json(), "output": output.name}
    emit(as_json, facts, f"{tuning_text(tuned)}\n{artifact_text(tuned.artifact)}\nwrote {output}")
    if not tuned.holds:
        sys.exit(1)


CHOICES = (
    "target",
    "cost",
    "profile",
    "trials",
    "minutes",
    "chatter",
    "seed",
    "calibration_steps",
)


def tuning_options(given: dict[str, Any]) -> Any:
    """The command's options as TuningOptions. Raises InputError where they do not go together."""
    from spikeport import api

    return api.TuningOptions(
        **{name: given[name] for name in CHOICES},
        neurons=tuple(name.strip() for name in given["neurons"].split(",") if name.strip()),
        weight_bits=tuple(given["weight_bits"]),
        keep_source=not given["no_source"],
    )
