"""`train`: a spiking actor learns a task and deploys as it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from spikeport.commands.command_options import as_json
from spikeport.commands.terminal import emit, progress_bar
from spikeport.toolchain import plugins
from spikeport.toolchain.errors import InputError

# How often PyTorch's threads (GNU's OpenMP) look for work before they sleep, read when PyTorch is
# imported. With the default, 300,000 times, they would wait for each other on a busy machine and
# hold the cores that they wait for.
SPINS = "10000"


class MethodName(click.ParamType):
    """A name in the table of training methods, which `spikeport.train` checks."""

    name = "method"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """All names, those of other packages included."""
        return "|".join(plugins.names("training_methods"))


@click.command()
@click.argument("method", type=MethodName())
@click.option(
    "--env", required=True, metavar="ID", help="Gymnasium id; `module:Id` imports that module."
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The policy to write (.zip); FILE.run keeps the run.",
)
@click.option(
    "--neuron",
    default="lif",
    show_default=True,
    metavar="lif|clif|dn",
    help="Neuron of a spiking actor; stock Lava has no dn.",
)
@click.option(
    "--steps",
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="Environment steps in all, random ones included.",
)
@click.option(
    "--learning-starts",
    default=25_000,
    show_default=True,
    metavar="N",
    help="Steps of random actions before training.",
)
@click.option("--seed", default=0, show_default=True, metavar="S")
@click.option(
    "--threads",
    default=1,
    show_default=True,
    metavar="N",
    help="Threads of PyTorch; part of what a resumed run must repeat.",
)
@click.option(
    "--proxy-iterations",
    default=3,
    show_default=True,
    metavar="K",
    help="Minibatches of the proxy per training step.",
)
@click.option(
    "--bfloat16",
    is_flag=True,
    help="Products between hidden layers of critics and proxy in bfloat16.",
)
@click.option(
    "--choice",
    "own",
    multiple=True,
    metavar="NAME=VALUE",
    help="A choice of the method's own that has no option here.",
)
@click.option(
    "--evaluate-every",
    default=5_000,
    show_default=True,
    metavar="N",
    help="Steps between evaluations.",
)
@click.option("--evaluation-episodes", default=10, show_default=True, metavar="N")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="auto takes a GPU where there is one.",
)
@click.option(
    "--tensorboard",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Log for TensorBoard there.",
)
@click.option(
    "--resume", is_flag=True, help="Continue the run beside FILE, killed or done with fewer steps."
)
@as_json
def train(
    method: str,
    env: str,
    output: Path,
    steps: int,
    own: tuple[str, ...],
    as_json: bool,
    **choices: Any,
) -> None:
    """Train a policy: a spiking actor with a proxy target, a plain spiking one, or an ANN.

    docs/training.md describes the methods. FILE is a Stable-Baselines3 zip that `spikeport
    convert` reads. A killed run goes on with
    --resume and ends with the same weights.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    from spikeport import api

    # Defaults are left to the method, which need not know every option.
    source = click.get_current_context().get_parameter_source
    given = {name: choices[name] for name in choices if source(name) is not ParameterSource.DEFAULT}
    with progress_bar(steps, "steps") as progress:
        result = api.train(
            method,
            env,
            steps,
            output,
            progress=progress,
            note=lambda line: click.echo(f"note: {line}", err=True),
            **given,
            **dict(map(name_and_value, own)),
        )
    lines = [
        f"{record['steps']:>9} steps  mean return {record['mean']:.1f}"
        for record in result.evaluations[-10:]
    ]
    lines = lines or [
        f"no evaluation: the first comes after {choices['evaluate_every']} steps (--evaluate-every)"
    ]
    emit(as_json, result.to_json(), "\n".join([*lines, f"wrote {output}"]))


def name_and_value(choice: str) -> tuple[str, Any]:
    """NAME=VALUE; the value is read as JSON where it is JSON, else as text."""
    name, equals, value = choice.partition("=")
    if not name or not equals:
        raise InputError(
            "--choice", "is not NAME=VALUE", got=choice, fix="--choice with a name and a value"
        )
    try:
        return name.replace("-", "_"), json.loads(value)
    except ValueError:
        return name.replace("-", "_"), value
