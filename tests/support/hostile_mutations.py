"""Faults for files: anywhere, inside an archive's members, inside the JSON that a file carries."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.support import spk_files
from tests.support.policy_files import mutate, zip_bytes

Change = Callable[[bytes, np.random.Generator], bytes]
ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1e308,
    2**40,
    "x",
    "",
    [],
    {},
    [[1]],
    {"a": {}},
    "[1. 2.",
    "<class 'gymnasium.spaces.box.Box'>",
    10**400,
    ["nan"],
]


def unpacked(data: bytes) -> dict[str, bytes]:
    """The members of a zip, by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def inside(member: str, change: Change = mutate) -> Change:
    """Mutate one member of a zip and pack it again, checksum and all.

    torch.jit.script numbers a module that this process has scripted before: `linear.py` is then a
    file in the folder `linear`.
    """
    folder = member.removesuffix(".py") + "/"

    def changed(data: bytes, generator: np.random.Generator) -> bytes:
        contents = unpacked(data)
        found = [name for name in contents if name.endswith(member)]
        name = next(iter(found or [name for name in contents if folder in name]))
        return zip_bytes({**contents, name: change(contents[name], generator)})

    return changed


def any_value(saved: Any, generator: np.random.Generator) -> None:
    """Replace one value, at any depth, by something of another kind."""
    places = [(saved, key) for key in (saved if isinstance(saved, dict) else range(len(saved)))]
    target, key = places[generator.integers(len(places))]
    while isinstance(target[key], dict | list) and target[key] and generator.integers(4):
        target = target[key]
        if isinstance(target, dict):
            keys = list(target)
        else:
            keys = list(range(len(target)))
        key = keys[generator.integers(len(keys))]
    target[key] = ODD[generator.integers(len(ODD))]


def json_value(data: bytes, generator: np.random.Generator) -> bytes:
    """Another value somewhere in a JSON text."""
    saved = json.loads(data)
    any_value(saved, generator)
    return json.dumps(saved).encode()


def model_value(data: bytes, generator: np.random.Generator) -> bytes:
    """Another value in what the reader takes from a Stable-Baselines3 zip's `data`."""
    saved = json.loads(data)
    relevant = {
        key: saved[key]
        for key in saved
        if key
        in (
            "policy_class",
            "policy_kwargs",
            "observation_space",
            "action_space",
            "use_sde",
            "clip_range",
        )
    }
    any_value(relevant, generator)
    return json.dumps(saved | relevant).encode()


def pickled_field(data: bytes, generator: np.random.Generator) -> bytes:
    """Damage in one of the pickles that a Stable-Baselines3 zip's `data` carries as text."""
    saved = json.loads(data)
    fields = [
        value for value in saved.values() if isinstance(value, dict) and ":serialized:" in value
    ]
    field = fields[generator.integers(len(fields))]
    field[":serialized:"] = base64.b64encode(
        mutate(base64.b64decode(field[":serialized:"]), generator)
    ).decode()
    return json.dumps(saved).encode()


def resealed_description(data: bytes, generator: np.random.Generator) -> bytes:
    """Another value in an artifact's description, its checksum right."""
    parts = spk_files.parsed(data)
    any_value(parts.description, generator)
    return spk_files.encoded(parts)


def resealed_arrays(data: bytes, generator: np.random.Generator) -> bytes:
    """Damage in the bytes of one array of an artifact, its checksum right."""
    parts = spk_files.parsed(data)
    name = list(parts.arrays)[generator.integers(len(parts.arrays))]
    values = parts.arrays[name]
    raw = bytearray(parts.arrays[name].tobytes())
    for place in generator.integers(len(raw), size=4):
        raw[place] = generator.integers(256)
    parts.arrays[name] = np.frombuffer(bytes(raw), values.dtype).reshape(values.shape)
    return spk_files.encoded(parts)


def toml_value(data: bytes, generator: np.random.Generator) -> bytes:
    """Another value behind one `=` of a TOML text."""
    lines = data.decode().splitlines()
    places = [index for index, line in enumerate(lines) if "=" in line]
    place = places[generator.integers(len(places))]
    odd = [
        "nan",
        "-1",
        "inf",
        "true",
        '""',
        "[]",
        "{}",
        "1e400",
        '"pJ"',
        "9" * 5000,
        "9" * 400,
        "[[[[1]]]]",
        "1979-05-27",
    ]
    lines[place] = f"{lines[place].split('=')[0]}= {odd[generator.integers(len(odd))]}"
    return "\n".join(lines).encode()
