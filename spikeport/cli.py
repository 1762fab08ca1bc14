"""The command line: a thin shell over spikeport.api (contract section 8).

Results go to stdout (with --json one object and nothing else), progress and log lines to stderr.
Exit code 0: done, 1: a check failed, 2: input or usage wrong.
"""

from __future__ import annotations

from typing import Any

import click

from spikeport import __version__
from spikeport.toolchain import plugins
from spikeport.toolchain.errors import SpikeportError
from spikeport.toolchain.files.display_text import plain


class Commands(click.Group):
    """The commands of the table (toolchain/plugins.py), each imported when it is asked for.

    Spikeport's errors become one line on stderr and their exit code.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in alphabetical order."""
        return sorted(plugins.names("commands"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None for a name that is not in the table."""
        place = plugins.places("commands").get(cmd_name)
        return None if place is None else plugins.resolve(place)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and tell what it raises."""
        try:
            return super().invoke(ctx)
        except SpikeportError as error:
            click.echo(plain(f"{type(error).__name__}: {error}"), err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(130)  # as shells count SIGINT; click's own 1 would read as a failed check


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="spikeport")
def main() -> None:
    """A trained robot policy in, an integer spiking network out: proven, simulated, priced."""


if __name__ == "__main__":
    main()
