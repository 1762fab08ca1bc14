"""Observation and action spaces as a Stable-Baselines3 zip writes them for human readers.

The zip also holds each space as a pickle; that one is never decoded. What is read here is text such
as `"_shape": [6], "low": "[-1. -1.]"` or `Box(-1.0, 1.0, (6,), float32)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.files.display_text import printable, words

Float = NDArray[np.float64]
_CLASS = re.compile(r"<class '(?:gym|gymnasium)\.spaces\.\w+\.(\w+)'>")
_BOX = re.compile(r"Box\((\S{1,40}), (\S{1,40}), \((\d{1,7}),\), (\w+)\)")
_DISCRETE = re.compile(r"Discrete\((\d{1,7})\)")
REFUSED = {
    "Dict": "a dict of observations",
    "Tuple": "a tuple space",
    "Discrete": "a discrete space",
    "MultiDiscrete": "a multi-discrete space",
    "MultiBinary": "a multi-binary space",
}


@dataclass(frozen=True, eq=False)
class BoxText:
    """A flat Box: its size and, where the text gives them in full, its bounds [size] (float64)."""

    size: int
    low: Float | None = None
    high: Float | None = None


@dataclass(frozen=True)
class DiscreteText:
    """One choice of `size`, counted from 0."""

    size: int


def read_action_space(entry: object, problems: list[str]) -> BoxText | DiscreteText | None:
    """The flat Box or the Discrete in `entry`, the JSON value of action_space.

    As read_space otherwise.
    """
    if isinstance(entry, dict):
        text = words(entry.get(":type:"))
    else:
        text = words(entry)
    plain = _DISCRETE.fullmatch(text)
    found = _CLASS.fullmatch(text)
    if plain:
        return DiscreteText(int(plain.group(1)))
    if found is None or found.group(1) != "Discrete" or not isinstance(entry, dict):
        return read_space(entry, "action_space", problems, "a flat Box or a Discrete")
    count, start = (str(entry.get(key, "0"))[:9] for key in ("n", "start"))
    if not count.isdecimal() or int(count) < 1 or start != "0":
        problems.append(
            f"action_space has {printable(count, 20)} choices counted from {printable(start, 20)},"
            " at least one counted from 0 is supported"
        )
        return None
    return DiscreteText(int(count))


def read_space(
    entry: object, name: str, problems: list[str], supported: str = "a flat Box"
) -> BoxText | None:
    """Read the flat Box in an entry; None for none, with a problem for any other space.

    Args:
        entry: The JSON value of observation_space or action_space; None where there is no entry.
        name: Of the entry.
        problems: Gets a line for any other space.
        supported: What is read, for the problem.
    """
    if entry is None:
        return None
    if isinstance(entry, dict):
        text = words(entry.get(":type:"))
    else:
        text = words(entry)
    box = _BOX.fullmatch(text)
    if box:
        size = int(box.group(3))
        dtype = box.group(4)
        return _box(
            size,
            _numbers([box.group(1)], size, dtype),
            _numbers([box.group(2)], size, dtype),
            name,
            problems,
        )
    found = _CLASS.fullmatch(text)
    if found:
        kind = found.group(1)
    else:
        kind = text.split("(")[0]
    if kind != "Box" or not isinstance(entry, dict):
        unknown = f"of an unknown kind ({printable(text, 60) or type(entry).__name__})"
        what = REFUSED.get(kind, unknown)
        problems.append(f"{name} is {what}, only {supported} is supported")
        return None
    shape = entry.get("_shape", entry.get("shape"))
    if (
        not isinstance(shape, list)
        or len(shape) != 1
        or type(shape[0]) is not int
        or not 0 < shape[0] < 10**7
    ):
        if isinstance(shape, list) and all(type(size) is int for size in shape[:4]):
            shown = shape[:4]
        else:
            shown = printable(shape)
        problems.append(f"{name} has the shape {shown}, only one dimension is supported")
        return None
    low, high = (
        _array(entry.get(bound), shape[0], words(entry.get("dtype"))) for bound in ("low", "high")
    )
    return _box(shape[0], low, high, name, problems)


def _box(
    size: int, low: Float | None, high: Float | None, name: str, problems: list[str]
) -> BoxText:
    if low is None or high is None:
        return BoxText(size)
    if np.isnan([low, high]).any():
        problems.append(f"{name} has bounds that are not numbers")
    return BoxText(size, low, high)


def _array(text: object, size: int, dtype: str) -> Float | None:
    """`[-1. -1.]`, the text of a numpy array; None where it is abridged or not of this size."""
    if not isinstance(text, str) or not text.startswith("[") or not text.endswith("]"):
        return None
    return _numbers(text[1:-1].split(), size, dtype)


def _numbers(words: list[str], size: int, dtype: str) -> Float | None:
    """Read decimal words, one for all or one each, as [size] float64.

    They are rounded to float32 first where that is the dtype.
    """
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        return None
    if values.size not in (1, size):
        return None
    with np.errstate(over="ignore"):
        if dtype == "float32":
            exact = values.astype(np.float32).astype(np.float64)
        else:
            exact = values
    return np.broadcast_to(exact, (size,)).copy()
