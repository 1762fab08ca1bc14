"""Work on parts of a minibatch or of a layer at once, by threads: compiled kernels and torch's products let other threads run.

A part takes a millisecond or less, and a thread that sleeps may take as long to wake. So a thread that has nothing to do looks for work
for some milliseconds before it sleeps, as OpenMP's threads do.
"""

from __future__ import annotations

import functools
import os
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numba
import numpy as np
import torch
from llvmlite import ir
from numba import extending, types
from numba.core.cgutils import get_or_insert_function

Found = TypeVar("Found")
intrinsic: Any = extending.intrinsic
LOOKS = 200_000  # before a thread sleeps
LINE = 8  # int64 of a line of cache: threads do not wait for each other's neighbours
PAUSE = {"x86_64": "llvm.x86.sse2.pause", "AMD64": "llvm.x86.sse2.pause"}.get(platform.machine(), "")


def bounds(size: int, parts: int) -> list[int]:
    """Where the parts of `size` things begin, and the end: sizes differ by one at the most."""
    return [size * part // parts for part in range(parts + 1)]


def share(run: Callable[[int], Found], parts: int) -> list[Found]:
    """run(part) of all parts, the first in this thread and the others at once in threads that stay; one after the other where those
    are busy for somebody else. Raises what the first part that failed raised, when all have ended.
    """
    if parts == 1 or not _free.acquire(blocking=False):
        return [run(part) for part in range(parts)]
    found: list[Any] = [None] * parts
    failed: list[tuple[int, BaseException]] = []

    def work(part: int) -> None:
        try:
            found[part] = run(part)
        except BaseException as error:  # goes on in the thread that asked
            failed.append((part, error))

    try:
        others = [_worker(part) for part in range(1, parts)]
        for part, other in enumerate(others, 1):
            other.begin(functools.partial(work, part))
        work(0)
        for other in others:
            other.wait()
    finally:
        _free.release()
    if failed:
        raise min(failed, key=lambda failure: failure[0])[1]
    return found


def threads() -> int:
    """torch's number of threads; what it was outside, within one_thread_each."""
    return _outside[0] if _outside else torch.get_num_threads()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """torch's own operations stay in the thread that calls them. The number is the process's: the last to leave restores it."""
    with _counting:
        _outside.append(threads())
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _counting:
            number = _outside.pop()
            if not _outside:
                torch.set_num_threads(number)


class _Worker:
    """A thread that does one thing after the other; who begins one waits for it before the next."""

    def __init__(self, name: str) -> None:
        self.begun, self.done = np.zeros(LINE, np.int64), np.zeros(LINE, np.int64)
        self.work: Callable[[], None] = lambda: None
        self.lock, self.alarm, self.asleep = threading.Lock(), threading.Semaphore(0), False
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def begin(self, work: Callable[[], None]) -> None:
        self.wait()  # for work whose caller was interrupted
        self.work = work
        with self.lock:
            self.begun[0] += 1
            if self.asleep:
                self.asleep = False
                self.alarm.release()

    def wait(self) -> None:
        while self.done[0] != self.begun[0]:
            _look(self.done.ctypes.data, self.done[0], LOOKS)

    def _run(self) -> None:
        before = 0
        while True:
            if not _look(self.begun.ctypes.data, before, LOOKS):
                with self.lock:
                    self.asleep = bool(self.begun[0] == before)
                    sleeps = self.asleep
                while sleeps and self.begun[0] == before:
                    self.alarm.acquire(timeout=0.5)  # whoever was interrupted before the alarm is heard, too
            before += 1
            self.work()
            self.work = lambda: None
            self.done[0] = before


@functools.cache
def _worker(part: int) -> _Worker:
    return _Worker(f"training {part}")


def _forked() -> None:
    """Threads do not come along, nor what they hold."""
    global _free, _counting
    _worker.cache_clear()
    _free, _counting = threading.Lock(), threading.Lock()


_free, _counting = threading.Lock(), threading.Lock()
_outside: list[int] = []
os.register_at_fork(after_in_child=_forked)


@intrinsic
def _read(context, address):  # noqa: ANN001, ANN202
    """The int64 at an address, as other threads have left it, after a moment that leaves the core to others."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if PAUSE:
            builder.call(get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), []), PAUSE), [])
        return builder.load_atomic(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()), "acquire", 8)

    return types.int64(types.intp), generate


@numba.njit(cache=True, nogil=True)
def _look(address, before, looks):  # noqa: ANN001, ANN202
    """Whether the number at an address is another than before, within so many looks."""
    for _ in range(looks):
        if _read(address) != before:
            return True
    return False
