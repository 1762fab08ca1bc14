"""`train`: a spiking actor learns a task and deploys as it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from spikeport.commands.command_options import as_json
from spikeport.commands.terminal import emit, progress_bar

# How often PyTorch's threads (GNU's OpenMP) look for work before they sleep, read when PyTorch is
# imported. The default is 300,000 times:
# on a machine that does something else beside, they would wait for each other and hold the cores
# that they wait for.
SPINS = "10000"


@click.command()
@click.argument("method", metavar="proxy-target|spiking-td3|td3")
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
def train(method: str, env: str, output: Path, steps: int, as_json: bool, **choices: Any) -> None:
    """Train a policy with TD3: a spiking actor with a proxy target, a plain spiking one, or an ANN
    (docs/training.md).

    FILE is a Stable-Baselines3 zip that `spikeport convert` reads. A killed run goes on with
    --resume and ends with the same weights.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    from spikeport import api

    with progress_bar(steps, "steps") as progress:
        result = api.train(
            method,
            env,
            steps,
            output,
            progress=progress,
            note=lambda line: click.echo(f"note: {line}", err=True),
            **choices,
        )
    lines = [
        f"{record['steps']:>9} steps  mean return {record['mean']:.1f}"
        for record in result.evaluations[-10:]
    ]
    lines = lines or [
        f"no evaluation: the first comes after {choices['evaluate_every']} steps (--evaluate-every)"
    ]
    emit(as_json, result.to_json(), "\n".join([*lines, f"wrote {output}"]))
