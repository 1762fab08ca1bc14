"""Help texts and the version."""

from __future__ import annotations

import pytest

import spikeport
from tests.support.front_door import command, done


@pytest.mark.parametrize(
    "name",
    [
        "convert",
        "simulate",
        "diagnose",
        "verify",
        "energy",
        "assess",
        "export",
        "inspect",
        "check",
        "golden",
        "doctor",
        "demo",
    ],
)
def test_every_command_has_a_help_text(name: str) -> None:
    text = done(name, "--help").stdout
    assert "Usage: " in text and len(text.split("\n")) > 5


def test_version_and_no_command() -> None:
    assert spikeport.__version__ in done("--version").stdout
    assert command().exit_code == 2 and command("convrt").exit_code == 2
