"""A look at a pickle's opcodes before anything builds objects from them.

Lengths, counts and sharing stay small. Refusing names keeps code from running; this keeps a few
hostile bytes from taking all memory or time: memo numbers and lengths that ask for gigabytes,
tuples nested until hashing one overflows the stack, tuples that contain each other twice so that
hashing one takes years.
"""

from __future__ import annotations

import io
import pickletools

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.display_text import short_reason
from spikeport.toolchain.files.zip_archive import COPY_AGAIN

OPCODES = 200_000
TUPLES = 20_000
# tuples fetched again from the memo: honest files fetch none, n of them make at most 2**n visits
SHARED = 20
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_GETS = ("GET", "BINGET", "LONG_BINGET")
_REFUSED = (
    "DUP",
    "EXT1",
    "EXT2",
    "EXT4",
    "INST",
    "OBJ",
    "ADDITEMS",
    "FROZENSET",
    "NEXT_BUFFER",
    "READONLY_BUFFER",
)
# What puts a new object that is no tuple on the stack.
_NO_TUPLE = (
    "EMPTY_LIST",
    "EMPTY_DICT",
    "LIST",
    "DICT",
    "GLOBAL",
    "STACK_GLOBAL",
    "REDUCE",
    "NEWOBJ",
    "NEWOBJ_EX",
    "BYTEARRAY8",
)


def scan_pickle(data: bytes, where: str, start: int = 0) -> int:
    """Return where a pickle ends.

    Args:
        data: Bytes that hold the pickle and perhaps more.
        where: The file, for errors.
        start: Where the pickle begins.

    Raises:
        InputError: For a damaged or disproportionate pickle.
    """
    stream = io.BytesIO(data)
    stream.seek(start)
    count = tuples = shared = memoized = 0
    plain: set[int] = set()  # memo numbers of objects that are no tuples
    previous = ""
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            count += 1
            name = opcode.name
            if name in _PUTS:
                number = memoized if name == "MEMOIZE" else int(argument)  # type: ignore[arg-type]
                memoized += 1
                if number > len(data):
                    raise _disproportionate(where, f"memo number {number}")
                fresh = previous in _NO_TUPLE or previous.endswith(
                    ("STRING", "UNICODE", "UNICODE8", "BYTES", "BYTES8")
                )
                (plain.add if fresh else plain.discard)(number)
            elif name in _GETS:
                shared += int(argument) not in plain  # type: ignore[arg-type]
            tuples += name.startswith("TUPLE")
            previous = name
            if name in _REFUSED:
                raise _disproportionate(where, f"the opcode {name}")
            if count > OPCODES or tuples > TUPLES or shared > SHARED:
                raise _disproportionate(
                    where, f"{count} opcodes, {tuples} tuples, {shared} of them shared"
                )
    except InputError:
        raise
    # pickletools raises ValueError, IndexError and decoding errors on damage; none may escape
    except Exception as error:
        raise InputError(
            where,
            "not a readable pickle",
            got=short_reason(error),
            why="it is damaged or something else",
            fix=COPY_AGAIN,
        ) from None
    return stream.tell()


def _disproportionate(where: str, got: str) -> InputError:
    return InputError(
        where,
        "the pickle is not one that an honest program writes",
        got=got,
        limit=f"{OPCODES} opcodes, plain values",
        fix=COPY_AGAIN,
    )
