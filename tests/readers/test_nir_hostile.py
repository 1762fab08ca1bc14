"""HDF5 files that point elsewhere, claim too much or are broken.

Refused by the object at fault, nothing is followed.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files import hdf5 as hdf5_content
from spikeport.toolchain.files.hdf5 import read_hdf5

h5py = pytest.importorskip("h5py")


def made(build: Callable[[Any], Any]) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        build(file)
    return stream.getvalue()


def deep(file: Any) -> None:
    for _ in range(20):
        file = file.create_group("g")


def many(file: Any) -> None:
    for index in range(hdf5_content.OBJECT_LIMIT + 1):
        file.create_group(str(index))


def link_twice(file: Any) -> None:
    file["a"] = np.zeros(3)
    file["b"] = file["a"]


def cycle(file: Any) -> None:
    file.create_group("a").create_group("b")
    file["a/b/back"] = file["a"]


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(4,))
    file.create_virtual_dataset("v", layout)


def plugin(file: Any) -> None:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((4,))
    creation.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    h5py.h5d.create(file.id, b"z", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4,)), dcpl=creation)


def shared_text(file: Any) -> None:
    file.create_dataset("t", data=["x" * 1000] * 50, dtype=h5py.string_dtype())


HOSTILE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "external link": (
        lambda f: f.__setitem__("e", h5py.ExternalLink("/etc/passwd", "/x")),
        r"f:/e: a link to another file is never followed",
    ),
    "soft link": (
        lambda f: f.__setitem__("s", h5py.SoftLink("/s")),
        r"f:/s: a symbolic link is never followed",
    ),
    "cycle": (cycle, r"f:/a/b/back: is linked a second time"),
    "second link": (link_twice, r"f:/b: is linked a second time"),
    "external numbers": (
        lambda f: f.create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)]),
        r"f:/x: its numbers lie in other files",
    ),
    "virtual": (virtual, r"f:/v: its numbers lie in other files"),
    "plugin": (
        plugin,
        r"f:/z: is packed with a filter that would load a plugin \(got 32015, limit gzip, .*lzf\)",
    ),
    "huge": (
        lambda f: f.create_dataset("w", (2**40,), "f8", chunks=(1024,)),
        r"f:/w: declares too much \(got shape \(1099511627776,\), 8796093022208 bytes",
    ),
    "many huge": (
        lambda f: [f.create_dataset(str(i), (2**26,), "f4", chunks=(64,)) for i in range(4)],
        r"f:/\d: declares too much",
    ),
    "many texts": (
        lambda f: f.create_dataset("t", (30_000,), h5py.string_dtype()),
        r"f:/t: too many texts \(got \(30000,\), limit 20000\)",
    ),
    "references": (
        lambda f: f.create_dataset("r", data=[f.ref], dtype=h5py.ref_dtype),
        r"f:/r: holds neither numbers nor text",
    ),
    "region": (
        lambda f: f.create_dataset("r", (1,), dtype=h5py.regionref_dtype),
        r"f:/r: holds neither numbers nor text",
    ),
    "compound": (
        lambda f: f.create_dataset("c", (2,), [("a", "f4")]),
        r"f:/c: holds neither numbers nor text",
    ),
    "opaque": (
        lambda f: f.create_dataset("o", data=np.zeros(2, "V8")),
        r"f:/o: holds neither numbers nor text",
    ),
    "enum": (
        lambda f: f.create_dataset("m", (2,), h5py.enum_dtype({"A": 1}, "i4")),
        r"f:/m: holds neither numbers nor text",
    ),
    "ragged": (
        lambda f: f.create_dataset("v", (2,), h5py.vlen_dtype("i4")),
        r"f:/v: holds neither numbers nor text",
    ),
    "complex": (
        lambda f: f.create_dataset("z", (2,), "c16"),
        r"f:/z: holds neither numbers nor text \(got complex128",
    ),
    "named type": (
        lambda f: f.__setitem__("d", np.dtype("f8")),
        r"f:/d: neither a group nor an array \(got Datatype\)",
    ),
    "nothing": (lambda f: f.create_dataset("n", data=h5py.Empty("f4")), r"f:/n: holds nothing"),
    "deep": (deep, r"f:/g/g/g.*: groups are nested too deep \(got 13, limit 12\)"),
    "many": (many, r"f: too many objects in the file"),
    "no text": (
        lambda f: f.create_dataset("t", data=b"\xff\xfe", dtype=h5py.string_dtype()),
        r"f:/t: its text is not UTF-8",
    ),
    "escape codes": (
        lambda f: f.__setitem__("\x1b[31m", h5py.SoftLink("/s")),
        r"f:/\\x1b\[31m: a symbolic link",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file(name: str) -> None:
    build, message = HOSTILE[name]
    with pytest.raises(InputError, match=message):
        read_hdf5(made(build), "f")


def test_long_texts_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many entries may point at one text: what is read counts, not what is stored."""
    monkeypatch.setattr(
        hdf5_content, "Budget", lambda reading: hdf5_content_budget(reading, 20_000)
    )
    with pytest.raises(InputError, match=r"f:/t: its texts are too long"):
        read_hdf5(made(shared_text), "f")


hdf5_content_budget = hdf5_content.Budget


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            lambda *_: time.sleep(30),
            r"^f: the HDF5 file is damaged\. the library did not come to an end within 0\.5 s",
        ),
        (lambda *_: os._exit(3), r"^f: the HDF5 file is damaged\. the library crashed on it"),
    ],
    ids=["hangs", "crashes"],
)
def test_library_that_fails(
    monkeypatch: pytest.MonkeyPatch, fault: Callable[..., Any], message: str
) -> None:
    """Damaged heaps make the HDF5 library loop for ever; it never takes this process along."""
    monkeypatch.setattr(hdf5_content, "_group", fault)
    monkeypatch.setattr(hdf5_content, "TIME_LIMIT", 0.5)
    with pytest.raises(InputError, match=message):
        read_hdf5(made(lambda f: f.create_group("g")), "f")


@pytest.mark.parametrize("kind", ["i1", "u2", ">i4", "i8", "f2", ">f4", "f8", "?"])
def test_plain_arrays_come_back(kind: str) -> None:
    values = np.arange(6).reshape(2, 3).astype(kind)
    found = read_hdf5(
        made(lambda f: f.create_dataset("g/a", data=values, compression="gzip", shuffle=True)), "f"
    )["g"]["a"]
    assert found.dtype == values.dtype.newbyteorder("=") and np.array_equal(found, values)


def test_plain_texts_come_back() -> None:
    def build(file: Any) -> None:
        file["one"], file["fixed"] = "\u00e4", np.bytes_(b"IF")
        file.create_dataset("edges", data=[("a", "b"), ("b", "c")])

    found = read_hdf5(made(build), "f")
    assert (found["one"], found["fixed"]) == ("\u00e4", "IF") and found["edges"].tolist() == [
        ["a", "b"],
        ["b", "c"],
    ]
