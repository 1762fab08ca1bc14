"""What several files of command tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import spikeport
from tests.support.front_door import pendulum, recorded, toy, toy_checkpoint
from tests.support.policy_files import write


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with a policy and recordings.

    A refused command leaves it as it was, and `mark` absent.
    """
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "toy.pt", toy_checkpoint())
    np.save(tmp_path / "obs.npy", recorded(5))
    yield tmp_path
    assert not (tmp_path / "mark").exists()


@pytest.fixture(scope="module")
def spk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pendulum.spk, in a folder with bare.spk (the same without its source) and toy.spk."""
    folder = tmp_path_factory.mktemp("artifacts")
    spikeport.save(pendulum(), folder / "pendulum.spk")
    spikeport.save(pendulum().without_source(), folder / "bare.spk")
    spikeport.save(toy(), folder / "toy.spk")
    return folder / "pendulum.spk"
