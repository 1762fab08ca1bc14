"""`doctor`: what this computer has for Spikeport."""

from __future__ import annotations

import sys

import click


@click.command()
def doctor() -> None:
    """Say what this computer lacks and the command that fixes it."""
    from spikeport.commands.installation import diagnose, render

    checks = diagnose()
    click.echo(render(checks))
    if not all(check.ok for check in checks):
        sys.exit(1)
