"""`export` and `inspect`: artifacts in other formats, and what a file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from spikeport.commands.command_options import as_json, checkpoint_options, read_options
from spikeport.commands.terminal import emit
from spikeport.toolchain import plugins


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "to",
    required=True,
    metavar="|".join(plugins.names("exporters")),
    help=(
        "lava: a folder that runs by itself. netx, nir, onnx: one file (docs/exports.md,"
        " docs/nir.md)."
    ),
)
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


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@checkpoint_options
@as_json
def inspect(file: Path, env: str | None, as_json: bool, **given: Any) -> None:
    """Show what an artifact or a checkpoint holds.

    Of a checkpoint also which options it still needs (`missing`).
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
