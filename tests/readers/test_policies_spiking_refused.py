"""Spiking checkpoints that are refused: sidecars, actors, normalisers, missing siblings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy
from tests.support.policy_files import Payload, pickled, torch_bytes, write
from tests.support.spiking_files import WORLD, actor, navigation, read

SIDECARS: list[tuple[str, str]] = [
    ('{"neurn": "lif"}', "unknown key 'neurn' did you mean 'neuron'"),
    (
        '{"neuron": "alif", "timesteps": 0}',
        (
            "2 problems: neuron is 'alif', known are lif, clif, dn, plif; timesteps is 0, a whole"
            " number 1..1024 expected"
        ),
    ),
    ('{"timesteps": true}', "timesteps is True"),
    ('{"timesteps": 5.0}', "timesteps is 5.0"),
    ('{"action_limit": -1}', "action_limit is -1, positive numbers expected"),
    ('{"action_limit": []}', "action_limit is .., positive numbers expected"),
    ('{"action_limit": NaN}', "action_limit is nan, positive numbers expected"),
    ('{"observation": "zscore"}', "observation is 'zscore', known are normalizer, tanh, none"),
    ('{"observation": ["tanh"]}', "observation is .'tanh'., known are"),
    (
        '{"environment": "os:World"}',
        "environment 'os:World' carries a colon, which would import code",
    ),
    ('{"environment": 3}', "environment is '3', a Gymnasium id expected"),
    ('{"encoder": "rate"}', "the checkpoint has a population encoder .got rate"),
    ('["lif"]', "not a JSON object but a list"),
    ("{", "not JSON"),
    ("[" * 5000, "not JSON"),
]


@pytest.mark.parametrize(("text", "message"), SIDECARS)
def test_sidecars_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "actor.pt", torch_bytes(actor()))
    (tmp_path / "actor.spikeport.json").write_text(text)
    with pytest.raises(InputError, match=rf"^actor.spikeport.json: .*{message}"):
        load_policy(tmp_path / "actor.pt", environment=WORLD)


def changed(**tensors: Any) -> dict[str, Any]:
    names = {
        "mean": "encoder.mean",
        "decoder": "decoder.decoder.weight",
        "hidden": "snn.hidden_layers.1.weight",
        "bias": "snn.out_pop_layer.bias",
    }
    result = actor() | {
        names.get(name, name.replace("__", ".")): value for name, value in tensors.items()
    }
    return {name: value for name, value in result.items() if value is not None}


@pytest.mark.parametrize(
    ("tensors", "options", "message"),
    [
        (
            changed(mean=torch.zeros(3, 4)),
            {},
            r"encoder.mean has shape \(3, 4\), \(1, obs, P\) expected",
        ),
        (changed(hidden=None), {}, "snn.hidden_layers.1.weight is missing"),
        (changed(bias=None), {}, "snn.out_pop_layer.bias is missing"),
        (
            changed(hidden=torch.zeros(6, 9)),
            {},
            r"layer 1 has a weight of shape \(6, 9\) where 8 inputs arrive",
        ),
        (changed(decoder=torch.zeros(2, 3)), {}, r"decoder.decoder has a weight of shape \(2, 3\)"),
        (
            changed(decoder=torch.zeros(2, 1, 5)),
            {},
            r"the decoder's weight has shape \(2, 5\) for 6 output neurons",
        ),
        (changed(extra__w=torch.zeros(1)), {}, "unknown key extra.w"),
        (changed(bias=torch.full((6,), torch.nan)), {}, "layer 2 bias has non-finite values"),
        (actor() | {"encoder.std": torch.zeros(1, 3, 4)}, {}, "the encoder's std has zeros"),
        (
            actor() | {"encoder.mean": torch.full((1, 3, 4), torch.nan)},
            {},
            "encoder.mean has non-finite values",
        ),
        (
            actor(plif=True) | {"snn.plifnodes.0.w": torch.tensor(torch.inf)},
            {},
            "snn.plifnodes.0.w is not finite",
        ),
        (
            actor(plif=True) | {"snn.plifnodes.9.w": torch.tensor(1.0)},
            {},
            r"snn.plifnodes.9.w has shape \(1,\); one number per layer expected",
        ),
        (
            actor(),
            {"activation": "relu"},
            "a spiking checkpoint has neurons, no activation .got --activation relu",
        ),
        (
            actor(),
            {"environment": EnvironmentFacts("Hopper-v5", 11)},
            "got 3 features, limit 11 observation channels of Hopper-v5",
        ),
        (actor(), {"environment": EnvironmentFacts()}, "does not carry the action limit"),
    ],
)
def test_actors_that_are_refused(
    tmp_path: Path, tensors: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, tensors, **options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            pickled(Payload(Path("ran"))),
            (
                "the pickle names something that is not loaded .*nothing was executed.*Fix: give"
                " the _mean_var.p"
            ),
        ),
        (pickled({"mean": 1}), "not a list of mean and variance .got dict"),
        (pickled([np.zeros(3)]), "not a list of mean and variance"),
        (
            pickled([np.zeros(4), np.ones(4)]),
            r"does not fit the policy .got \(4,\) and \(4,\), limit \(3,\)",
        ),
        (
            pickled([np.zeros(3), np.array([1.0, -1.0, 1.0])]),
            "must be finite, the variance not negative",
        ),
        (pickled([np.zeros(3), np.array([1.0, np.nan, 1.0])]), "must be finite"),
        (
            pickled([np.zeros(3), np.array(["a", "b", "c"], object)]),
            "var is not a numeric array|not loaded",
        ),
        (b"\x80\x04garbage", "actor_mean_var.p"),
    ],
)
def test_normalisers_that_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path / "actor_mean_var.p", content)
    with pytest.raises(InputError, match=message):
        read(tmp_path, actor())


@pytest.mark.parametrize(
    ("weights", "biases", "message"),
    [
        (
            Payload(Path("ran")),
            None,
            "nav_weights.p: the pickle names something that is not loaded .*nothing was executed",
        ),
        ({}, None, "nav_weights.p: not a list of arrays .got dict, limit 1..64 arrays"),
        ([], None, "nav_weights.p: not a list of arrays .got 0 entries"),
        ([np.zeros(3)], None, r"array 0 has shape \(3,\), 2 axes expected"),
        ([np.zeros((2, 4))], None, "1 weights and 3 biases"),
        (
            None,
            [np.zeros(6), np.zeros(5), np.zeros(3)],
            r"layer 2 has a bias of shape \(3,\) for 2 outputs",
        ),
        (
            [np.zeros((6, 4)), np.zeros((5, 7)), np.zeros((2, 5))],
            None,
            r"layer 1 has a weight of shape \(5, 7\) where 6 inputs arrive",
        ),
        (["text"], None, "array 0 is not a numeric array"),
        (
            [np.full((6, 4), 1e300), np.zeros((5, 6)), np.zeros((2, 5))],
            None,
            "weight has non-finite values",
        ),
    ],
)
def test_navigation_actors_that_are_refused(
    tmp_path: Path, weights: Any, biases: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_policy(navigation(tmp_path, weights, biases))


def test_a_missing_sibling_is_named(tmp_path: Path) -> None:
    path = navigation(tmp_path)
    (tmp_path / "nav_bias.p").unlink()
    with pytest.raises(InputError, match="nav_weights.p: its sibling nav_bias.p is missing"):
        load_policy(path)
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"squash": "tanh"}, "an SDDPG action is a rate"),
        ({"normalizer": "x.p"}, "have no normaliser"),
        ({"activation": "relu"}, "no activation"),
    )
    for options, message in wrong:
        with pytest.raises(InputError, match=message):
            load_policy(navigation(tmp_path), **options)
