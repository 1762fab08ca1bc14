"""`check` and `golden`.

The public checkers and the vectors that they hold a backend against (docs/checkers.md).
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from spikeport.commands.command_options import as_json, checkpoint_options, read_options
from spikeport.commands.terminal import emit

neurons_option = click.option(
    "--neurons", metavar="a[,b...]", help="Only the vectors of these neurons.  [default: all]"
)


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--backend-command",
    metavar="CMD",
    help="Check a backend instead: a program that is called as CMD VECTORS RESULTS.",
)
@click.option(
    "--backend-class",
    metavar="MODULE:CLASS",
    help="Check a backend instead: a Python class; the module is imported.",
)
@neurons_option
@click.option(
    "--timeout",
    "timeout_s",
    default=300.0,
    show_default=True,
    metavar="S",
    help="Seconds that the program may run.",
)
@checkpoint_options
@as_json
def check(
    file: Path | None,
    backend_command: str | None,
    backend_class: str | None,
    neurons: str | None,
    timeout_s: float,
    env: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Check an artifact, a checkpoint, or somebody else's backend (docs/checkers.md).

    Exit code 0: every check passed, 1: one failed, 2: there was nothing to check.
    """
    from spikeport.toolchain.errors import InputError

    subjects = [value for value in (file, backend_command, backend_class) if value is not None]
    if len(subjects) != 1:
        raise InputError(
            "check",
            "checks one thing",
            got=f"{len(subjects)} of them",
            limit="FILE, --backend-command or --backend-class",
            fix="name one",
        )
    _refuse_foreign(file is not None)
    if file is not None:
        report = _check_file(file, env, given)
    else:
        from spikeport.toolchain.checkers import check_backend

        if neurons is None:
            names = None
        else:
            names = tuple(name.strip() for name in neurons.split(",") if name.strip())
        subject: Any = backend_command if backend_class is None else imported(backend_class)
        report = check_backend(subject, neurons=names, timeout_s=timeout_s)
    emit(as_json, report.to_json(), str(report))
    if not report.passed:
        sys.exit(1)


def _refuse_foreign(is_file: bool) -> None:
    """Options of the other kind of subject would change nothing."""
    from spikeport.toolchain.errors import InputError

    context = click.get_current_context()
    of_backends = {"neurons", "timeout_s"}
    own = ({"file"} if is_file else {"backend_command", "backend_class"} | of_backends) | {
        "as_json"
    }
    typed = [
        name
        for name in context.params
        if name not in own
        and context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    ]
    foreign = [name for name in typed if (name in of_backends) == is_file]
    if foreign:
        names = ", ".join(
            {"timeout_s": "--timeout"}.get(name, "--" + name.replace("_", "-")) for name in foreign
        )
        raise InputError(
            "check",
            f"these options do not belong to a {'file' if is_file else 'backend'}",
            got=names,
            fix="omit them",
        )


def _check_file(file: Path, env: str | None, given: dict[str, Any]) -> Any:
    from spikeport import api
    from spikeport.toolchain.artifact.artifact_file import is_artifact
    from spikeport.toolchain.checkers import check_artifact, check_policy
    from spikeport.toolchain.errors import InputError

    if is_artifact(file):
        options = [name for name, value in given.items() if value is not None] + (
            [] if env is None else ["env"]
        )
        if options:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in options)
            raise InputError(
                file.name, "an artifact says everything itself", got=names, fix="omit them"
            )
        return check_artifact(file)
    choices = read_options(given)
    low = choices.pop("action_low")
    high = choices.pop("action_high")
    if env is None and low is None and high is None:
        policy = api.load_policy(file, **choices)
    else:
        policy = api.load_policy(file, env=env, action_low=low, action_high=high, **choices)
    return check_policy(policy, env)


def imported(name: str) -> Any:
    """The class that MODULE:CLASS names. Raises InputError where there is none."""
    from spikeport.toolchain.errors import InputError

    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (
        Exception
    ) as error:  # a module of the user's raises whatever it likes when it is imported
        fix = "give MODULE:CLASS of a module that Python finds"
        raise InputError(
            "--backend-class",
            f"cannot be imported: {type(error).__name__} {error}",
            got=name,
            fix=fix,
        ) from None
    if not callable(found):
        raise InputError(
            "--backend-class",
            "is no class",
            got=name,
            fix="name a class that implements spikeport.toolchain.simulation.backend.Backend",
        )
    return found


@click.command()
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Absent or empty.",
)
@neurons_option
def golden(output: Path, neurons: str | None) -> None:
    """Write the golden vectors.

    What Lava computed, as JSON that any language reads (docs/checkers.md).
    """
    from spikeport.toolchain.checkers import write_vectors

    cases = write_vectors(
        output,
        None
        if neurons is None
        else tuple(name.strip() for name in neurons.split(",") if name.strip()),
    )
    click.echo(f"wrote {len(cases)} vectors and README.md to {output}")
