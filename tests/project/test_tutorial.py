"""docs/tutorial.md is run as it stands: every `sh` and `python` block, in order, in one folder.

A `text` block behind it shows lines of what the block prints, in order; `...` stands for any text.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

for package in ("torch", "stable_baselines3", "onnx", "onnxruntime"):
    pytest.importorskip(package)

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
POLICY = Path("examples") / "policies" / "td3-InvertedDoublePendulum-v5.zip"


@dataclass
class Block:
    """A program of the page and the lines that it has to print."""

    language: str
    program: str
    expected: list[str]


def blocks(page: str) -> list[Block]:
    found: list[Block] = []
    for language, content in FENCE.findall(page):
        if language == "text":
            found[-1].expected = content.splitlines()
        elif language in ("sh", "python"):
            found.append(Block(language, content, []))
        else:
            assert language == "console", f"a block of {language} is not run"
    return found


def missing(expected: list[str], printed: str) -> Iterator[str]:
    """Expected lines that were not printed in this order."""
    lines = iter(printed.splitlines())
    for wanted in expected:
        pattern = ".*".join(map(re.escape, wanted.rstrip().split("...")))
        if not any(re.fullmatch(pattern, line.rstrip()) for line in lines):
            yield wanted
            return


def test_expected_lines_are_found_in_order() -> None:
    printed = "one 1\ntwo\nthree\n"
    assert list(missing(["one ...", "three"], printed)) == []
    assert list(missing(["three", "two"], printed)) == ["two"]
    assert list(missing(["on"], printed)) == ["on"]


def test_the_tutorial_runs_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / POLICY).parent.mkdir(parents=True)
    shutil.copy(ROOT / POLICY, tmp_path / POLICY)
    binaries = tmp_path / "bin"
    binaries.mkdir()
    command = binaries / "spikeport"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m spikeport.cli "$@"\n')
    command.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    programs = {"sh": ["sh", "-ec"], "python": [sys.executable, "-c"]}
    found = blocks(TUTORIAL.read_text())
    assert [block.language for block in found].count("sh") >= 4
    for block in found:
        done = subprocess.run(
            [*programs[block.language], block.program],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{block.program}\n{done.stdout}"
        assert not list(missing(block.expected, done.stdout)), f"{block.program}\n{done.stdout}"
    assert not list(tmp_path.glob("MUJOCO_LOG*"))
