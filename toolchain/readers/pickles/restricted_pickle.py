"""Pickles read as data: every class that they name becomes an inert record.

Only named classes are admitted: those that VecNormalize pickles of Stable-Baselines3 contain, in
old and new versions of it, of gym, gymnasium and numpy. None of them is imported and nothing of
theirs runs: a record keeps the arguments and the state that the pickle gives it. Arrays are rebuilt
from their bytes, numeric types only.
"""

from __future__ import annotations

import io
import math
import pickle
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.display_text import printable, short_reason
from spikeport.toolchain.readers.pickles.pickle_scan import scan_pickle

RECONSTRUCT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
FROM_BUFFER = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
SCALAR = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
ENCODE = "_codecs.encode"  # how protocols before 3 spell bytes, as latin-1 text
EMPTY_BYTES = "__builtin__.bytes"
_GYMS = ("gym", "gymnasium")
_SPACES = (
    "box.Box",
    "dict.Dict",
    "discrete.Discrete",
    "multi_binary.MultiBinary",
    "multi_discrete.MultiDiscrete",
    "tuple.Tuple",
)
_GENERATORS = (
    "_mt19937.MT19937",
    "_pcg64.PCG64",
    "_pcg64.PCG64DXSM",
    "_philox.Philox",
    "_sfc64.SFC64",
)
NUMPY = frozenset(
    ["numpy.dtype", "numpy.ndarray", *RECONSTRUCT, *FROM_BUFFER, *SCALAR, ENCODE, EMPTY_BYTES]
)
ADMITTED = NUMPY | frozenset(
    [
        "stable_baselines3.common.vec_env.vec_normalize.VecNormalize",
        "stable_baselines3.common.running_mean_std.RunningMeanStd",
    ]
    + [f"{gym}.spaces.{space}" for gym in _GYMS for space in _SPACES]
    + [
        f"{gym}.utils.seeding.{name}"
        for gym in _GYMS
        for name in ("RandomNumberGenerator", "RandomNumberGenerator._generator_ctor")
    ]
    + ["collections.OrderedDict"]
    + [
        f"numpy.random._pickle.{name}"
        for name in ("__randomstate_ctor", "__generator_ctor", "__bit_generator_ctor")
    ]
    + [f"numpy.random.{name}" for name in _GENERATORS]
    + [
        "numpy.random.bit_generator.SeedSequence",
        "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
    ]
)


@dataclass(frozen=True)
class PickleKind:
    """What a kind of pickle may name, and how its errors speak."""

    admitted: frozenset[str]
    limit: str
    fix: tuple[str, ...]


VEC_NORMALIZE_PICKLE = PickleKind(
    ADMITTED,
    "the classes of a VecNormalize pickle",
    ("give the vecnormalize.pkl that was saved with the policy", "--normalizer none"),
)


class Record:
    """An inert stand-in for an object of the class `path`: its arguments and its state, as data."""

    path = ""

    arguments: tuple[object, ...]
    state: object

    def __new__(cls, *arguments: object) -> Record:
        """Make the record; a pickle may not call __init__."""
        record = super().__new__(cls)
        record.arguments = arguments
        record.state = None
        return record

    def __init__(self, *arguments: object) -> None:
        """Nothing: a pickle may create an object without it."""

    def __setstate__(self, state: object) -> None:
        """Keep the state as it is."""
        self.state = state

    def __setitem__(self, key: object, value: object) -> None:
        """Entries of ordered dicts are not needed."""

    def field(self, name: str) -> object:
        """An attribute of the pickled object, None where it has none."""
        if isinstance(self.state, dict):
            return self.state.get(name)
        return None


class _Unpickler(pickle.Unpickler):
    """Fresh record classes for every file, so that no file can change what the next one gets."""

    def __init__(self, data: bytes, where: str, kind: PickleKind) -> None:
        super().__init__(io.BytesIO(data))
        self._where = where
        self._kind = kind
        self._classes: dict[str, type[Record]] = {}

    def find_class(self, module: str, name: str) -> type[Record]:
        path = f"{module}.{name}"
        if path not in self._kind.admitted:
            raise InputError(
                self._where,
                "the pickle names something that is not loaded",
                got=printable(path, 100),
                limit=self._kind.limit,
                why="loading it could run code; nothing was executed",
                fix=self._kind.fix,
            )
        return self._classes.setdefault(path, type("Record", (Record,), {"path": path}))


def load_records(data: bytes, where: str, kind: PickleKind = VEC_NORMALIZE_PICKLE) -> object:
    """Read a pickle's top object, built of records, numbers, text and plain containers.

    Args:
        data: The pickle.
        where: The file, for errors.
        kind: Which classes are admitted, and what the file should be, for errors.

    Raises:
        InputError: For a damaged pickle and every class that is not admitted.
    """
    scan_pickle(data, where)
    try:
        return _Unpickler(data, where, kind).load()
    except InputError:
        raise
    # a damaged pickle raises any of a dozen types, MemoryError among them; none may escape
    except Exception as error:
        raise InputError(
            where,
            "not a readable pickle",
            got=short_reason(error),
            why="it is damaged or something else",
            fix=("copy or download the file again", kind.fix[-1]),
        ) from None


def to_float64(
    value: object,
    where: str,
    what: str,
    fix: str = "save the normaliser again with VecNormalize.save()",
) -> NDArray[np.float64]:
    """Return a numeric array or number of a pickle as float64.

    Args:
        value: What `load_records` built.
        where: The file, for errors.
        what: Names the value, for errors.
        fix: What to do about errors.

    Raises:
        InputError: For any other type, or a size that is not that of its bytes.
    """
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63):
        return np.asarray(float(value))
    parts = _array_parts(value)
    if parts is None:
        if isinstance(value, Record):
            kind = value.path
        else:
            kind = type(value).__name__
        raise InputError(
            where,
            f"{what} is not a numeric array",
            got=kind[:100],
            limit="integers and floats",
            why="object arrays could carry code",
            fix=fix,
        )
    dtype, shape, fortran, data = parts
    if math.prod(shape) * dtype.itemsize != len(data):
        raise InputError(
            where,
            f"{what} has a size that does not match its data",
            got=f"{len(data)} bytes",
            limit=f"shape {shape} of {dtype}",
            fix="copy or download the file again",
        )
    return (
        np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C").astype(np.float64)
    )


def _array_parts(value: object) -> tuple[np.dtype, tuple[int, ...], bool, bytes] | None:
    """Return (dtype, shape, Fortran order, bytes) of a pickled array or numpy scalar, else None."""
    if not isinstance(value, Record):
        return None
    if value.path in RECONSTRUCT and isinstance(value.state, tuple) and len(value.state) == 5:
        _, shape, kind, fortran, data = value.state
    elif value.path in FROM_BUFFER and len(value.arguments) == 4:
        data, kind, shape, order = value.arguments
        fortran = order == "F"
    elif value.path in SCALAR and len(value.arguments) == 2:
        (kind, data) = value.arguments
        shape = ()
        fortran = False
    else:
        return None
    dtype = _dtype(kind)
    data = _bytes(data)
    if dtype is None or data is None or not isinstance(shape, tuple):
        return None
    if len(shape) > 8 or not all(type(size) is int and 0 <= size < 2**40 for size in shape):
        return None
    return dtype, shape, bool(fortran), data


def _bytes(value: object) -> bytes | None:
    if isinstance(value, Record) and value.path == EMPTY_BYTES and not value.arguments:
        return b""
    if isinstance(value, Record) and value.path == ENCODE and len(value.arguments) == 2:
        text, encoding = value.arguments
        if (
            isinstance(text, str)
            and encoding == "latin1"
            and all(ord(character) < 256 for character in text)
        ):
            return text.encode("latin1")
        return None
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    return None


def _dtype(record: object) -> np.dtype | None:
    """A boolean, integer or float dtype from its record.

    Arguments ("f8", ...), state (version, "<", ...).
    """
    if not isinstance(record, Record) or record.path != "numpy.dtype" or not record.arguments:
        return None
    code = record.arguments[0]
    if isinstance(record.state, tuple) and len(record.state) > 1:
        order = record.state[1]
    else:
        order = "|"
    if code not in (
        "b1",
        "i1",
        "i2",
        "i4",
        "i8",
        "u1",
        "u2",
        "u4",
        "u8",
        "f2",
        "f4",
        "f8",
    ) or order not in ("<", ">", "|", "="):
        return None
    return np.dtype(f"{order}{code}")
