"""Honest files of every format that Spikeport reads, small, and how each is damaged.

The table of the hostile sweep.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.hostile_mutations import (
    Change,
    inside,
    json_value,
    model_value,
    pickled_field,
    resealed_arrays,
    resealed_description,
    toml_value,
)
from tests.support.policy_files import (
    Payload,
    model,
    mutate,
    normalizer,
    pickled,
    state_dict,
    torch_bytes,
)


@dataclass(frozen=True)
class Kind:
    """`make(folder)` writes the honest files.

    `target` is the one that is damaged, `opened` the one that is read, by `reader`.
    """

    make: Callable[[Path], Any]
    target: str
    reader: str = "policy"
    opened: str = ""
    changes: tuple[Change, ...] = (mutate,)
    weight: int = 1  # of the sweep's files
    actions: int | None = (
        2  # channels of the environment that is told, bounds -1..1; None: none is told
    )
    options: Mapping[str, Any] = field(default_factory=dict)


ACTOR = {"sizes": (2, 3, 2), "names": ("l1", "l2")}


def stored(name: str, make: Callable[[], Any], **options: Any) -> Callable[[Path], Any]:
    """torch.save of what `make` gives."""
    return lambda folder: (folder / name).write_bytes(torch_bytes(make(), **options))


def safetensors(folder: Path) -> None:
    from safetensors.torch import save

    (folder / "actor.safetensors").write_bytes(save(state_dict(**ACTOR)))


def sb3(folder: Path) -> None:
    import torch

    bound = np.ones(2, np.float32)
    model(
        "PPO",
        low=-bound,
        high=bound,
        policy_kwargs={"net_arch": [4], "activation_fn": torch.nn.ReLU},
    ).save(folder / "model.zip")


def sb3_normalised(folder: Path) -> None:
    sb3(folder)
    normalizer(folder / "vecnormalize.pkl", 5)


def popsan(folder: Path) -> None:
    from tests.support.spiking_files import OBSERVATIONS, actor

    (folder / "actor.pt").write_bytes(torch_bytes(actor()))
    statistics = [np.zeros(OBSERVATIONS), np.ones(OBSERVATIONS)]
    (folder / "actor_mean_var.p").write_bytes(pickle.dumps(statistics, 2))


def popsan_with_sidecar(folder: Path) -> None:
    popsan(folder)
    (folder / "actor.spikeport.json").write_text(
        json.dumps(
            {"neuron": "lif", "timesteps": 3, "action_limit": [0.5, 2.0], "observation": "none"}
        )
    )


def sddpg(folder: Path) -> None:
    from tests.support.spiking_files import navigation

    navigation(folder)


def leaky(folder: Path) -> None:
    from tests.neurons.test_leaky import sequential

    (folder / "leaky.pt").write_bytes(torch_bytes(sequential().state_dict(), legacy=True))


def library(name: str) -> Callable[[Path], Any]:
    def make(folder: Path) -> None:
        from tests.readers.test_policies_libraries import EQUAL

        (folder / "checkpoint.pt").write_bytes(torch_bytes(EQUAL[name][0]()[0], legacy=True))

    return make


def arrays_normaliser(folder: Path) -> None:
    (folder / "actor.pt").write_bytes(torch_bytes(state_dict(**ACTOR)))
    np.savez(folder / "norm.npz", mean=np.zeros(2), var=np.ones(2), epsilon=1e-8, clip=10.0)


def onnx(folder: Path) -> None:
    from tests.support.graph_files import small_onnx

    (folder / "g.onnx").write_bytes(small_onnx())


def graph(form: str) -> Callable[[Path], Any]:
    def make(folder: Path) -> None:
        import torch

        from tests.support.graph_files import actor, scripted

        scripted(actor(torch.nn.ReLU(), clip=1.0), 4, folder / "g.pt", form)

    return make


def netx(folder: Path) -> None:
    from tests.support.netx_files import network, written

    written(folder / "x.net", network(np.random.default_rng(0)))


def nir_graph(folder: Path) -> None:
    from tests.readers.test_nir_policy import chain, written

    written(folder, chain("LIF"))


def nir_export(folder: Path) -> None:
    from spikeport.export.nir.nir_file import export_nir
    from tests.export.test_nir import rate_artifact

    export_nir(rate_artifact(1, widths=(3, 2, 1)), folder / "a.nir")


def npy(folder: Path) -> None:
    np.save(folder / "observations.npy", np.random.default_rng(0).normal(size=(120, 2)))


def npy_of_objects(folder: Path) -> None:
    np.save(
        folder / "observations.npy",
        np.array([Payload(folder / "mark")] * 3, object),
        allow_pickle=True,
    )


def artifact(folder: Path) -> None:
    from spikeport.toolchain.artifact.artifact_file import save
    from tests.support.networks import random_artifact

    save(random_artifact(0, widths=(3, 2, 1)), folder / "a.spk")


def profile(folder: Path) -> None:
    (folder / "chip.toml").write_bytes(
        (resources.files("spikeport.hardware_profiles") / "loihi2.toml").read_bytes()
    )


def payload(
    name: str, make: Callable[[Path], bytes], beside: Callable[[Path], Any] = lambda folder: None
) -> Callable[[Path], Any]:
    """A file that would create `mark` if it were executed."""

    def write(folder: Path) -> None:
        beside(folder)
        (folder / name).write_bytes(make(folder / "mark"))

    return write


PICKLE = inside("data.pkl")
SPK = (mutate, resealed_description, resealed_arrays)
SB3_CHANGES = (
    mutate,
    inside("data"),
    inside("data", model_value),
    inside("data", pickled_field),
    inside("policy.pth", PICKLE),
)
KINDS: dict[str, Kind] = {
    "state dict": Kind(
        stored("actor.pt", lambda: state_dict(**ACTOR)),
        "actor.pt",
        changes=(mutate, PICKLE),
        weight=2,
    ),
    "state dict, legacy": Kind(
        stored("actor.pt", lambda: state_dict(**ACTOR), legacy=True), "actor.pt"
    ),
    "safetensors": Kind(safetensors, "actor.safetensors"),
    "RSL-RL": Kind(library("RSL-RL 2"), "checkpoint.pt", actions=3),
    "rl_games": Kind(library("rl_games, plain"), "checkpoint.pt", actions=3),
    "CleanRL": Kind(library("CleanRL TD3"), "checkpoint.pt", actions=None),
    "SB3 zip": Kind(sb3, "model.zip", changes=SB3_CHANGES, weight=3),
    "VecNormalize": Kind(sb3_normalised, "vecnormalize.pkl", opened="model.zip", weight=2),
    "mean_var": Kind(popsan, "actor_mean_var.p", opened="actor.pt"),
    "PopSAN": Kind(popsan, "actor.pt", changes=(mutate, PICKLE)),
    "sidecar": Kind(
        popsan_with_sidecar, "actor.spikeport.json", opened="actor.pt", changes=(mutate, json_value)
    ),
    "SDDPG weights": Kind(sddpg, "nav_weights.p"),
    "SDDPG biases": Kind(sddpg, "nav_bias.p", opened="nav_weights.p"),
    "snnTorch": Kind(
        leaky, "leaky.pt", actions=None, options={"squash": "tanh", "action_limit": 1.0}
    ),
    "npz normaliser": Kind(
        arrays_normaliser,
        "norm.npz",
        opened="actor.pt",
        changes=(mutate, inside("mean.npy"), inside("clip.npy")),
        options={"normalizer": "norm.npz"},
    ),
    "ONNX": Kind(onnx, "g.onnx", weight=3),
    "TorchScript, scripted": Kind(
        graph("script"),
        "g.pt",
        actions=None,
        changes=(mutate, PICKLE, inside("linear.py"), inside("constants.pkl")),
        weight=2,
    ),
    "TorchScript, traced": Kind(
        graph("trace"), "g.pt", actions=None, changes=(mutate, PICKLE, inside(".py")), weight=2
    ),
    "torch.export": Kind(
        graph("export"),
        "g.pt",
        actions=None,
        changes=(
            mutate,
            inside("model.json"),
            inside("model.json", json_value),
            inside("model_weights_config.json"),
            inside("weight_0"),
        ),
        weight=2,
    ),
    "netx": Kind(netx, "x.net", weight=2, actions=None, options={"squash": "none"}),
    "netx sidecar": Kind(
        netx,
        "x.spikeport.json",
        opened="x.net",
        changes=(mutate, json_value),
        actions=None,
        options={"squash": "none"},
    ),
    "NIR graph": Kind(nir_graph, "x.nir", weight=2, actions=None, options={"squash": "none"}),
    "NIR sidecar": Kind(
        nir_graph,
        "x.spikeport.json",
        opened="x.nir",
        changes=(mutate, json_value),
        actions=None,
        options={"squash": "none"},
    ),
    "NIR export": Kind(nir_export, "a.nir", reader="nir", weight=2),
    "observations": Kind(npy, "observations.npy", reader="observations"),
    "artifact": Kind(artifact, "a.spk", reader="artifact", changes=SPK, weight=4),
    "hardware profile": Kind(profile, "chip.toml", reader="profile", changes=(mutate, toml_value)),
    "payload, state dict": Kind(
        payload("a.pt", lambda mark: torch_bytes({**state_dict(**ACTOR), "x": Payload(mark)})),
        "a.pt",
        changes=(mutate, PICKLE),
    ),
    "payload, legacy": Kind(
        payload(
            "a.pt",
            lambda mark: torch_bytes({**state_dict(**ACTOR), "x": Payload(mark)}, legacy=True),
        ),
        "a.pt",
    ),
    "payload, VecNormalize": Kind(
        payload("vecnormalize.pkl", lambda mark: pickled(Payload(mark), 2), sb3),
        "vecnormalize.pkl",
        opened="model.zip",
    ),
    "payload, mean_var": Kind(
        payload("actor_mean_var.p", lambda mark: pickled([Payload(mark)], 2), popsan),
        "actor_mean_var.p",
        opened="actor.pt",
    ),
    "payload, SDDPG": Kind(
        payload("nav_bias.p", lambda mark: pickled([Payload(mark)], 3), sddpg),
        "nav_bias.p",
        opened="nav_weights.p",
    ),
    "payload, observations": Kind(npy_of_objects, "observations.npy", reader="observations"),
}
