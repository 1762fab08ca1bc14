"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

as_json = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object on stdout and nothing else there.",
)
environment_option = click.option(
    "--env", "env", metavar="ID", help="Gymnasium id; `module:Id` imports that module."
)
seed_option = click.option(
    "--seed", default=1000, show_default=True, help="Episode i is reset with seed + i."
)


def checkpoint_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a checkpoint may leave open."""
    for option in reversed(
        (
            environment_option,
            click.option(
                "--action-low",
                metavar="X[,X...]",
                callback=numbers,
                help="Lower action bounds, where there is no --env.",
            ),
            click.option(
                "--action-high",
                metavar="X[,X...]",
                callback=numbers,
                help="Upper action bounds, where there is no --env.",
            ),
            click.option(
                "--normalizer",
                metavar="FILE|none",
                help=(
                    "VecNormalize pickle, or .npz of mean, var, epsilon, clip; default: beside the"
                    " checkpoint."
                ),
            ),
            click.option(
                "--activation",
                metavar="NAME",
                help="Hidden activation, where the file does not carry it.",
            ),
            click.option(
                "--squash",
                type=click.Choice(["tanh", "clip", "none", "argmax"]),
                help="What follows the last layer, where the file does not say.",
            ),
            click.option(
                "--action-limit",
                type=float,
                metavar="X",
                help="The actor's action scale, where the file does not carry it.",
            ),
            click.option(
                "--action-output",
                metavar="NAME",
                help="Output that holds the deterministic action, where a graph has several.",
            ),
        )
    ):
        command = option(command)
    return command


def conversion_files(command: Callable[..., Any]) -> Callable[..., Any]:
    """CHECKPOINT, `-o FILE` and the checkpoint's options, of what makes an artifact of a policy."""
    output = click.option(
        "-o",
        "--output",
        "output",
        required=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The artifact to write (.spk).",
    )
    checkpoint = click.argument("checkpoint", type=click.Path(path_type=Path))
    return checkpoint(output(checkpoint_options(command)))


SHARES = ("error_shares", "threshold_shares")  # never negative


def numbers(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> list[float] | None:
    """Read a list of numbers such as 1,0.8,0.6."""
    if value is None:
        return None
    try:
        return [float(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a list of numbers such as"
            f" {'1,0.8,0.6' if parameter.name in SHARES else '-1,-1,-0.5'}"
        ) from None


def whole_numbers(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> list[int] | None:
    """Read a list of whole numbers such as 2,3."""
    found = numbers(context, parameter, value)
    if found is not None and not all(number.is_integer() for number in found):
        raise click.BadParameter(f"{value!r} is not a list of whole numbers such as 2,3")
    if found is None:
        return None
    return [int(number) for number in found]


def read_options(given: dict[str, Any]) -> dict[str, Any]:
    """The options that belong to the reader."""
    return {
        name: given[name]
        for name in (
            "action_low",
            "action_high",
            "normalizer",
            "activation",
            "squash",
            "action_limit",
            "action_output",
        )
    }


def read_array(path: Path, option: str) -> Any:
    """A numeric .npy array; pickled objects are refused."""
    import numpy as np

    from spikeport.toolchain.errors import InputError
    from spikeport.toolchain.files.regular_file import open_regular

    try:
        with open_regular(path) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except (
        Exception
    ) as error:  # NumPy parses the header with Python's own parser, which raises whatever it likes
        raise InputError(
            option,
            f"{path.name or path} is not a readable .npy array: {error}",
            fix="np.save(FILE, array) with plain numbers",
        ) from None


def refuse_overwriting(output: Path, other: Path, what: str) -> None:
    """Raise InputError where `output` is the file `other`, which is named `what`."""
    from spikeport.toolchain.errors import InputError

    if output.exists() and other.exists() and output.samefile(other):
        raise InputError(
            "-o",
            f"would overwrite the {what}",
            got=output,
            fix="give the artifact a name of its own, such as policy.spk",
        )
