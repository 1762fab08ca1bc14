"""Artifacts on disk: the `.spk` format, specified in docs/format.md.

A safetensors container: tensors by name, and three metadata strings: `format` (`spikeport`),
`sha256` over everything else, and `spikeport`, the canonical JSON of all that is not an array.
Loading executes nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact, EnvironmentRecord, Probe, check
from spikeport.toolchain.artifact.source_record import read_source, source_arrays, source_layers
from spikeport.toolchain.contracts import ActionContract, ObservationContract, TimeFeature
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import open_regular
from spikeport.toolchain.network.codes import Dynamics, SpikeCoding
from spikeport.toolchain.network.integer_network import (
    ActivationTable,
    Encoder,
    Layer,
    Leak,
    Network,
)
from spikeport.toolchain.policies.ann_policy import Provenance
from spikeport.toolchain.readers.detect import FileContent, detect_format

FORMAT = "spikeport"
VERSION = (1, 1)
RECONVERT = "reconvert the policy with `spikeport convert CHECKPOINT -o FILE --env ID`"
MAX_BYTES = 2**31
KINDS = {  # what file_content.detect_format names
    "torch": "a PyTorch checkpoint", "stable-baselines3": "a Stable-Baselines3 zip", "onnx": "an ONNX graph", "torch.export": "a torch.export program",
    "torchscript": "a TorchScript archive", "nir": "a NIR graph", "netx": "a netx network",
}  # fmt: skip

Tensors = dict[str, NDArray[Any]]


def save(artifact: Artifact, path: str | os.PathLike[str]) -> None:
    """Validate and write an artifact; the file appears whole or not at all.

    Raises InputError for an artifact that does not validate or a path that cannot be written.
    """
    from safetensors.numpy import save as serialise

    target = Path(path)
    tensors, metadata = to_parts(artifact, target.name)
    blob = _canonical_header(serialise(tensors, metadata))
    write_atomically(target, lambda temporary: temporary.write_bytes(blob))


def to_parts(artifact: Artifact, where: str) -> tuple[Tensors, dict[str, str]]:
    """A validated artifact as arrays by name and the three texts of the header, checksum included."""
    check(artifact, where)
    tensors, description = _to_parts(artifact)
    try:
        text = canonical_json(description)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(
            where,
            f"cannot be written as JSON: {error}",
            fix="keep finite numbers, text, lists and dicts in calibration and extensions",
        ) from None
    return {name: np.ascontiguousarray(value) for name, value in tensors.items()}, {
        "format": FORMAT,
        "sha256": _digest(tensors, text),
        FORMAT: text,
    }


def checksum(artifact: Artifact) -> str:
    """The `sha256` of the file that `save` would write."""
    tensors, description = _to_parts(artifact)
    return _digest(tensors, canonical_json(description))


def load(path: str | os.PathLike[str]) -> Artifact:
    """Read and validate an artifact.

    Raises InputError that names the first thing found wrong, or all violations of the network's
    rules.
    """
    source = Path(path)
    tensors, metadata = _read(source)
    return from_parts(tensors, metadata, source.name)


def from_parts(tensors: Tensors, metadata: dict[str, str], where: str) -> Artifact:
    """The artifact of what `to_parts` gave, validated. Raises InputError as `load` does."""
    if metadata.get("format") != FORMAT or FORMAT not in metadata:
        raise InputError(
            where,
            "not a Spikeport artifact",
            got=f"format {metadata.get('format')!r}",
            limit=repr(FORMAT),
            fix=RECONVERT,
        )
    try:
        description = json.loads(metadata[FORMAT], parse_constant=_no_constant)
        version = tuple(int(part) for part in description["version"].split("."))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(where, f"damaged description: {error}", fix=RECONVERT) from None
    if (
        description["version"] != ".".join(map(str, version))
        or len(version) != 2
        or not (VERSION[0], 0) <= version <= VERSION
    ):
        raise InputError(
            where,
            "format version is not readable here",
            got=description["version"],
            limit=f"{VERSION[0]}.0 to {VERSION[0]}.{VERSION[1]}",
            fix=f"update Spikeport, or {RECONVERT}",
        )
    if metadata.get("sha256") != _digest(tensors, metadata[FORMAT]):
        raise InputError(
            where,
            "checksum does not match its content",
            got=_digest(tensors, metadata[FORMAT])[:12],
            limit=str(metadata.get("sha256"))[:12],
            why="the file was damaged or edited",
            fix=f"copy it again, or {RECONVERT}",
        )
    try:
        artifact = _from_parts(dict(tensors), description)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise InputError(
            where,
            f"the description does not fit the format: {type(error).__name__} {error}",
            fix=RECONVERT,
        ) from None
    check(artifact, where)
    return artifact


def is_artifact(path: str | os.PathLike[str]) -> bool:
    """Whether a file claims to be an artifact; its content is not validated."""
    try:
        with open_regular(path) as stream:
            length = struct.unpack("<Q", stream.read(8))[0]
            if length < MAX_BYTES:
                header = json.loads(stream.read(length))
            else:
                header = {}
        return header["__metadata__"]["format"] == FORMAT
    except (OSError, struct.error, ValueError, KeyError, TypeError, RecursionError):
        return False


def check_writable(target: Path) -> None:
    """Raise InputError early where `save` could not write later.

    The temporary file beside the target is made and removed.
    """
    _refuse_special(target)
    _temporary_beside(target).unlink(missing_ok=True)


def write_atomically(target: Path, write: Callable[[Path], Any]) -> None:
    """Call `write(temporary)` in the target's folder, then rename.

    On failure nothing is left behind.
    """
    temporary = _temporary_beside(target)
    try:
        _refuse_special(target)
        write(temporary)
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as error:
        raise _unwritable(target, str(error.strerror)) from None
    finally:
        temporary.unlink(missing_ok=True)


def _refuse_special(target: Path) -> None:
    """A rename would replace a folder's, a device's or a link's name, so only a file's is taken."""
    link = os.path.islink(target)
    special = link or target.exists() and not target.is_file()
    if special or not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        if link:
            reason = "it is a symbolic link"
        elif target.is_dir():
            reason = "it is a folder"
        else:
            reason = "it is no file"
        if special:
            reason = reason
        elif target.parent.is_dir():
            reason = "its folder is read-only"
        else:
            reason = "its folder does not exist"
        raise _unwritable(target, reason)


def _temporary_beside(target: Path) -> Path:
    """A new empty file in the target's folder."""
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    except OSError as error:
        raise _unwritable(target, str(error.strerror)) from None
    os.close(handle)
    return Path(name)


def _unwritable(target: Path, reason: str) -> InputError:
    if os.path.islink(target):
        fix = "give -o the path that the link leads to"
    else:
        fix = "give -o a path in an existing folder that you may write to"
    return InputError(str(target), f"cannot be written: {reason}", fix=fix)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def canonical_json(value: Any) -> str:
    """Sorted keys, no spaces, ASCII, no NaN: equal content gives equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _canonical_header(blob: bytes) -> bytes:
    """The same file with its header's keys sorted: the library orders them anew each time."""
    length = struct.unpack("<Q", blob[:8])[0]
    header = canonical_json(json.loads(blob[8 : 8 + length])).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + blob[8 + length :]


def _digest(tensors: Tensors, text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        digest.update(f"\n{name} {value.dtype.str} {value.shape}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def _read(source: Path) -> tuple[Tensors, dict[str, str]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialise

    try:
        with open_regular(source) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MAX_BYTES:
                raise InputError(
                    source.name,
                    "too large for an artifact",
                    got=f"{size} bytes",
                    limit=MAX_BYTES,
                    fix=RECONVERT,
                )
            blob = stream.read()
    except OSError as error:
        raise InputError(
            str(source), f"cannot be read: {error.strerror}", fix="give the path of a .spk file"
        ) from None
    _refuse_other_kinds(FileContent(source, blob, ""))
    try:
        length = struct.unpack("<Q", blob[:8])[0]
        if length <= len(blob) - 8:
            metadata = json.loads(blob[8 : 8 + length]).get("__metadata__")
        else:
            metadata = None
        return deserialise(blob), metadata or {}
    except (
        SafetensorError,
        ValueError,
        struct.error,
        AttributeError,
        KeyError,
        TypeError,
        RecursionError,
    ) as error:
        raise InputError(
            source.name,
            f"not a readable artifact: {type(error).__name__} {error}",
            fix=f"give a .spk file; if it was one, {RECONVERT}",
        ) from None


def _refuse_other_kinds(content: FileContent) -> None:
    """Raise InputError where a file is a checkpoint or a graph.

    A safetensors file says in its header what it is.
    """
    try:
        kind = detect_format(content)
    except InputError:
        return  # neither: the reading says what is wrong
    if kind != "safetensors":
        raise _not_converted(content.name, KINDS[kind])


def _not_converted(where: str, kind: str) -> InputError:
    call = f"spikeport convert {where} -o policy.spk{'' if kind == KINDS['nir'] else ' --env ID'}"
    return InputError(
        where, "not an artifact", got=kind, limit="a .spk file", fix=f"convert it first: `{call}`"
    )


# --- to and from parts
# ------------------------------------------------------------------------------

LAYER_ARRAYS = {
    "weights": np.int8,
    "bias": np.int32,
    "row_scale": np.float64,
    "threshold": np.int32,
    "payload_low": np.int32,
    "payload_high": np.int32,
    "unit": np.float64,
}
TABLE_ARRAYS = {
    "start": np.int32,
    "multiplier": np.int32,
    "offset": np.int32,
    "shift": np.int32,
    "error_bound": np.float64,
}
PROVENANCE = (
    "file",
    "sha256",
    "format",
    "family",
    "normalizer_file",
    "normalizer_sha256",
    "assumptions",
)
OBSERVATION_ARRAYS = ("mean", "variance")
ACTION_ARRAYS = ("scale", "offset", "low", "high")
KNOWN_KEYS = {
    "version",
    "layers",
    "timesteps",
    "alpha",
    "resync_every",
    "observation",
    "action",
    "provenance",
    "calibration",
    "environment",
    "source",
    "source_macs",
    "memory",
    "extensions",
    "spike_coding",
}
DYNAMICS = ("current_decay", "voltage_decay", "weight_exponent", "bias_in_current")
SPIKE_ARRAYS = ("mean", "std", "decoder_weights", "decoder_bias")


def _to_parts(artifact: Artifact) -> tuple[Tensors, dict[str, Any]]:
    network = artifact.network
    tensors = {}
    tensors["encoder.scale"], tensors["encoder.limit"] = (
        network.encoder.scale.astype(np.float64),
        network.encoder.limit.astype(np.int32),
    )
    layers = []
    for index, layer in enumerate(network.layers):
        tensors |= {
            f"layers.{index}.{name}": getattr(layer, name).astype(kind)
            for name, kind in LAYER_ARRAYS.items()
        }
        if layer.table is not None:
            tensors |= {
                f"layers.{index}.table.{name}": getattr(layer.table, name).astype(kind)
                for name, kind in TABLE_ARRAYS.items()
            }
        layers.append(
            {
                "neuron": layer.neuron,
                "activation": layer.activation,
                "trigger": layer.trigger,
                "hold_input": layer.hold_input,
                "table": layer.table is not None,
            }
            | (
                {}
                if layer.dynamics is None
                else {"dynamics": {name: getattr(layer.dynamics, name) for name in DYNAMICS}}
            )
            | ({} if layer.leak is None else {"leak_shift": layer.leak.shift})
        )
        if layer.leak is not None:
            tensors[f"layers.{index}.leak_keep"] = layer.leak.keep.astype(np.int32)
    coding = network.spike_coding
    if coding is not None:
        tensors |= {
            f"spike_coding.{name}": value.astype(np.float64)
            for name in SPIKE_ARRAYS
            if (value := getattr(coding, name)) is not None
        }
    tensors["probe.observations"], tensors["probe.flags"] = (
        artifact.probe.observations.astype(np.float64),
        artifact.probe.flags.astype(np.uint8),
    )
    for prefix, contract, names in (
        ("observation", artifact.observation, OBSERVATION_ARRAYS),
        ("action", artifact.action, ACTION_ARRAYS),
    ):
        tensors |= {
            f"{prefix}.{name}": getattr(contract, name).astype(np.float64)
            for name in names
            if getattr(contract, name) is not None
        }
    if artifact.source is not None:
        for index, dense in enumerate(artifact.source.layers):
            tensors |= {
                f"source.{index}.{name}": getattr(dense, name).astype(np.float32)
                for name in source_arrays(dense)
            }
    observation = artifact.observation
    action = artifact.action
    provenance = artifact.provenance
    environment = artifact.environment
    time = observation.time_feature
    description = {
        "version": ".".join(map(str, VERSION)),
        "layers": layers,
        "timesteps": network.timesteps,
        "alpha": network.alpha,
        "resync_every": network.resync_every,
        "observation": {
            "size": observation.size,
            "epsilon": observation.epsilon,
            "clip": observation.clip,
            "names": list(observation.names),
            "units": list(observation.units),
            "time_feature": (
                None if time is None else {"max_steps": time.max_steps, "test_mode": time.test_mode}
            ),
        },
        "action": {
            "size": action.size,
            "squash": action.squash,
            "names": list(action.names),
            "units": list(action.units),
        },
        "provenance": (
            {name: getattr(provenance, name) for name in PROVENANCE}
            | {"assumptions": list(provenance.assumptions)}
        ),
        "calibration": artifact.calibration,
        "environment": (
            None
            if environment is None
            else {
                "id": environment.id,
                "kwargs": environment.kwargs,
                "wrappers": list(environment.wrappers),
                "control_period_s": environment.control_period_s,
                "versions": environment.versions,
            }
        ),
        "spike_coding": (
            None
            if coding is None
            else {"threshold": coding.threshold, "transform": coding.transform}
        ),
        "source": None if artifact.source is None else source_layers(artifact.source),
        "source_macs": artifact.source_macs,
        "memory": artifact.memory,
        "extensions": artifact.extensions,
    }
    return tensors, description


def _take(tensors: Tensors, name: str, kind: type | None = None) -> NDArray[Any]:
    if name not in tensors:
        raise InputError("artifact", f"array {name} is missing", fix=RECONVERT)
    value = tensors.pop(name)
    if kind is not None and value.dtype != kind:
        raise InputError(
            "artifact",
            f"array {name} has the wrong type",
            got=value.dtype,
            limit=np.dtype(kind),
            fix=RECONVERT,
        )
    return value


def _from_parts(tensors: Tensors, description: dict[str, Any]) -> Artifact:
    encoder = Encoder(
        _take(tensors, "encoder.scale", np.float64), _take(tensors, "encoder.limit", np.int32)
    )
    layers = []
    for index, entry in enumerate(description["layers"]):
        _only(
            entry,
            f"layer {index}",
            "neuron",
            "activation",
            "trigger",
            "hold_input",
            "table",
            "dynamics",
            "leak_shift",
        )
        if entry["table"]:
            table = ActivationTable(
                **{
                    name: _take(tensors, f"layers.{index}.table.{name}", kind)
                    for name, kind in TABLE_ARRAYS.items()
                }
            )
        else:
            table = None
        arrays = {
            name: _take(tensors, f"layers.{index}.{name}", kind)
            for name, kind in LAYER_ARRAYS.items()
        }
        layers.append(
            Layer(
                neuron=str(entry["neuron"]),
                activation=str(entry["activation"]),
                trigger=_integer(entry["trigger"]),
                hold_input=bool(entry["hold_input"]),
                table=table,
                leak=(
                    None
                    if "leak_shift" not in entry
                    else Leak(
                        _take(tensors, f"layers.{index}.leak_keep", np.int32),
                        _integer(entry["leak_shift"]),
                    )
                ),
                dynamics=(
                    None if entry.get("dynamics") is None else _dynamics(entry["dynamics"], index)
                ),
                **arrays,
            )
        )
    coding = None
    facts = description.get("spike_coding")
    if facts is not None:
        _only(facts, "spike coding", "threshold", "transform")
        arrays = {
            name: _take(tensors, f"spike_coding.{name}", np.float64)
            for name in SPIKE_ARRAYS
            if f"spike_coding.{name}" in tensors
        }
        coding = SpikeCoding(
            _integer(facts["threshold"]), transform=str(facts["transform"]), **arrays
        )
    timesteps, alpha, resync_every = (
        _integer(description[name]) for name in ("timesteps", "alpha", "resync_every")
    )
    network = Network(encoder, tuple(layers), timesteps, alpha, resync_every, coding)
    facts = _only(
        description["observation"],
        "observation",
        "size",
        "epsilon",
        "clip",
        "names",
        "units",
        "time_feature",
    )
    if facts["time_feature"] is None:
        time = None
    else:
        time = _only(facts["time_feature"], "time feature", "max_steps", "test_mode")
    observation = ObservationContract(
        size=_integer(facts["size"]),
        epsilon=_number(facts["epsilon"]),
        clip=None if facts["clip"] is None else _number(facts["clip"]),
        names=_texts(facts["names"]),
        units=_texts(facts["units"]),
        time_feature=(
            None
            if time is None
            else TimeFeature(_integer(time["max_steps"]), bool(time["test_mode"]))
        ),
        **{
            name: _take(tensors, f"observation.{name}", np.float64)
            for name in OBSERVATION_ARRAYS
            if f"observation.{name}" in tensors
        },
    )
    facts = _only(description["action"], "action", "size", "squash", "names", "units")
    arrays = {
        name: _take(tensors, f"action.{name}", np.float64)
        for name in ACTION_ARRAYS
        if f"action.{name}" in tensors
    }
    action = ActionContract(
        size=_integer(facts["size"]),
        squash=facts["squash"],
        names=_texts(facts["names"]),
        units=_texts(facts["units"]),
        **arrays,
    )
    facts = _only(description["provenance"], "provenance", *PROVENANCE)
    _texts([value for name, value in facts.items() if name != "assumptions"])
    provenance = Provenance(**{**facts, "assumptions": _texts(facts["assumptions"])})
    source = None
    if description["source"] is not None:
        source = read_source(
            tensors, description["source"], network, observation, action, provenance
        )
    facts = description["environment"]
    environment = None
    if facts is not None:
        period = _only(
            facts, "environment", "id", "kwargs", "wrappers", "control_period_s", "versions"
        )["control_period_s"]
        environment = EnvironmentRecord(
            str(facts["id"]),
            dict(facts["kwargs"]),
            _texts(facts["wrappers"]),
            None if period is None else _number(period),
            dict(facts["versions"]),
        )
    probe = Probe(
        _take(tensors, "probe.observations", np.float64), _take(tensors, "probe.flags", np.uint8)
    )
    if tensors:
        raise InputError("artifact", f"unknown arrays {', '.join(sorted(tensors))}", fix=RECONVERT)
    unknown = {name: value for name, value in description.items() if name not in KNOWN_KEYS}
    extensions = unknown | dict(description["extensions"])
    return Artifact(
        network,
        observation,
        action,
        provenance,
        probe,
        dict(description["calibration"]),
        environment,
        source,
        _integer(description["source_macs"]),
        str(description["memory"]),
        extensions,
    )


def _dynamics(facts: dict[str, Any], index: int) -> Dynamics:
    _only(facts, f"the dynamics of layer {index}", *DYNAMICS)
    current_decay, voltage_decay, exponent = (_integer(facts[name]) for name in DYNAMICS[:3])
    if not isinstance(facts["bias_in_current"], bool):
        raise ValueError(f"{facts['bias_in_current']!r} is not true or false")
    return Dynamics(current_decay, voltage_decay, exponent, facts["bias_in_current"])


def _only(facts: dict[str, Any], where: str, *names: str) -> dict[str, Any]:
    """`facts`, or an InputError.

    Inside an entry nothing unknown could be kept, so nothing is dropped.
    """
    unknown = sorted(set(facts) - set(names))
    if unknown:
        raise InputError(
            "artifact",
            f"unknown keys {', '.join(unknown)} in {where}",
            limit=", ".join(names),
            fix=RECONVERT,
        )
    return facts


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{values!r} is not a list of texts")
    return tuple(values)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**53:
        raise ValueError(f"{value!r} is not an integer in range")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)
