"""State dicts that must be refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy
from tests.support.policy_files import SEQUENTIAL, TWO, save, state_dict

torch = pytest.importorskip("torch")
L = state_dict()
S = state_dict(names=SEQUENTIAL)
PLAIN = {"activation": "relu", "squash": "tanh"}

REFUSED: list[tuple[str, object, dict[str, Any], str]] = [
    (
        "tensor",
        torch.zeros(3),
        {},
        (
            r"actor\.pt: not a state_dict \(got a Tensor, limit a dict of names and"
            r" tensors\).*torch\.save\(actor\.state_dict\(\), FILE\)"
        ),
    ),
    ("list", [1, 2], {}, r"not a state_dict \(got a list"),
    ("empty", {}, {}, r"not a state_dict \(got an empty dict"),
    ("numbers", {1: torch.zeros(2)}, {}, r"some keys are not names \(got int, limit str\)"),
    (
        "extras",
        {
            **L,
            "bn.weight": torch.zeros(8),
            "l22.weight": torch.zeros(2, 2),
            "other": torch.zeros(1),
        },
        {},
        r"layers are numbered 1, 2, 3, 22",
    ),
    (
        "unknown",
        {**L, "bn.weight": torch.zeros(8), "l1.wieght": torch.zeros(1)},
        {},
        r"2 problems: unknown key bn\.weight.*unknown key l1\.wieght did you mean 'l1\.weight'",
    ),
    (
        "missing bias",
        {key: value for key, value in L.items() if key != "l2.bias"},
        {},
        r"l2\.bias is missing",
    ),
    (
        "missing layer",
        {key: value for key, value in L.items() if "l2" not in key},
        {},
        "layers are numbered 1, 3, expected 1, 2, 3",
    ),
    ("not a tensor", {**L, "steps": 3}, {}, r"steps is a int, not a tensor"),
    (
        "integers",
        {**L, "l2.bias": torch.zeros(6, dtype=torch.int32)},
        {},
        r"l2\.bias is torch\.int32",
    ),
    (
        "sparse",
        {**L, "l2.weight": torch.zeros(6, 8).to_sparse()},
        {},
        r"l2\.weight is torch\.float32, torch\.sparse_coo",
    ),
    (
        "convolution",
        {**L, "l2.weight": torch.zeros(6, 8, 3, 3)},
        {},
        r"l2\.weight has shape \(6, 8, 3, 3\), a linear layer has \[out, in\]",
    ),
    ("empty layer", {**L, "l2.weight": torch.zeros(6, 0)}, {}, r"l2\.weight has shape \(6, 0\)"),
    (
        "bias",
        {**L, "l2.bias": torch.zeros(5)},
        {},
        r"l2\.bias has shape \(5,\), its weight \(6, 8\)",
    ),
    (
        "chain",
        {**L, "l2.weight": torch.zeros(6, 9)},
        {},
        r"actor\.pt: layer 1 takes 9 inputs but 8 arrive",
    ),
    (
        "nan",
        {**L, "l2.weight": torch.full((6, 8), float("nan"))},
        {},
        r"layer 1 weight has 48 non-finite values, the first at \(0, 0\)",
    ),
    (
        "too large",
        {**L, "l2.weight": torch.full((6, 8), 1e300, dtype=torch.float64)},
        {},
        r"layer 1 weight has 48 non-finite values",
    ),
    (
        "names",
        {"a.weight": torch.zeros(2, 2), "b.c": torch.zeros(1)},
        {},
        (
            r"no documented family has these keys: a\.weight, b\.c.*known are l1\.\.lN.*rename the"
            r" layers like an nn\.Sequential"
        ),
    ),
    (
        "popsan",
        {"encoder.mean": torch.zeros(2), "snn.out_pop_layer.weight": torch.zeros(2)},
        {},
        "snn.out_pop_layer.weight has shape .*decoder.decoder has",
    ),
    ("normalised", {**S, "1.running_mean": torch.zeros(8)}, PLAIN, r"unknown key 1\.running_mean"),
    (
        "layer norm",
        {**S, "1.weight": torch.zeros(8), "1.bias": torch.zeros(8)},
        PLAIN,
        r"layers are numbered 0, 1, 2, 4, expected 0, 2, 4.*1\.weight has shape \(8,\)",
    ),
    (
        "gap",
        state_dict(names=("0", "3", "6")),
        PLAIN,
        r"layers are numbered 0, 3, 6, expected 0, 2, 4, \.\.\. \(one activation between\)",
    ),
    (
        "two actors",
        {"actor": L, "policy": L},
        {},
        r"which entry is the actor is not clear \(got actor, policy",
    ),
    (
        "no actor",
        {"critic": L, "value": L},
        {},
        r"which entry is the actor is not clear \(got critic, value",
    ),
    (
        "normaliser",
        {"actor": L, "obs_rms": {"mean": torch.zeros(2)}, "gain": 2},
        {},
        (
            r"2 problems: unknown entry obs_rms beside actor; unknown entry gain beside actor.*as a"
            r" normaliser does"
        ),
    ),
    ("inner", {"actor": {}}, {}, r"actor\.pt \(actor\): not a state_dict"),
    ("deep", {"actor": {"net": L}}, {}, r"net is a dict, not a tensor"),
    (
        "long number",
        {"1" * 5000 + ".weight": torch.zeros(2, 2)},
        PLAIN,
        r"no documented family has these keys: 1{60}\.",
    ),
    (
        "many",
        {f"{index}.weight": torch.zeros(1, 1) for index in range(3000)},
        PLAIN,
        "too many entries for an actor \\(got 3000",
    ),
    (
        "activation",
        L,
        {"activation": "rely"},
        r"options: unknown activation 'rely', known are identity, relu.*did you mean 'relu'",
    ),
    (
        "squash",
        L,
        {"squash": "tan"},
        r"options: unknown squash 'tan', known are tanh, clip, none, argmax did you mean 'tanh'",
    ),
    (
        "zero limit",
        L,
        {"action_limit": 0},
        (
            r"--action-limit does not fit the action \(got \[0\.0\], limit one positive number, or"
            r" 2 of them\)"
        ),
    ),
    (
        "limits",
        L,
        {"action_limit": [1, 1, 1]},
        r"--action-limit does not fit the action \(got \[1\.0, 1\.0, 1\.0\]",
    ),
    (
        "limit without squash",
        L,
        {"squash": "none", "action_limit": 1},
        "an action limit needs a squash",
    ),
    (
        "no bounds",
        L,
        {"environment": EnvironmentFacts()},
        (
            r"does not carry the action limit \(got no action bounds\).*--env ID or --action-low"
            r" and --action-high or --action-limit"
        ),
    ),
    (
        "clip alone",
        L,
        {"squash": "clip", "environment": EnvironmentFacts()},
        r"a clipped action needs its bounds \(got --squash clip alone\)",
    ),
    (
        "asymmetric",
        L,
        {"environment": EnvironmentFacts(action_low=[-1, -1], action_high=[1, 2])},
        r"the action limit does not follow from the bounds \(got low \[-1, -1\], high \[1, 2\]",
    ),
    (
        "infinite",
        L,
        {"environment": EnvironmentFacts(action_low=[-np.inf] * 2, action_high=[np.inf] * 2)},
        "the action limit does not follow from the bounds",
    ),
    (
        "observations",
        L,
        {"environment": EnvironmentFacts("Two-v1", 3)},
        (
            r"the policy does not fit the environment \(got 4 inputs, limit 3 observation channels"
            r" of Two-v1\)"
        ),
    ),
    (
        "actions",
        L,
        {"environment": EnvironmentFacts("Two-v1", action_low=[-1.0], action_high=[1.0])},
        r"\(got 2 outputs, limit 1 action channels of Two-v1\)",
    ),
]


@pytest.mark.parametrize(
    ("stored", "options", "text"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_refused(tmp_path: Path, stored: object, options: dict[str, Any], text: str) -> None:
    path = save(tmp_path, stored)
    with pytest.raises(InputError, match=text):
        load_policy(path, **{"environment": TWO, **options})
