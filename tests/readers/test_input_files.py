"""What a command is given in place of the file it wants, and where it is told to write.

Refused at once and by name.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.artifact.artifact_file import save
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.atomic import check_writable
from spikeport.toolchain.files.regular_file import open_regular
from tests.support.front_door import (
    CHEETAH,
    CHEETAH_ENV,
    PENDULUM,
    PENDULUM_ENV,
    QUICK,
    TOY_OPTIONS,
    pendulum,
    process,
    recorded,
    refusal,
    toy_checkpoint,
)
from tests.support.policy_files import write

TOY = ("convert", "toy.pt", "-o", "x.spk", *TOY_OPTIONS, "--action-limit", 1)
READING = {
    "convert": ("convert", "pipe", "-o", "x.spk", "--env", PENDULUM_ENV),
    "inspect": ("inspect", "pipe"),
    "simulate": ("simulate", "pipe"),
    "energy": ("energy", "pipe"),
    "verify": ("verify", "pipe"),
    "check": ("check", "pipe"),
    "observations": (*TOY, "--observations", "pipe"),
    "episode starts": (*TOY, "--observations", "obs.npy", "--episode-starts", "pipe"),
    "normalizer": (*TOY, "--observations", "obs.npy", "--normalizer", "pipe"),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "toy.pt", toy_checkpoint())
    np.save(tmp_path / "obs.npy", recorded(5))
    yield tmp_path
    assert not (tmp_path / "x.spk").exists() and not list(tmp_path.glob(".*"))


# prints what each command says, and waits for ever at the first open of a pipe that nobody writes
# to
COMMANDS = """
import json, sys
from click.testing import CliRunner
from spikeport.cli import main
for arguments in json.loads(sys.argv[1]):
    result = CliRunner().invoke(main, list(map(str, arguments)))
    print(result.exit_code, result.stderr, end="")
"""


def test_a_pipe_is_refused_without_waiting(home: Path) -> None:
    os.mkfifo(home / "pipe")
    ran = process(
        json.dumps([list(map(str, arguments)) for arguments in READING.values()]),
        folder=home,
        code=COMMANDS,
        seconds=60.0,
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert len(lines) == len(READING)
    assert [
        line
        for line in lines
        if not line.startswith("2 InputError: ") or "not a regular file" not in line
    ] == []


def test_open_regular_says_what_else_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as stream:
            assert stream.read() == b"content"
    for name, text in (
        ("pipe", "not a regular file"),
        ("socket", "not a regular file"),
        (".", "Is a directory"),
        ("absent", "No such file"),
    ):
        with pytest.raises(OSError, match=text):
            open_regular(tmp_path / name)


def test_what_was_not_converted_yet(home: Path) -> None:
    policy = spikeport.load_policy(PENDULUM, env=PENDULUM_ENV)
    spikeport.export(
        spikeport.convert(policy, env=PENDULUM_ENV, calibration_steps=200, neuron="if"),
        "nir",
        home / "a.nir",
    )
    for path, kind, call in (
        (PENDULUM, "a Stable-Baselines3 zip", f"convert {PENDULUM.name} -o policy.spk --env ID"),
        (CHEETAH, "a PyTorch checkpoint", f"convert {CHEETAH.name} -o policy.spk --env ID"),
        (home / "a.nir", "a NIR graph", "convert a.nir -o policy.spk`"),
    ):
        for command in ("simulate", "verify", "energy"):
            text = refusal(command, path)
            assert (
                f"{path.name}: not an artifact (got {kind}, limit a .spk file). Fix: convert it"
                f" first: `spikeport {call}" in text
            )


def test_an_artifact_is_not_converted_again(home: Path) -> None:
    save(pendulum(), home / "done.spk")
    assert (
        "done.spk: this is already an artifact (limit a checkpoint). Fix: use it as it is:"
        " `spikeport simulate FILE`"
        in refusal("convert", "done.spk", "-o", "x.spk", "--env", PENDULUM_ENV)
    )
    assert "done.spk: this is already an artifact" in refusal(
        "simulate", "done.spk", "--compare", "--source", "done.spk"
    )
    assert "done.spk: this is already an artifact" in refusal(
        "tune", "done.spk", "-o", "x.spk", "--env", PENDULUM_ENV
    )


@pytest.mark.skipif(
    not Path("/proc/self").is_dir(), reason="no /proc: a folder where nobody can create a file"
)
def test_a_folder_that_takes_no_file_is_found_before_the_work(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        spikeport.api, "load_policy", lambda *_, **__: pytest.fail("the checkpoint was read")
    )
    assert "/proc/x.spk: cannot be written: " in refusal(
        "convert", CHEETAH, "-o", "/proc/x.spk", "--env", CHEETAH_ENV, *QUICK
    )


def test_a_link_is_not_replaced(home: Path) -> None:
    (home / "target.spk").write_bytes(b"before")
    for name, target in (("link.spk", "target.spk"), ("broken.spk", "absent.spk")):
        (home / name).symlink_to(target)
        text = (
            f"{name}: cannot be written: it is a symbolic link. Fix: give -o the path that the link"
            " leads to"
        )
        assert text in refusal("convert", CHEETAH, "-o", name, "--env", CHEETAH_ENV)
        with pytest.raises(InputError, match="it is a symbolic link"):
            save(pendulum(), home / name)
        assert (home / name).is_symlink()
    assert (home / "target.spk").read_bytes() == b"before"
    check_writable(home / "target.spk")
    assert not (home / "absent.spk").exists() and (home / "target.spk").read_bytes() == b"before"
