"""The command line: a thin shell over spikeport.api (contract section 8).

Results go to stdout (with --json one object and nothing else), progress and log lines to stderr.
Exit code 0: done, 1: a check failed, 2: input or usage wrong.
"""

from __future__ import annotations

import click

from spikeport import __version__
from spikeport.commands.checkers import check, golden
from spikeport.commands.convert import convert
from spikeport.commands.demo import demo
from spikeport.commands.doctor import doctor
from spikeport.commands.energy import assess, energy
from spikeport.commands.files import export, inspect
from spikeport.commands.simulate import diagnose, simulate, verify
from spikeport.commands.terminal import Group
from spikeport.commands.train import train
from spikeport.commands.tune import tune

COMMANDS = (
    convert,
    tune,
    simulate,
    diagnose,
    verify,
    energy,
    assess,
    export,
    inspect,
    check,
    golden,
    train,
    doctor,
    demo,
)


@click.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="spikeport")
def main() -> None:
    """A trained robot policy in, an integer spiking network out: proven, simulated, priced."""


for command in COMMANDS:
    main.add_command(command)


if __name__ == "__main__":
    main()
