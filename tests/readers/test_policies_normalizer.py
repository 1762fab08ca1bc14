"""VecNormalize pickles.

Read as data, in old and new layouts, and refused by name for anything else.
"""

from __future__ import annotations

import collections
import pickle
import re
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.facts.vec_normalize import read_vec_normalize
from spikeport.toolchain.readers.pickles.restricted_pickle import load_records
from tests.support.policy_files import Payload, normalizer, pickled, write

PATH = "stable_baselines3.common.vec_env.vec_normalize.VecNormalize"
STATISTICS = "stable_baselines3.common.running_mean_std.RunningMeanStd"


def stand_in(path: str) -> type:
    """A class that pickles under another module's name, so that no library needs to be there."""
    module, _, name = path.rpartition(".")
    return type(name, (), {"__module__": module, "__qualname__": name})


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Any:
    """make(fields, **statistics) -> a VecNormalize-like object whose classes can be pickled."""

    kinds: dict[str, type] = {}

    def build(path: str, fields: dict[str, Any]) -> Any:
        module, _, name = path.rpartition(".")
        parts = module.split(".")
        for index in range(len(parts)):
            dotted = ".".join(parts[: index + 1])
            if dotted not in sys.modules:
                monkeypatch.setitem(sys.modules, dotted, types.ModuleType(dotted))
        if path not in kinds:
            kinds[path] = stand_in(path)
            monkeypatch.setattr(sys.modules[module], name, kinds[path], raising=False)
        made = kinds[path]()
        made.__dict__.update(fields)
        return made

    return build


def fields(
    make: Any, mean: Any = (0.5, -1.0), var: Any = (2.0, 0.25), **others: Any
) -> dict[str, Any]:
    statistics = make(STATISTICS, {"mean": np.asarray(mean), "var": np.asarray(var), "count": 10.0})
    return {
        "norm_obs": True,
        "obs_rms": statistics,
        "clip_obs": 10.0,
        "epsilon": 1e-8,
        "training": False,
        **others,
    }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["float64", "float32", ">f8", "int64"])
def test_every_layout_of_arrays(tmp_path: Path, make: Any, protocol: int, dtype: str) -> None:
    """Protocols up to 2 spell bytes as a call of _codecs.encode, 5 spells arrays as _frombuffer."""
    saved = make(
        PATH,
        fields(
            make,
            np.array([3, -2], dtype),
            np.array([1, 4], dtype),
            clip_obs=np.float64(5.0),
            old_reward=np.array([]),
        ),
    )
    _, read = read_vec_normalize(write(tmp_path / "v.pkl", pickled(saved, protocol)))
    assert read is not None
    assert (read.mean.tolist(), read.variance.tolist(), read.clip, read.epsilon) == (
        [3.0, -2.0],
        [1.0, 4.0],
        5.0,
        1e-8,
    )
    assert read.mean.dtype == np.float64 and read.mean.dtype.isnative


def test_the_library_itself(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    wrapped = normalizer(tmp_path / "v.pkl", 7, clip_obs=3.0)
    _, read = read_vec_normalize(tmp_path / "v.pkl")
    assert read is not None
    assert (read.mean == wrapped.obs_rms.mean).all() and (
        read.variance == wrapped.obs_rms.var
    ).all()
    assert (read.clip, read.epsilon) == (3.0, wrapped.epsilon)
    normalizer(tmp_path / "off.pkl", 7, norm_obs=False)
    assert read_vec_normalize(tmp_path / "off.pkl")[1] is None


@pytest.mark.parametrize(
    "rng",
    [
        np.random.RandomState(3),
        np.random.default_rng(3),
        np.random.Generator(np.random.MT19937(1)),
        np.random.Generator(np.random.SFC64(1)),
    ],
)
@pytest.mark.parametrize("package", ["gym", "gymnasium"])
def test_spaces_with_random_generators(
    tmp_path: Path, make: Any, package: str, rng: object
) -> None:
    box = make(
        f"{package}.spaces.box.Box",
        {
            "dtype": np.dtype("float32"),
            "_shape": (2,),
            "low": np.ones(2),
            "_np_random": rng,
            "bounded_below": np.array([True, False]),
        },
    )
    saved = make(PATH, fields(make, observation_space=box, action_space=box))
    assert read_vec_normalize(write(tmp_path / "v.pkl", pickled(saved)))[1] is not None


REFUSED = [
    (
        "dict statistics",
        {"obs_rms": {"a": 1}},
        r"v\.pkl: a normaliser of dict observations is not supported",
    ),
    (
        "ordered statistics",
        {"obs_rms": collections.OrderedDict(a=1)},
        "a normaliser of dict observations is not supported",
    ),
    (
        "object array",
        {"clip_obs": np.array([None, 1], object)},
        (
            r"clip_obs is not a numeric array \(got numpy\._?core\.\w+\._\w+, limit integers and"
            r" floats\)"
        ),
    ),
    ("text", {"clip_obs": "10"}, r"clip_obs is not a numeric array \(got str"),
    ("text array", {"epsilon": np.array(["a"])}, r"epsilon is not a numeric array"),
    ("complex", {"epsilon": np.complex128(1)}, r"epsilon is not a numeric array"),
    ("huge", {"clip_obs": 10**400}, r"clip_obs is not a numeric array \(got int"),
    ("two clips", {"clip_obs": np.ones(2)}, "epsilon and clip are not single numbers"),
    ("no statistics", {"obs_rms": None}, "lacks norm_obs or obs_rms"),
    ("no flag", {"norm_obs": None}, "lacks norm_obs or obs_rms"),
    ("negative clip", {"clip_obs": -1.0}, "clips at -1, both must be positive"),
    ("nan clip", {"clip_obs": float("nan")}, "both must be positive"),
]


@pytest.mark.parametrize(
    ("others", "text"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_refused(tmp_path: Path, make: Any, others: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        read_vec_normalize(
            write(tmp_path / "v.pkl", pickled(make(PATH, {**fields(make), **others})))
        )


@pytest.mark.parametrize(
    ("mean", "var", "text"),
    [
        ([np.nan, 0.0], [1.0, 1.0], "mean, variance or epsilon has non-finite values"),
        ([0.0, 0.0], [1.0, np.inf], "mean, variance or epsilon has non-finite values"),
        (
            [0.0, 0.0],
            [1.0, -1.0],
            "divides by the root of -1 and clips at 10, both must be positive",
        ),
        ([0.0, 0.0], [1.0], r"mean \(2,\) and variance \(1,\) are not two flat arrays of one size"),
        ([[0.0, 0.0]], [[1.0, 1.0]], r"mean \(1, 2\) and variance \(1, 2\) are not two flat"),
        ([], [], r"mean \(0,\)"),
    ],
)
def test_statistics_that_cannot_be_used(
    tmp_path: Path, make: Any, mean: Any, var: Any, text: str
) -> None:
    with pytest.raises(InputError, match=text):
        read_vec_normalize(write(tmp_path / "v.pkl", pickled(make(PATH, fields(make, mean, var)))))


def test_dict_space(tmp_path: Path, make: Any) -> None:
    saved = make(
        PATH, fields(make, observation_space=make("gymnasium.spaces.dict.Dict", {"spaces": {}}))
    )
    with pytest.raises(InputError, match="a normaliser of dict observations is not supported"):
        read_vec_normalize(write(tmp_path / "v.pkl", pickled(saved)))


class Reducing:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("stored", "got"),
    [
        (Reducing(eval, "1"), "(__builtin__|builtins).eval"),
        (Reducing(getattr, 1, "real"), "(__builtin__|builtins).getattr"),
        (Reducing(np.load, "x"), "numpy.load"),
        (Reducing(np.frombuffer, b""), "numpy.frombuffer"),
        (Reducing(collections.deque, [1]), "collections.deque"),
        (Path, "pathlib"),
        (
            np.random.RandomState.seed,
            "numpy.random.RandomState.seed|numpy.random.mtrand|__builtin__.getattr",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_anything_else_is_named(tmp_path: Path, stored: object, got: str, protocol: int) -> None:
    with pytest.raises(
        InputError, match=rf"v\.pkl: the pickle names something that is not loaded \(got ({got})"
    ) as caught:
        read_vec_normalize(write(tmp_path / "v.pkl", pickled(stored, protocol)))
    assert "nothing was executed" in str(caught.value)


def test_a_payload_anywhere_is_not_run(tmp_path: Path, make: Any) -> None:
    mark = tmp_path / "mark"
    for stored in (
        Payload(mark),
        [Payload(mark)],
        make(PATH, fields(make, venv=Payload(mark))),
        make(PATH, fields(make, clip_obs=np.array([Payload(mark)], object))),
    ):
        with pytest.raises(
            InputError, match=r"\(got posix\.system, limit the classes of a VecNormalize pickle\)"
        ):
            read_vec_normalize(write(tmp_path / "v.pkl", pickled(stored)))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "the normaliser file is empty"),
        (b"no pickle", r"v\.pkl: not a readable pickle \(got ValueError: at position 0"),
        (pickle.dumps([1, 2])[:-3], "not a readable pickle"),
        (
            pickle.dumps({"mean": 1}),
            r"not a VecNormalize pickle \(got dict, limit VecNormalize of Stable-Baselines3\)",
        ),
        (b"\x80\x04\x8e" + (2**62).to_bytes(8, "little"), "not a readable pickle"),
        (
            b"\x80\x04\x82\x01.",
            r"the pickle is not one that an honest program writes \(got the opcode EXT1",
        ),
        (b"cgymnasium.spaces.box\nBox\n}b.", r"not a readable pickle \(got TypeError"),
        (b"ccollections\nOrderedDict\n.", "not a VecNormalize pickle"),
        (b"(lp0\ng0\na" * 3, "not a readable pickle"),
    ],
)
def test_damaged(tmp_path: Path, data: bytes, text: str) -> None:
    with pytest.raises(InputError, match=text):
        read_vec_normalize(write(tmp_path / "v.pkl", data))


def test_no_file_changes_what_the_next_one_gets() -> None:
    """A pickle may set the state of a class; the classes are made anew for every file."""
    first, second = (load_records(b"cgymnasium.spaces.box\nBox\n.", "v.pkl") for _ in range(2))
    assert first is not second


def test_sizes_that_lie(tmp_path: Path, make: Any) -> None:
    data = pickled(make(PATH, fields(make, np.arange(300.0), np.ones(300))), 4)
    short = re.escape((300).to_bytes(2, "little"))
    assert re.search(b"M" + short, data)  # the shape's BININT2
    lying = re.sub(b"M" + short, b"M" + (301).to_bytes(2, "little"), data)
    with pytest.raises(
        InputError,
        match=(
            r"obs_rms\.mean has a size that does not match its data \(got 2400 bytes, limit shape"
            r" \(301,\) of float64\)"
        ),
    ):
        read_vec_normalize(write(tmp_path / "v.pkl", lying))
