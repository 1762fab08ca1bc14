"""One file of every format that cannot be taken.

Refused in under two seconds, with everything that is wrong with it in one error.
"""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.hardware_profiles import parse_profile
from spikeport.toolchain.artifact import artifact_file
from spikeport.toolchain.conversion.states import from_arrays
from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy
from tests.readers.test_nir_policy import chain, written
from tests.support import spk_files
from tests.support.graph_files import dense, graph, scripted
from tests.support.networks import random_artifact
from tests.support.policy_files import edit_json, model, normalizer, state_dict, torch_bytes, write
from tests.support.spiking_files import WORLD, actor, navigation

torch = pytest.importorskip("torch")
FACTS = EnvironmentFacts("E-v1", None, 100, -np.ones(2), np.ones(2))
SECONDS = 2.0


def facts(path: Path, **options: Any) -> Callable[[], Any]:
    return lambda: load_policy(path, environment=FACTS, **options)


def foreign_entries() -> dict[str, Any]:
    more = {
        "conv.weight": torch.zeros(2, 2, 3, 3),
        "lstm.weight_ih_l0": torch.zeros(4, 4),
        "norm.running_mean": torch.zeros(3),
    }
    return state_dict() | more


def safetensors(folder: Path) -> Callable[[], Any]:
    from safetensors.torch import save

    return facts(write(folder / "a.safetensors", save(foreign_entries())))


def sb3(folder: Path) -> Callable[[], Any]:
    model("SAC", policy_kwargs={"net_arch": [4]}).save(folder / "m.zip")

    def change(data: dict[str, Any]) -> None:
        data["policy_kwargs"]["features_extractor_class"] = "<class 'x.CNN'>"
        data["policy_kwargs"]["activation_fn"] = "<class 'torch.nn.modules.activation.Softmax'>"
        data["observation_space"]["_shape"] = [3, 4]

    return facts(edit_json(folder / "m.zip", change))


def vec_normalize(folder: Path) -> Callable[[], Any]:
    model("PPO", low=-np.ones(2, np.float32), high=np.ones(2, np.float32)).save(
        folder / "model.zip"
    )
    wrapped = normalizer(folder / "vecnormalize.pkl", 5)
    wrapped.obs_rms.mean, wrapped.epsilon = np.full(4, np.nan), np.ones(2)
    wrapped.save(str(folder / "vecnormalize.pkl"))
    return facts(folder / "model.zip")


def npz(folder: Path) -> Callable[[], Any]:
    np.savez(folder / "n.npz", mean=np.zeros(2), foo=1)
    return facts(write(folder / "a.pt", torch_bytes(state_dict())), normalizer=folder / "n.npz")


def popsan(folder: Path, sidecar: Any = None, statistics: Any = None) -> Callable[[], Any]:
    path = write(folder / "actor.pt", torch_bytes(actor()))
    if sidecar is not None:
        (folder / "actor.spikeport.json").write_text(json.dumps(sidecar))
    if statistics is not None:
        write(folder / "actor_mean_var.p", pickle.dumps(statistics, 2))
    return lambda: load_policy(path, environment=WORLD)


def sddpg(folder: Path) -> Callable[[], Any]:
    weights = [np.ones((3, 4), np.float32), np.full((2, 5), np.nan, np.float32)]
    return facts(navigation(folder, weights=weights, biases=[np.ones(2, np.float32)]))


def onnx(folder: Path) -> Callable[[], Any]:
    nodes = [
        ("LSTM", "obs,w0,w0", "h", {"hidden_size": 3}),
        ("Conv", "h,w0", "i"),
        ("ArgMax", "i", "action"),
    ]
    return facts(write(folder / "g.onnx", graph(nodes, dense())))


def traced(form: str) -> Callable[[Path], Callable[[], Any]]:
    class Unsupported(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other, self.norm = (
                torch.nn.Linear(4, 4),
                torch.nn.Linear(4, 2),
                torch.nn.LayerNorm(4),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.softmax(self.other(torch.sin(self.norm(self.one(x)))), -1)

    return lambda folder: facts(scripted(Unsupported(), 4, folder / "g.pt", form))


def nir_graph(folder: Path) -> Callable[[], Any]:
    import nir

    nodes = chain("LIF") | {
        "n": nir.Threshold(np.ones(8)),
        "m": nir.LI(tau=np.ones(4), r=np.ones(4), v_leak=np.zeros(4)),
    }
    return facts(written(folder, nodes), squash="none")


def artifact(folder: Path) -> Callable[[], Any]:
    artifact_file.save(random_artifact(0, widths=(3, 2, 1)), folder / "a.spk")
    parts = spk_files.read(folder / "a.spk")
    parts.arrays["layers.0.row_scale"] = -parts.arrays["layers.0.row_scale"]
    parts.arrays["encoder.limit"] = 0 * parts.arrays["encoder.limit"]
    parts.description |= {"alpha": 99, "source_macs": 0}
    write(folder / "a.spk", spk_files.encoded(parts))
    return lambda: artifact_file.load(folder / "a.spk")


def profile(folder: Path) -> Callable[[], Any]:
    text = (resources.files("spikeport.hardware_profiles") / "loihi2.toml").read_text()
    wrong = text.replace('kind = "inherited"', 'kind = "guess"', 2).replace(
        'unit = "pJ"', 'unit = "furlong"', 1
    )
    return lambda: parse_profile(wrong, "x.toml")


ENTRIES = (
    "unknown key conv.weight",
    "unknown key lstm.weight_ih_l0",
    "unknown key norm.running_mean",
)
OPERATIONS = ("layer_norm is not supported", "sin is not supported", "softmax is not supported")
FILES: dict[str, tuple[Callable[[Path], Callable[[], Any]], tuple[str, ...]]] = {
    "state dict": (
        lambda folder: facts(write(folder / "a.pt", torch_bytes(foreign_entries()))),
        ENTRIES,
    ),
    "state dict, legacy": (
        lambda folder: facts(write(folder / "a.pt", torch_bytes(foreign_entries(), legacy=True))),
        ENTRIES,
    ),
    "safetensors": (safetensors, ENTRIES),
    "SB3 zip": (
        sb3,
        (
            "the features extractor <class 'x.CNN'> is not supported",
            "unknown activation",
            "observation_space has the shape [3, 4]",
        ),
    ),
    "VecNormalize": (
        vec_normalize,
        (
            "are not two flat arrays of one size",
            "epsilon and clip are not single numbers",
            "has non-finite values",
        ),
    ),
    "npz normaliser": (
        npz,
        ("var is missing", "epsilon is missing", "clip is missing", "unknown array 'foo.npy'"),
    ),
    "sidecar": (
        lambda folder: popsan(
            folder, sidecar={"neuron": "lstm", "timesteps": -3, "bogus": 1, "action_limit": "x"}
        ),
        ("unknown key 'bogus'", "neuron is 'lstm'", "timesteps is -3", "action_limit is x"),
    ),
    "mean_var": (
        lambda folder: popsan(folder, statistics=[np.full(2, np.nan), -np.ones(4)]),
        (
            "does not fit the policy (got (2,) and (4,), limit (3,))",
            "must be finite, the variance not negative (got smallest variance -1)",
        ),
    ),
    "SDDPG": (
        sddpg,
        (
            "2 weights and 1 biases",
            "layer 1 has a weight of shape (2, 5) where 3 inputs",
            "layer 0 has a bias of shape (2,)",
            "layer 1 weight has non-finite",
        ),
    ),
    "ONNX": (
        onnx,
        (
            "node 0: LSTM is recurrent",
            "node 1: Conv is a convolution",
            "node 2: ArgMax makes discrete actions",
        ),
    ),
    "TorchScript, scripted": (traced("script"), OPERATIONS),
    "TorchScript, traced": (traced("trace"), OPERATIONS),
    "torch.export": (traced("export"), OPERATIONS),
    "NIR graph": (nir_graph, ("m is LI", "n is Threshold")),
    "NIR sidecar": (
        lambda folder: facts(written(folder, chain("LIF"), sidecar={}), squash="none"),
        tuple(
            f"{name} is not declared"
            for name in (
                "timesteps",
                "encoder",
                "nir.dt",
                "nir.integration",
                "nir.reset",
                "nir.state",
                "nir.layer_delay",
            )
        ),
    ),
    "observations": (
        lambda folder: lambda: from_arrays(np.full((7, 3), "a"), None, 2),
        ("array does not fit the policy (got <U1 (7, 3), limit float (N, 2))",),
    ),
    "artifact": (
        artifact,
        (
            "layer 0: row scales and units must be",
            "encoder scales must be",
            "alpha 99/64",
            "multiply-adds are 0",
        ),
    ),
    "hardware profile": (
        profile,
        (
            "unit is 'furlong'",
            "energy.synop: kind is 'guess'",
            "energy.neuron_active: kind is 'guess'",
        ),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path, name: str) -> None:
    make, problems = FILES[name]
    read = make(tmp_path)
    start = time.perf_counter()
    with pytest.raises(InputError) as refused:
        read()
    seconds = time.perf_counter() - start
    assert seconds < SECONDS
    assert [problem for problem in problems if problem not in str(refused.value)] == [], str(
        refused.value
    )
    assert refused.value.fix
