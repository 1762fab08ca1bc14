"""`lava` without its runtime: messages, and what is refused before it starts."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from spikeport.export.lava.messages import Channel
from spikeport.toolchain.errors import BackendError, InputError
from spikeport.toolchain.simulation.lava import runtime as backend
from spikeport.toolchain.simulation.lava.runtime import LavaBackend
from tests.support.networks import random_artifact


def test_time_limit_must_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("soon", "-1", "nan"):
        monkeypatch.setenv(backend.TIME_LIMIT_VARIABLE, text)
        with pytest.raises(
            InputError, match=f"SPIKEPORT_LAVA_TIME_LIMIT: not a number of seconds .got '{text}'"
        ):
            LavaBackend(random_artifact(0))


def test_missing_lava_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "lava_problem", lambda: "lava-nc is not installed")
    with pytest.raises(
        BackendError,
        match=(
            "backend lava: lava-nc is not installed. Lava runs the exported network. Fix:"
            " `.*--ignore-requires-python lava-nc==0.10.0`"
        ),
    ):
        LavaBackend(random_artifact(0))


def test_one_environment_only() -> None:
    with pytest.raises(InputError, match="got 2, limit 1 to 1"):
        LavaBackend(random_artifact(0), rows=2)


def test_messages_carry_arrays_as_bytes_and_never_objects() -> None:
    reading, writing = os.pipe()
    channel = Channel(reading, writing)
    try:
        sent = {
            "a": np.arange(6, dtype=np.int32).reshape(2, 3),
            "b": np.zeros((0, 4)),
            "c": np.array(7, np.int8),
        }
        channel.send({"text": "é"}, sent)
        header, arrays = channel.receive()
        assert header == {"text": "é"} and all(
            np.array_equal(arrays[name], sent[name]) and arrays[name].dtype == sent[name].dtype
            for name in sent
        )
        with pytest.raises(TimeoutError):
            channel.receive(time.monotonic() + 0.05)
        with pytest.raises(TimeoutError):
            channel.send({}, {"a": np.zeros(2**20)}, time.monotonic() + 0.05)
    finally:
        os.close(reading)
        with pytest.raises(EOFError):
            channel.send({})
        os.close(writing)
    reading, writing = os.pipe()
    channel = Channel(reading, writing)
    channel.send({}, {"object": np.array(["text"])})
    with pytest.raises(ValueError, match="not a number"):
        channel.receive()
    os.close(reading)
    os.close(writing)
