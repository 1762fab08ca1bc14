"""What an HDF5 file holds, as nested dicts of plain arrays and texts, read within limits.

HDF5 can point outside itself (external links, external and virtual storage), back into itself
(links that make a cycle) and at code (filter plugins). None of that is followed: hard links,
contiguous or chunked numbers and texts, and the filters that HDF5 brings along are read, everything
else is refused by its path. Attributes are not read.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.display_text import printable, short_reason
from spikeport.toolchain.files.regular_file import CHECKPOINT_LIMIT

# objects in a file, groups in each other, texts in an array
OBJECT_LIMIT = 10_000
DEPTH_LIMIT = 12
TEXT_LIMIT = 20_000
TIME_LIMIT = 8.0  # seconds; a policy's file takes milliseconds
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 32000: "lzf"}  # 32000: h5py's own
NUMBERS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
SAVE_AGAIN = "write it again with nir.write or lava-dl's export_hdf5, which store plain arrays"

Tree = dict[str, Any]  # of Tree, NDArray or str


@dataclass
class Budget:
    """What is left to read of one file; the first walk over it only adds up what is declared."""

    reading: bool
    bytes: int = CHECKPOINT_LIMIT
    objects: int = OBJECT_LIMIT
    seen: set[int] = field(default_factory=set)


def read_hdf5(data: bytes, where: str) -> Tree:
    """Return the content of an HDF5 file.

    Raises InputError that names the object at fault; `where` is the file's name.
    """

    def everything(file: Any) -> Tree:
        h5py = hdf5_library(where)
        # what is declared is added up before anything is read
        _group(h5py, file, where, "", Budget(reading=False), 0)
        return _group(h5py, file, where, "", Budget(reading=True), 0)

    return _apart(data, where, everything)


def top_level(data: bytes, where: str) -> tuple[str, ...]:
    """Return the names of the outermost entries; nothing is opened.

    Raises InputError for a damaged file.
    """
    return _apart(data, where, lambda file: tuple(sorted(file)))


def has_attribute(data: bytes, name: str, where: str) -> bool:
    """Tell whether a file has an attribute; it is not read.

    Args:
        data: The file.
        name: Of the attribute.
        where: The file's name, for errors.

    Raises:
        InputError: For a damaged file.
    """
    return _apart(data, where, lambda file: name in file.attrs)


def _apart(data: bytes, where: str, look: Callable[[Any], Any]) -> Any:
    """Return what `look` finds in the open file, in a process of its own.

    On a damaged file the library may hang or crash.
    """
    hdf5_library(where)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, data, where, look))
    process.start()
    sender.close()
    try:
        if not receiver.poll(TIME_LIMIT):
            raise InputError(
                where,
                "the HDF5 file is damaged",
                why=f"the library did not come to an end within {TIME_LIMIT} s",
                fix=SAVE_AGAIN,
            )
        found, refusal = receiver.recv()
    except EOFError:
        raise InputError(
            where, "the HDF5 file is damaged", why="the library crashed on it", fix=SAVE_AGAIN
        ) from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    if refusal is not None:
        place, what, facts = refusal
        raise InputError(place, what, **facts)
    return found


def _answer(sender: Any, data: bytes, where: str, look: Callable[[Any], Any]) -> None:
    """In the child: (what was found, None), or (None, what an InputError says)."""
    h5py = hdf5_library(where)
    try:
        with h5py.File(h5py.h5f.open_file_image(data)) as file:
            answer: Any = look(file), None
    except InputError as error:
        facts = {
            name: value if value is None else str(value)
            for name, value in (("got", error.got), ("limit", error.limit))
        }
        answer = None, (error.where, error.what, facts | {"why": error.why, "fix": error.fix})
    except Exception as error:  # the library raises whatever its C code reports
        answer = (
            None,
            (where, "the HDF5 file is damaged", {"why": short_reason(error), "fix": SAVE_AGAIN}),
        )
    sender.send(answer)
    sender.close()


def hdf5_library(where: str) -> Any:
    """Import h5py, which takes time, when it is needed."""
    try:
        import h5py
    except ImportError:
        raise InputError(
            where, "an HDF5 file needs h5py", fix="pip install '.[nir]' in the clone"
        ) from None
    return h5py


def _group(h5py: Any, group: Any, where: str, path: str, budget: Budget, depth: int) -> Tree:
    if depth > DEPTH_LIMIT:
        raise InputError(
            f"{where}:{path}",
            "groups are nested too deep",
            got=depth,
            limit=DEPTH_LIMIT,
            fix=SAVE_AGAIN,
        )
    tree: Tree = {}
    for name in group:
        place = f"{where}:{printable(f'{path}/{name}')}"
        budget.objects -= 1
        if budget.objects < 0:
            raise InputError(
                where,
                "too many objects in the file",
                got=f"more than {OBJECT_LIMIT}",
                limit=OBJECT_LIMIT,
                fix="export the actor alone",
            )
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            kind = {"ExternalLink": "a link to another file", "SoftLink": "a symbolic link"}.get(
                type(link).__name__, "a link of unknown kind"
            )
            raise InputError(
                place,
                f"{kind} is never followed",
                limit="objects stored in this file",
                fix=SAVE_AGAIN,
            )
        value = group[name]
        if not isinstance(value, h5py.Group | h5py.Dataset):
            raise InputError(
                place, "neither a group nor an array", got=type(value).__name__, fix=SAVE_AGAIN
            )
        address = h5py.h5o.get_info(value.id).addr
        if address in budget.seen:
            raise InputError(
                place,
                "is linked a second time",
                why="links that lead back would never end",
                fix=SAVE_AGAIN,
            )
        budget.seen.add(address)
        if isinstance(value, h5py.Group):
            tree[name] = _group(h5py, value, where, f"{path}/{name}", budget, depth + 1)
        else:
            tree[name] = _array(h5py, value, place, budget)
    return tree


def _array(h5py: Any, dataset: Any, place: str, budget: Budget) -> NDArray[Any] | str:
    if dataset.is_virtual or dataset.external:
        raise InputError(
            place,
            "its numbers lie in other files",
            limit="numbers stored in this file",
            fix=SAVE_AGAIN,
        )
    creation = dataset.id.get_create_plist()
    foreign = [
        number
        for number in (creation.get_filter(index)[0] for index in range(creation.get_nfilters()))
        if number not in FILTERS
    ]
    if foreign:
        raise InputError(
            place,
            "is packed with a filter that would load a plugin",
            got=foreign[0],
            limit=", ".join(FILTERS.values()),
            fix=SAVE_AGAIN,
        )
    if dataset.shape is None:
        raise InputError(place, "holds nothing", fix=SAVE_AGAIN)
    text = h5py.check_string_dtype(dataset.dtype)
    size = math.prod(dataset.shape) * dataset.dtype.itemsize
    if size > budget.bytes:
        raise InputError(
            place,
            "declares too much",
            got=f"shape {dataset.shape}, {size} bytes",
            limit=f"{CHECKPOINT_LIMIT} bytes in all",
            fix=SAVE_AGAIN,
        )
    budget.bytes -= size
    if not budget.reading:
        if (
            text is None
            and dataset.dtype.newbyteorder("=").str[1:] not in NUMBERS
            or h5py.check_enum_dtype(dataset.dtype) is not None
        ):
            raise InputError(
                place,
                "holds neither numbers nor text",
                got=dataset.dtype,
                limit="integers, floats, text",
                fix=SAVE_AGAIN,
            )
        if text is not None and math.prod(dataset.shape) > TEXT_LIMIT:
            raise InputError(
                place, "too many texts", got=dataset.shape, limit=TEXT_LIMIT, fix=SAVE_AGAIN
            )
        return ""
    if text is not None:
        return _texts(dataset, place, budget)
    return np.asarray(dataset[()]).astype(dataset.dtype.newbyteorder("="), copy=False)


def _texts(dataset: Any, place: str, budget: Budget) -> NDArray[Any] | str:
    found = np.empty(dataset.shape, object)
    for index in np.ndindex(dataset.shape):  # one by one: many entries may share one large text
        value = dataset[index]
        if not isinstance(value, bytes):
            value = bytes(value)
        budget.bytes -= len(value)
        if budget.bytes < 0:
            raise InputError(
                place,
                "its texts are too long",
                limit=f"{CHECKPOINT_LIMIT} bytes in all",
                fix=SAVE_AGAIN,
            )
        try:
            found[index] = value.decode()
        except UnicodeDecodeError:
            raise InputError(place, "its text is not UTF-8", fix=SAVE_AGAIN) from None
    if dataset.shape:
        return found
    return str(found[()])
