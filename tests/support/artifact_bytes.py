"""What conversions write, as hashes: a redesign must not move a bit of any artifact.

    python tests/support/artifact_bytes.py NAME...   hashes of these cases, as JSON
    python tests/support/artifact_bytes.py --write   all cases into tests/golden/artifact_bytes.json

A hash covers the name, type, shape and bytes of every tensor, and the description without what may
change while the network stays the same: the version of the format, library versions, the
checkpoint's own SHA-256 (PyTorch's zip depends on its release) and the kind of synapses, which 1.2
wrote first.
Floating-point kernels are pinned by `ENVIRONMENT`, so that processors with AVX2 agree; run it in a
process of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "tests" / "golden" / "artifact_bytes.json"
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Haswell",
    "MKL_CBWR": "AVX2",
    "MKL_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "avx2",
}
POLICIES = "SPIKEPORT_POLICIES"
ANN_NEURONS = ("sdn", "if", "snm", "mt", "dc")
# Options of sdn and of the rate neurons that change what is written, on the small policies.
VARIANTS: dict[str, dict[str, Any]] = {
    "sdn": {},
    "sdn 4 bits": {"weight_bits": 4},
    "sdn 6 bits": {"weight_bits": 6},
    "sdn events": {"allocation": "events"},
    "sdn thrift": {"thrift": 0.05},
    "sdn triggers": {"triggers": (2, 2)},
    "sdn shares": {"error_shares": (1.0, 2.0, 0.5)},
    "sdn fine": {"action_error": 0.03},
    "sdn resync": {"resync_every": 50},
    "sdn pruned": {"prune_dead": True},
    "sdn without source": {"keep_source": False},
    "sdn finetuned": {"finetune": True, "weight_bits": 4},
    "if": {"neuron": "if"},
    "if 32": {"neuron": "if", "timesteps": 32, "alpha": 0.3},
    "snm": {"neuron": "snm"},
    "mt": {"neuron": "mt"},
    "mt residual": {"neuron": "mt", "alpha": 0.5},
    "dc": {"neuron": "dc"},
    "dc 2": {"neuron": "dc", "timesteps": 2},
    "dc 6": {"neuron": "dc", "timesteps": 6, "threshold_shares": (1.0, 0.7)},
    "dc resync": {"neuron": "dc", "resync_every": 20},
}
NEUTRAL = ("version", "versions", "sha256")


def neutral(value: Any) -> Any:
    """A description without what may change while the network stays the same."""
    if isinstance(value, dict):
        return {name: neutral(item) for name, item in value.items() if name not in NEUTRAL}
    if isinstance(value, list):
        return [neutral(item) for item in value]
    return value


def digest(artifact: Any) -> str:
    """The hash of what `save` writes for an artifact."""
    import spikeport

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.spk"
        spikeport.save(artifact, path)
        return file_digest(path.read_bytes())


def file_digest(data: bytes) -> str:
    """The hash of a `.spk` file's content, read here as the safetensors format says."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__")
    description = neutral(json.loads(metadata["spikeport"]))
    for layer in description["layers"]:
        layer.pop("synapses", None)
    found = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    body = data[8 + size :]
    for name in sorted(header):
        entry = header[name]
        first, last = entry["data_offsets"]
        found.update(f"{name} {entry['dtype']} {entry['shape']}".encode())
        found.update(body[first:last])
    return found.hexdigest()


def network_digest(artifact: Any) -> str:
    """The hash of the integers alone: what `auto` is compared by."""
    network = artifact.network
    found = hashlib.sha256(f"{network.neuron} {network.timesteps} {network.alpha}".encode())
    for layer in network.layers:
        for name in ("weights", "bias", "threshold", "payload_low", "payload_high", "row_scale"):
            found.update(getattr(layer, name).tobytes())
    return found.hexdigest()


def state_dict(folder: Path, activation: str) -> Any:
    """A small policy 5-16-12-3 of seeded numbers, read from a file as a user would."""
    import numpy as np
    import torch

    import spikeport

    random = np.random.default_rng(7)
    sizes = (5, 16, 12, 3)
    stored = {}
    for index, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False), 1):
        weight = random.normal(0, 1.2 / inputs**0.5, (outputs, inputs)).astype(np.float32)
        bias = random.normal(0, 0.2, outputs).astype(np.float32)
        if index == 1 and activation == "relu":
            bias[3] = -30  # a neuron that never fires
        stored[f"l{index}.weight"] = torch.from_numpy(weight)
        stored[f"l{index}.bias"] = torch.from_numpy(bias)
    path = folder / "small.pt"
    torch.save(stored, path)
    return spikeport.load_policy(
        path, activation=activation, squash="tanh", action_limit=2.0, normalizer="none"
    )


def walk(channels: int, rows: int = 400) -> Any:
    """Observations [rows, channels] that move slowly, as those of a robot."""
    import numpy as np

    random = np.random.default_rng(11)
    steps = random.normal(0, 0.25, (rows, channels))
    values = np.zeros(channels)
    walked = []
    for step in steps:
        values = 0.95 * values + step
        walked.append(values)
    return np.array(walked)


def small(activation: str, choices: dict[str, Any]) -> str:
    import spikeport

    with tempfile.TemporaryDirectory() as folder:
        policy = state_dict(Path(folder), activation)
    return digest(spikeport.convert(policy, observations=walk(5), seed=3, **choices))


def shipped(name: str, environment: str, choices: dict[str, Any], steps: int = 600) -> str:
    import spikeport

    policy = spikeport.load_policy(ROOT / "examples" / "policies" / name, env=environment)
    artifact = spikeport.convert(policy, env=environment, calibration_steps=steps, **choices)
    if choices.get("neuron") == "auto":
        return network_digest(artifact)
    return digest(artifact)


def public(name: str, environment: str, choices: dict[str, Any]) -> str:
    import spikeport

    folder = Path(os.environ[POLICIES])
    policy = spikeport.load_policy(folder / name, env=environment)
    rows = walk(policy.observation.size, 500)
    return digest(spikeport.convert(policy, observations=rows, **choices))


def small_cases() -> dict[str, Callable[[], str]]:
    cases: dict[str, Callable[[], str]] = {}
    for name, choices in VARIANTS.items():
        cases[f"small relu, {name}"] = lambda choices=choices: small("relu", choices)
    for activation in ("tanh", "elu", "silu", "gelu"):
        cases[f"small {activation}, sdn"] = lambda activation=activation: small(activation, {})
    return cases


def shipped_cases() -> dict[str, Callable[[], str]]:
    pendulum = ("td3-InvertedDoublePendulum-v5.zip", "InvertedDoublePendulum-v5")
    cases: dict[str, Callable[[], str]] = {}
    for neuron in (*ANN_NEURONS, "auto"):
        cases[f"pendulum, {neuron}"] = lambda neuron=neuron: shipped(*pendulum, {"neuron": neuron})
    cheetah = ("td3-HalfCheetah-v5.pt", "HalfCheetah-v5")
    cases["cheetah, sdn"] = lambda: shipped(*cheetah, {"action_error": 0.1}, 300)
    lif = ("proxy-lif-HalfCheetah-v5.zip", "HalfCheetah-v5")
    cases["proxy, lif"] = lambda: shipped(*lif, {}, 300)
    return cases


PUBLIC = {
    "td3_style/TD3_Hopper-v4_actor": "Hopper-v4",
    "td3_style/TD3_Walker2d-v4_actor": "Walker2d-v4",
    "td3_style/TD3_HalfCheetah-v4_actor": "HalfCheetah-v4",
    "td3_style/SAC_Hopper-v4_actor": "Hopper-v4",
    "td3_style/DDPG_HalfCheetah-v4_actor": "HalfCheetah-v4",
    "sb3/tqc-Hopper-v3.zip": "Hopper-v5",
    "sb3/sac-Swimmer-v3.zip": "Swimmer-v5",
    "sb3/ppo-HalfCheetah-v3/HalfCheetah-v3.zip": "HalfCheetah-v5",
}


def public_cases() -> dict[str, Callable[[], str]]:
    cases: dict[str, Callable[[], str]] = {}
    for name, environment in PUBLIC.items():
        for neuron in ANN_NEURONS:
            cases[f"{name}, {neuron}"] = lambda name=name, environment=environment, neuron=neuron: (
                public(name, environment, {"neuron": neuron})
            )
    tanh = ("sb3/trpo-Walker2d-v3/Walker2d-v3.zip", "Walker2d-v5")
    cases[f"{tanh[0]}, sdn"] = lambda: public(*tanh, {})
    lif = ("popsan/model0_e100.pt", "HalfCheetah-v4")
    cases[f"{lif[0]}, lif"] = lambda: public(*lif, {})
    return cases


def golden_cases() -> dict[str, Callable[[], str]]:
    """Networks of every neuron as the tests draw them, lif and leaky among them."""
    if "tests" not in sys.modules or not hasattr(sys.modules["tests"], "support"):
        package = types.ModuleType("tests")
        package.__path__ = [str(ROOT / "tests")]
        sys.modules.setdefault("tests", package)
    try:
        from tests.support.networks import leaky_artifact, random_artifact
        from tests.support.spiking_networks import SpikingShape, build_spiking
    except ImportError:
        from tests.networks import leaky_artifact, random_artifact
        from tests.spiking_networks import SpikingShape, build_spiking
    cases: dict[str, Callable[[], str]] = {}
    for neuron in ("sdn@1", "if@1", "snm@1", "mt@1", "dc@1"):
        cases[f"drawn {neuron}"] = lambda neuron=neuron: digest(
            random_artifact(5, neuron=neuron, timesteps=4)
        )
    cases["drawn leaky@1"] = lambda: digest(leaky_artifact(5, shift=2))
    cases["drawn lif@1"] = lambda: digest(build_spiking(SpikingShape(), 5))
    return cases


def cases() -> dict[str, Callable[[], str]]:
    """All cases by name; those of public policies where SPIKEPORT_POLICIES names a folder."""
    found = golden_cases() | small_cases() | shipped_cases()
    if os.environ.get(POLICIES):
        found |= public_cases()
    return found


def main() -> int:
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ENVIRONMENT)
    sys.path.insert(0, str(ROOT))
    import warnings

    warnings.simplefilter("ignore")
    chosen = [name for name in sys.argv[1:] if name != "--write"]
    known = cases()
    found = {name: known[name]() for name in chosen or known}
    if "--write" in sys.argv[1:]:
        RECORD.write_text(json.dumps(found, indent=1) + "\n")
    else:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
