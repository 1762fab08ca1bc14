"""Messages between two processes over pipes: a JSON header and named arrays as raw bytes.

    8 bytes     length of the JSON text, little endian
    JSON        {"header": ..., "arrays": [[name, dtype, shape], ...]}
    the rest    bytes of each array

Nothing is ever unpickled. numpy and the standard library only.
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


class Alarm(Exception):
    """The third party that watches both ends has something to say."""


class Channel:
    """One end of a conversation; what makes the descriptor `alarm` readable ends any waiting.

    send and receive raise TimeoutError after `deadline` (of time.monotonic; None: never), EOFError
    when the other end is gone, Alarm when the alarm rings.
    """

    def __init__(self, receiving: int, sending: int, alarm: int | None = None) -> None:
        self.receiving = receiving
        self.sending = sending
        self.alarm = alarm
        for descriptor in (receiving, sending):
            os.set_blocking(descriptor, False)

    def send(
        self, header: dict[str, Any], arrays: Arrays | None = None, deadline: float | None = None
    ) -> None:
        """Write a header and named arrays."""
        values = {name: np.asarray(value) for name, value in (arrays or {}).items()}
        text = json.dumps(
            {
                "header": header,
                "arrays": [[name, value.dtype.str, value.shape] for name, value in values.items()],
            }
        ).encode()
        self._write(struct.pack("<Q", len(text)) + text, deadline)
        for value in values.values():
            self._write(value.tobytes(), deadline)

    def receive(self, deadline: float | None = None) -> tuple[dict[str, Any], Arrays]:
        """Read the header and the arrays of the next message."""
        (length,) = struct.unpack("<Q", self._read(8, deadline))
        message = json.loads(self._read(length, deadline))
        arrays = {}
        for name, kind, shape in message["arrays"]:
            dtype = np.dtype(kind)
            if dtype.kind not in "iufb":
                raise ValueError(
                    f"message: array {name} has a type that is not a number (got {kind})."
                )
            arrays[name] = np.frombuffer(
                self._read(int(np.prod(shape)) * dtype.itemsize, deadline), dtype
            ).reshape(shape)
        return message["header"], arrays

    def _read(self, size: int, deadline: float | None) -> bytearray:
        buffer = bytearray(size)
        view = memoryview(buffer)
        filled = 0
        while filled < size:
            try:
                count = os.readv(self.receiving, [view[filled:]])
            except BlockingIOError:
                self._wait(self.receiving, select.POLLIN, deadline)
                continue
            if count == 0:
                raise EOFError("the other end is gone")
            filled += count
        return buffer

    def _write(self, data: bytes, deadline: float | None) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.sending, view) :]
            except BlockingIOError:
                self._wait(self.sending, select.POLLOUT, deadline)
            except BrokenPipeError:
                raise EOFError("the other end is gone") from None

    def _wait(self, descriptor: int, event: int, deadline: float | None) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        if self.alarm is not None:
            poll.register(self.alarm, select.POLLIN)
        remaining = None
        if deadline is not None:
            remaining = max(0.0, deadline - time.monotonic()) * 1000
        ready = [found for found, _ in poll.poll(remaining)]
        if not ready:
            raise TimeoutError
        if descriptor not in ready:
            raise Alarm
