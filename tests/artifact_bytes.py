"""What conversion writes, case by case, as hashes: python tests/artifact_bytes.py [NAME ...]

The table of cases behind tests/test_artifact_bytes.py. The exit code says whether the cases still
give what tests/golden/artifact_bytes.json records. With --write what comes out is recorded, with
--write-files the small files in tests/golden/spk are written anew. The cases of public policies
need the variable SPIKEPORT_POLICIES; --write keeps their records where it is unset.

Four hashes (SHA-256) for a case, over what `spikeport.save` wrote:

    file      the bytes as they are; left out where they name versions of installed packages, that
              is where an environment is recorded. Comparable within one format version.
    tensors   name, dtype, shape and bytes of every tensor.
    metadata  the canonical JSON of METADATA, the entries of format 1.1, without what NEUTRAL names.
              An entry that a later format adds is therefore no difference.
    network   the tensors of NETWORK_TENSORS and the entries of NETWORK_METADATA alone. The only one
              for `auto`, whose record of the closed loop is no promise.

NEUTRAL, removed before hashing because it changes without a change of the conversion:

    version               of the format
    environment.versions  of Gymnasium and of MuJoCo
    sha256                of the header, over all of the above; `tensors` and `metadata` replace it

Nothing else is removed: no artifact holds a date, a path or the project's version, and checkpoints
are written here with fixed names and fixed bytes, so their names and hashes stay in.

All cases run in one process with the variables of `pinned`: BLAS, NumPy, PyTorch and oneDNN take
the kernels of a processor with AVX2 even where there is AVX-512, on one thread, so that sums are
summed alike on all such machines. numba keeps its own: without fastmath LLVM reorders no sum. The
cases `shipped/pendulum` hold the states of MuJoCo, so those of another release of it may differ.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if "tests" not in sys.modules or ROOT / "tests" not in map(Path, sys.modules["tests"].__path__):
    sys.path.insert(0, str(ROOT))  # lava-dl installs a package `tests`
    sys.modules["tests"] = types.ModuleType("tests")
    sys.modules["tests"].__path__ = [str(ROOT / "tests")]

from tests.policy_files import pickled  # noqa: E402

import spikeport  # noqa: E402
from spikeport import Artifact  # noqa: E402
from tests import spk_files  # noqa: E402
from toolchain.contracts import TimeFeature  # noqa: E402

GOLDEN = ROOT / "tests" / "golden" / "artifact_bytes.json"
SPK = ROOT / "tests" / "golden" / "spk"
SHIPPED = ROOT / "examples" / "policies"
METADATA = (
    "action", "alpha", "calibration", "environment", "extensions", "layers", "memory",
    "observation", "provenance", "resync_every", "source", "source_macs", "spike_coding",
    "timesteps", "version",
)  # fmt: skip
NEUTRAL = (("version",), ("environment", "versions"))
NETWORK_TENSORS = ("encoder.", "layers.", "spike_coding.")
NETWORK_METADATA = ("layers", "timesteps", "alpha", "resync_every", "spike_coding")
PINNED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Haswell",
    "MKL_CBWR": "COMPATIBLE",  # the one mode that MKL has on processors of every maker
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
BEYOND_AVX2 = ("AVX512", "X86_V4")
CHANNELS = 5
ACTIONS = 2
WIDTHS = {
    "flat": (CHANNELS, ACTIONS),
    "tiny": (CHANNELS, 8, 6, ACTIONS),
    "deep": (CHANNELS, 16, 14, 12, ACTIONS),
    "sides": (4, 16, 12, ACTIONS),
}
DRIFT = "tests.toy_environments:Drift-v0"
SIDES = "tests.toy_environments:Sides-v0"
Hashes = dict[str, str]
Recorded = dict[str, Any]  # "format" of the files, "cases" by name


# --- one process with pinned kernels ------------------------------------------------------------


def pinned() -> dict[str, str]:
    """The variables for a process whose floating point does not depend on the machine."""
    from numpy._core import _multiarray_umath as kernels

    found = kernels.__cpu_features__
    dispatched = [name for name in kernels.__cpu_dispatch__ if name.startswith(BEYOND_AVX2)]
    off = " ".join(name for name in dispatched if found[name])
    numpy_off = {"NPY_DISABLE_CPU_FEATURES": off} if off else {}
    python = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default::ImportWarning"}
    return {**os.environ, **PINNED, **numpy_off, **python}


def run_pinned(names: Iterable[str], seconds: float = 1200) -> Recorded:
    """The hashes of these cases and the format that is written, from a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "hashes.json"
        _child(["--child", str(answer), *names], folder, seconds)
        return json.loads(answer.read_text())


def write_files() -> dict[str, Hashes]:
    """Write the small files anew, in a process of their own; what is recorded of them."""
    SPK.mkdir(exist_ok=True)
    _child(["--child-files", str(SPK)], str(SPK), 600)
    blobs = {name: (SPK / name).read_bytes() for name in SMALL_FILES}
    return {name: {"format": version(blob), **hashes(blob)} for name, blob in blobs.items()}


def _child(arguments: list[str], folder: str, seconds: float) -> None:
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    done = subprocess.run(
        command,
        env=pinned(),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the conversions ended with {done.returncode}:\n{done.stderr}")
    if "NPY_DISABLE_CPU_FEATURES" in done.stderr:
        raise RuntimeError(f"NumPy's kernels are not pinned:\n{done.stderr}")
    print(done.stderr, file=sys.stderr)


def check_kernels() -> None:
    """Raise RuntimeError where this process sums with other kernels than it should."""
    import scipy.linalg  # noqa: F401 - loads its own BLAS
    from numpy._core import _multiarray_umath as kernels
    from threadpoolctl import threadpool_info

    libraries = [one for one in threadpool_info() if one["internal_api"] == "openblas"]
    names = [f"{one['prefix']} {one['architecture']}" for one in libraries]
    wrong = [name for name in names if not name.endswith(PINNED["OPENBLAS_CORETYPE"])]
    dispatched = [name for name in kernels.__cpu_dispatch__ if name.startswith(BEYOND_AVX2)]
    wrong += [name for name in dispatched if kernels.__cpu_features__[name]]
    if wrong:
        raise RuntimeError(f"kernels that are not pinned: {', '.join(wrong)}")


# --- hashes -------------------------------------------------------------------------------------


def digest(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()


def tensors_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Over name, dtype, shape and bytes, in the names' order."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        values = arrays[name]
        found.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        found.update(values.tobytes())
    return found.hexdigest()


def without_neutral(description: dict[str, Any]) -> dict[str, Any]:
    """A copy of the entries METADATA without what NEUTRAL names."""
    chosen = {name: description[name] for name in METADATA if name in description}
    kept = json.loads(json.dumps(chosen))
    for *path, last in NEUTRAL:
        inner = kept
        for name in path:
            inner = inner.get(name) or {}
        inner.pop(last, None)
    return kept


def hashes(blob: bytes) -> Hashes:
    """The four hashes of a `.spk` file's bytes."""
    parts = spk_files.parsed(blob)
    kept = without_neutral(parts.description)
    arrays = parts.arrays.items()
    network = {name: values for name, values in arrays if name.startswith(NETWORK_TENSORS)}
    facts = {name: kept[name] for name in NETWORK_METADATA}
    found = {
        "tensors": tensors_digest(parts.arrays),
        "metadata": digest(spk_files.canonical(kept).encode()),
        "network": digest((tensors_digest(network) + spk_files.canonical(facts)).encode()),
    }
    environment = parts.description["environment"]
    if environment and environment["versions"]:
        return found
    return {"file": digest(blob), **found}


def written(artifact: Artifact) -> bytes:
    """What `spikeport.save` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.spk"
        spikeport.save(artifact, path)
        return path.read_bytes()


def version(blob: bytes) -> str:
    """The format version of a `.spk` file."""
    return spk_files.parsed(blob).description["version"]


# --- checkpoints --------------------------------------------------------------------------------


def safetensors(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A safetensors file whose bytes depend on nothing but the arrays."""
    header: dict[str, Any] = {}
    data = b""
    for name, values in sorted(arrays.items()):
        kind = {"<f4": "F32", "<i8": "I64"}[values.dtype.str]
        offsets = [len(data), len(data) + values.nbytes]
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": offsets}
        data += values.tobytes()
    text = spk_files.canonical(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def dense(widths: tuple[int, ...], seed: int, dead: int) -> dict[str, np.ndarray]:
    """Linear layers of a Sequential; the first `dead` neurons of every hidden layer never fire."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for index, (inputs, outputs) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        weight = rng.normal(size=(outputs, inputs)) * 1.5 / inputs**0.5
        bias = rng.normal(size=outputs) * 0.3
        if index < len(widths) - 2:
            bias[:dead] = -50
        arrays[f"{2 * index}.weight"] = weight.astype(np.float32)
        arrays[f"{2 * index}.bias"] = bias.astype(np.float32)
    return arrays


def walk(channels: int, rows: int = 400, seed: int = 0) -> np.ndarray:
    """Recorded observations like those of a motion, three episodes."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, channels))
    for row in range(1, rows):
        values[row] = 0.9 * values[row - 1] + 0.4 * values[row]
    return values


def starts(rows: int = 400) -> np.ndarray:
    return np.isin(np.arange(rows), (0, rows // 4, rows // 2))


@functools.cache
def ann_policy(kind: str) -> Any:
    """A small policy by name: its hidden layers' activation, then what else it has, by dashes."""
    activation, *more = kind.split("-")
    widths = next((WIDTHS[word] for word in more if word in WIDTHS), (CHANNELS, 24, 16, ACTIONS))
    inputs = widths[0] + ("time" in more)
    dead = 3 if activation == "relu" and "tiny" not in more else 0
    squash = next((word for word in more if word in ("clip", "argmax")), "tanh")
    options: dict[str, Any] = {"squash": squash}
    if "sides" in more:
        options = {"squash": "argmax", "env": SIDES}
    elif "drift" in more:
        options["env"] = DRIFT
    elif squash == "clip":
        options |= {"action_low": [-1.0, -0.5], "action_high": [1.0, 2.0]}
    elif squash == "tanh":
        options |= {"action_low": -1.5, "action_high": 1.5}
    with tempfile.TemporaryDirectory() as folder:
        if "normalised" in more:
            options["normalizer"] = Path(folder) / "normalizer.npz"
            rng = np.random.default_rng(11)
            np.savez(
                options["normalizer"],
                mean=rng.normal(size=inputs),
                var=rng.uniform(0.1, 3, inputs),
                epsilon=1e-8,
                clip=10.0,
            )
        path = Path(folder) / f"{kind}.safetensors"
        path.write_bytes(safetensors(dense((inputs, *widths[1:]), len(kind), dead)))
        policy = spikeport.load_policy(path, activation=activation, **options)
    if "time" not in more:
        return policy
    time_feature = TimeFeature(150)
    observation = dataclasses.replace(
        policy.observation, size=widths[0], time_feature=time_feature
    )
    return dataclasses.replace(policy, observation=observation)


def ann(kind: str, **choices: Any) -> Artifact:
    """A small policy, converted with recorded observations."""
    policy = ann_policy(kind)
    return on_walk(policy, policy.observation.size, **choices)


def on_walk(policy: Any, channels: int, **choices: Any) -> Artifact:
    return spikeport.convert(
        policy, observations=walk(channels), episode_starts=starts(), **choices
    )


def population(neuron: str, **choices: Any) -> Artifact:
    """A PopSAN-like (clif) or Proxy-Target-like (lif, plif) actor."""
    rng = np.random.default_rng(2)
    observed = 3
    people = 4
    readers = 3
    widths = (observed * people, 8, 6, ACTIONS * readers)
    names = ("snn.hidden_layers.0", "snn.hidden_layers.1", "snn.out_pop_layer")
    span = 3.0 if neuron == "clif" else 1.0
    arrays: dict[str, np.ndarray] = {}
    arrays["encoder.mean"] = np.tile(np.linspace(-span, span, people), (1, observed, 1))
    arrays["encoder.std"] = np.full((1, observed, people), 0.6)
    for name, inputs, outputs in zip(names, widths[:-1], widths[1:], strict=True):
        arrays[f"{name}.weight"] = 0.5 * rng.normal(size=(outputs, inputs))
        arrays[f"{name}.bias"] = 0.2 * rng.normal(size=outputs)
    arrays["decoder.decoder.weight"] = rng.normal(size=(ACTIONS, 1, readers))
    arrays["decoder.decoder.bias"] = 0.3 * rng.normal(size=ACTIONS)
    if neuron == "plif":
        arrays |= {f"snn.plifnodes.{index}.w": np.array(0.5 + index) for index in range(3)}
    tensors = {name: np.asarray(values, np.float32) for name, values in arrays.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "actor.safetensors"
        path.write_bytes(safetensors(tensors))
        if neuron == "clif":
            statistics = [np.array([0.5, -1.0, 0.0]), np.array([1.0, 0.25, 2.0])]
            path.with_name("actor_mean_var.p").write_bytes(pickled(statistics))
        else:
            facts = {"neuron": neuron, "timesteps": 7, "observation": "tanh"}
            path.with_name("actor.spikeport.json").write_text(json.dumps(facts))
        policy = spikeport.load_policy(path, action_limit=1.0)
    return on_walk(policy, observed, **choices)


def sddpg(*, recorded: bool, **choices: Any) -> Artifact:
    """An actor in SDDPG's two files; without recorded observations on synthetic rates."""
    rng = np.random.default_rng(3)
    widths = (4, 6, 5, ACTIONS)
    weights = []
    biases = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        weights.append(rng.normal(size=(outputs, inputs)).astype(np.float32))
        biases.append(rng.normal(scale=0.2, size=outputs).astype(np.float32))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nav_weights.p"
        path.write_bytes(pickled(weights, 3))
        path.with_name("nav_bias.p").write_bytes(pickled(biases, 3))
        policy = spikeport.load_policy(path)
    if recorded:
        choices |= {"observations": rng.random((400, 4)), "episode_starts": starts()}
    return spikeport.convert(policy, **choices)


def leaky(env: str | None = None, **choices: Any) -> Artifact:
    """A Sequential of Linear and snnTorch's Leaky: any beta, thresholds of either sign."""
    rng = np.random.default_rng(4)
    widths = (CHANNELS, 12, 8, ACTIONS)
    arrays: dict[str, np.ndarray] = {}
    for index, (inputs, outputs) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        arrays[f"{2 * index}.weight"] = rng.uniform(-1, 1, (outputs, inputs)) / inputs**0.5
        arrays[f"{2 * index}.bias"] = rng.uniform(-0.3, 0.3, outputs)
        if index < len(widths) - 2:
            neuron = f"{2 * index + 1}"
            arrays[f"{neuron}.beta"] = rng.uniform(-0.2, 1.2, outputs)
            arrays[f"{neuron}.threshold"] = rng.uniform(-0.05, 0.95, outputs)
            arrays[f"{neuron}.graded_spikes_factor"] = np.array(1.5)
    tensors = {name: np.asarray(values, np.float32) for name, values in arrays.items()}
    tensors |= {f"{index}.reset_mechanism_val": np.array(0, np.int64) for index in (1, 3)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "leaky.safetensors"
        path.write_bytes(safetensors(tensors))
        policy = spikeport.load_policy(path, squash="tanh", action_limit=1.0)
    if env is not None:
        return spikeport.convert(policy, env=env, calibration_steps=300, **choices)
    return on_walk(policy, CHANNELS, **choices)


def in_environment(kind: str, env: str, **choices: Any) -> Artifact:
    """A small policy in a toy environment, thresholds chosen in the closed loop."""
    return spikeport.convert(ann_policy(kind), env=env, calibration_steps=300, **choices)


@functools.cache
def checkpoint(path: Path, actions: int) -> Any:
    """A stored policy; `actions` channels of -1..1 where its file names no bounds, else 0."""
    if not actions:
        return spikeport.load_policy(path)
    return spikeport.load_policy(path, action_low=[-1.0] * actions, action_high=[1.0] * actions)


def stored(path: Path, actions: int, **choices: Any) -> Artifact:
    """A stored policy, converted with random observations."""
    policy = checkpoint(path, actions)
    observations = np.random.default_rng(0).normal(size=(500, policy.observation.size))
    return spikeport.convert(policy, observations=observations, **choices)


def public(name: str, actions: int, **choices: Any) -> Artifact:
    """One of the public policies."""
    return stored(Path(os.environ["SPIKEPORT_POLICIES"]) / name, actions, **choices)


def shipped(name: str, env: str, **choices: Any) -> Artifact:
    """A shipped policy in its own environment."""
    policy = spikeport.load_policy(SHIPPED / name, env=env)
    return spikeport.convert(policy, env=env, calibration_steps=600, **choices)


# --- cases --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A conversion: `slow` ones are for the slow tests, `public` ones need public policies."""

    name: str
    make: Callable[[], Artifact]
    slow: bool = False
    public: bool = False
    network_only: bool = False

    def hashes(self) -> Hashes:
        found = hashes(written(self.make()))
        return {"network": found["network"]} if self.network_only else found


SDN: dict[str, dict[str, Any]] = {
    "sdn": {},
    "sdn-no-source": {"keep_source": False},
    "sdn-triggers": {"triggers": (2, 3)},
    "sdn-thrift": {"thrift": 0.05},
    "sdn-events": {"allocation": "events"},
    "sdn-events-triggers": {"allocation": "events", "triggers": (2, 2)},
    "sdn-shares": {"error_shares": (1.0, 2.0, 0.5)},
    "sdn-events-shares": {"allocation": "events", "error_shares": (1.0, 2.0, 0.5)},
    "sdn-resync": {"resync_every": 7},
    "sdn-6-bits": {"weight_bits": 6},
    "sdn-4-bits": {"weight_bits": 4},
    "sdn-2-bits": {"weight_bits": 2},
    "sdn-error": {"action_error": 0.02},
    "sdn-seed": {"seed": 3},
}
PRUNED: dict[str, dict[str, Any]] = {"sdn-pruned": {"prune_dead": True}}
RATE: dict[str, dict[str, Any]] = {
    "if": {},
    "if-t1": {"timesteps": 1},
    "if-t5-a0": {"timesteps": 5, "alpha": 0.0},
    "if-t5-a1": {"timesteps": 5, "alpha": 1.0},
    "if-4-bits": {"weight_bits": 4},
    "if-pruned": {"prune_dead": True},
    "if-resync": {"resync_every": 5},
    "if-no-source": {"keep_source": False},
    "snm": {},
    "snm-t4-a05": {"timesteps": 4, "alpha": 0.5},
    "snm-6-bits": {"weight_bits": 6},
    "snm-pruned": {"prune_dead": True},
    "mt": {},
    "mt-t1": {"timesteps": 1},
    "mt-t6-a05": {"timesteps": 6, "alpha": 0.5},
    "mt-4-bits": {"weight_bits": 4},
    "dc": {},
    **{f"dc-t{timesteps}": {"timesteps": timesteps} for timesteps in (2, 3, 5, 6, 8)},
    "dc-shares-1": {"threshold_shares": (1.0,)},
    "dc-shares": {"threshold_shares": (1.3, 0.9, 0.7), "timesteps": 8},
    "dc-a05": {"alpha": 0.5},
    "dc-4-bits": {"weight_bits": 4},
    "dc-pruned": {"prune_dead": True},
    "dc-resync": {"resync_every": 5},
    "dc-no-source": {"keep_source": False},
}
NEURONS: dict[str, dict[str, Any]] = {neuron: {} for neuron in ("sdn", "if", "snm", "mt", "dc")}
FEW_SDN = ("sdn", "sdn-triggers", "sdn-events", "sdn-thrift", "sdn-4-bits", "sdn-no-source")
PUBLIC = {
    "td3_style/TD3_Hopper-v4_actor": 3,
    "td3_style/TD3_Walker2d-v4_actor": 6,
    "td3_style/TD3_HalfCheetah-v4_actor": 6,
    "td3_style/DDPG_HalfCheetah-v4_actor": 6,
    "td3_style/SAC_Hopper-v4_actor": 3,
    "sb3/tqc-Hopper-v3.zip": 0,
    "sb3/sac-Swimmer-v3.zip": 0,
    "sb3/ppo-HalfCheetah-v3/HalfCheetah-v3.zip": 0,
    "sb3/trpo-Walker2d-v3/Walker2d-v3.zip": 0,
}


def cases() -> dict[str, Case]:
    """All cases by name, public ones too."""
    found = [*_recorded_anns(), *_spiking(), *_closed_loops(), *_shipped(), *_public()]
    return {case.name: case for case in found}


def _case(name: str, make: Callable[..., Artifact], *arguments: Any, **choices: Any) -> Case:
    return Case(name, functools.partial(make, *arguments, **choices))


def _recorded_anns() -> Iterator[Case]:
    few = {label: SDN[label] for label in FEW_SDN}
    events = {"sdn-events": SDN["sdn-events"]}
    tables = {"relu": SDN | PRUNED | RATE}
    tables |= {activation: few for activation in ("tanh", "silu", "elu", "leaky_relu")}
    tables |= {"relu-argmax": NEURONS | events | {"dc-t8": RATE["dc-t8"]}}
    tables |= {"tanh-argmax": {"sdn": {}} | events}
    plain = ("relu-clip-normalised", "relu-time", "relu-deep", "relu-flat", "relu-clip")
    tables |= {kind: NEURONS for kind in plain}
    for kind, table in tables.items():
        for label, choices in table.items():
            yield _case(f"ann/{kind}/{label}", ann, kind, neuron=label.split("-")[0], **choices)
    finetuned = _case("ann/relu/sdn-finetuned", ann, "relu", weight_bits=4, finetune=True)
    yield dataclasses.replace(finetuned, slow=True)


def _spiking() -> Iterator[Case]:
    for neuron in ("clif", "lif", "plif"):
        yield _case(f"popsan/{neuron}", population, neuron)
    yield _case("popsan/clif-6-bits", population, "clif", weight_bits=6)
    yield _case("popsan/clif-no-source", population, "clif", keep_source=False)
    yield _case("sddpg/recorded", sddpg, recorded=True)
    yield _case("sddpg/synthetic", sddpg, recorded=False)
    yield _case("sddpg/4-bits", sddpg, recorded=True, weight_bits=4)
    yield _case("leaky/leaky", leaky)
    yield _case("leaky/6-bits", leaky, weight_bits=6)
    yield _case("leaky/no-source", leaky, keep_source=False)
    yield _case("env/leaky", leaky, DRIFT)


def _closed_loops() -> Iterator[Case]:
    for kind, env in (("relu-drift", DRIFT), ("tanh-drift", DRIFT), ("relu-sides", SIDES)):
        for neuron in NEURONS if kind.startswith("relu") else ("sdn",):
            yield _case(f"env/{kind}/{neuron}", in_environment, kind, env, neuron=neuron)
        auto = _case(f"env/{kind}/auto", in_environment, kind, env, neuron="auto")
        yield dataclasses.replace(auto, network_only=True)
    finetuned = _case(
        "env/relu-drift/sdn-finetuned",
        in_environment,
        "relu-drift",
        DRIFT,
        weight_bits=4,
        finetune=True,
    )
    yield dataclasses.replace(finetuned, slow=True)


def _shipped() -> Iterator[Case]:
    pendulum = ("td3-InvertedDoublePendulum-v5.zip", "InvertedDoublePendulum-v5")
    cheetah = SHIPPED / "td3-HalfCheetah-v5.pt"
    proxy = SHIPPED / "proxy-lif-HalfCheetah-v5.zip"
    found = [_case(f"shipped/pendulum/{n}", shipped, *pendulum, neuron=n) for n in ("sdn", "dc")]
    found += [_case(f"shipped/cheetah/{n}", stored, cheetah, 6, neuron=n) for n in NEURONS]
    found += [_case("shipped/proxy-lif", stored, proxy, 0)]
    for case in found:
        yield dataclasses.replace(case, slow=True)


def _public() -> Iterator[Case]:
    found = []
    for path, actions in PUBLIC.items():
        for neuron in ("sdn",) if "trpo" in path else NEURONS:
            found.append(_case(f"public/{path}/{neuron}", public, path, actions, neuron=neuron))
    found.append(_case("public/popsan", public, "popsan/model0_e100.pt", 6))
    found.append(_case("public/sddpg", public, "sddpg/sddpg_bw_5_weights.p", 0))
    for case in found:
        yield dataclasses.replace(case, slow=True, public=True)


SMALL_FILES = {
    "sdn.spk": functools.partial(ann, "relu-tiny", neuron="sdn", triggers=(2, 1)),
    "dc.spk": functools.partial(ann, "relu-tiny", neuron="dc"),
    "lif.spk": functools.partial(population, "clif"),
    "leaky.spk": leaky,
}


# --- the command --------------------------------------------------------------------------------


def answer_child(path: Path, names: list[str]) -> None:
    """In the pinned process: convert, hash, write the answer."""
    check_kernels()
    table = cases()
    found: dict[str, Hashes] = {}
    for name in names:
        began = time.monotonic()
        try:
            found[name] = table[name].hashes()
        except spikeport.SpikeportError as error:
            found[name] = {"refused": str(error)}
        print(f"{time.monotonic() - began:6.2f} s  {name}", file=sys.stderr)
    written_now = version(written(ann("relu-tiny")))
    path.write_text(json.dumps({"format": written_now, "cases": found}))


def answer_files(folder: Path) -> None:
    """In the pinned process: write the small files."""
    check_kernels()
    for name, make in SMALL_FILES.items():
        spikeport.save(make(), folder / name)


def recorded() -> Recorded:
    """What tests/golden/artifact_bytes.json holds."""
    return json.loads(GOLDEN.read_text())


def differences(wanted: Recorded, found: Recorded) -> list[str]:
    """The cases of `found` that are not as recorded, and which of their hashes differ."""
    same_format = wanted["format"] == found["format"]
    lines = []
    for name, now in found["cases"].items():
        then = wanted["cases"].get(name, {})
        compared = {*then, *now} - (set() if same_format else {"file"})
        different = sorted(part for part in compared if then.get(part) != now.get(part))
        if different:
            lines.append(f"{name}: {', '.join(different)} {now.get('refused', '')}".rstrip())
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="record what comes out now")
    parser.add_argument("--write-files", action="store_true", help="and write the small files")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child-files", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", help="cases; all that can run where none is named")
    asked = parser.parse_args()
    if asked.child is not None:
        answer_child(asked.child, asked.names)
        return 0
    if asked.child_files is not None:
        answer_files(asked.child_files)
        return 0
    wanted: Recorded = {"format": "", "cases": {}, "files": {}}
    if GOLDEN.exists():
        wanted = recorded()
    have_public = bool(os.environ.get("SPIKEPORT_POLICIES"))
    table = cases()
    names = asked.names or [name for name in table if have_public or not table[name].public]
    found = run_pinned(names)
    different = differences(wanted, found)
    print("\n".join([f"{len(different)} of {len(names)} cases differ", *different]))
    if asked.write:
        merged = wanted["cases"] | found["cases"]
        wanted["cases"] = {name: merged[name] for name in table if name in merged}
        wanted["format"] = found["format"]
    if asked.write_files:
        wanted["files"] = write_files()
    if asked.write or asked.write_files:
        GOLDEN.write_text(json.dumps(wanted, indent=1) + "\n")
        return 0
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
