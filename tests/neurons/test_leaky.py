"""snnTorch's Leaky networks.

Read as snnTorch runs them, turned into integers, and the memory kept apart row by row.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.artifact.artifact_file import load, save
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.conversion.schemes.trained_leaky import convert_leaky
from spikeport.toolchain.conversion.states import from_arrays
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.actor import FloatActor
from spikeport.toolchain.policies.leaky_policy import LeakyPolicy
from spikeport.toolchain.readers.load import load_policy
from spikeport.toolchain.simulation.backends import open_backend
from tests.artifact.test_artifact_file import assert_equal
from tests.support.front_door import TOY_ENV, answer, done

torch = pytest.importorskip("torch")
snn = pytest.importorskip("snntorch")
WIDTHS = (5, 32, 16, 3)
DECISIONS = 200


def sequential(seed: int = 0, **options: Any) -> Any:
    """nn.Sequential of Linear and Leaky with betas beyond 0..1 and thresholds of either sign."""
    torch.manual_seed(seed)
    parts: list[Any] = []
    for index, (a, b) in enumerate(zip(WIDTHS[:-1], WIDTHS[1:], strict=True)):
        parts.append(torch.nn.Linear(a, b))
        if index < len(WIDTHS) - 2:
            beta = torch.rand(b) * 1.4 - 0.2
            threshold = torch.rand(b) - 0.05
            parts.append(
                snn.Leaky(
                    beta=beta,
                    threshold=threshold,
                    learn_beta=True,
                    learn_threshold=True,
                    init_hidden=True,
                    **options,
                )
            )
    return torch.nn.Sequential(*parts)


def spiking_net(net: Any) -> dict[str, Any]:
    """The same weights under the names of the SpikingNet family, `sigma` beside them."""
    names = {
        "0": "preprocess.model.layer_in",
        "1": "preprocess.model.lif_in",
        "2": "preprocess.model.layer_out",
        "3": "preprocess.model.lif_out",
        "4": "mu",
    }
    state = {
        f"{names[key.split('.', 1)[0]]}.{key.split('.', 1)[1]}": value
        for key, value in net.state_dict().items()
    }
    return state | {"sigma.weight": torch.zeros(3, 16), "sigma.bias": torch.zeros(3)}


def written(path: Path, state: dict[str, Any]) -> Path:
    stream = io.BytesIO()
    torch.save(state, stream)
    path.write_bytes(stream.getvalue())
    return path


def read(path: Path, **options: Any) -> LeakyPolicy:
    policy = load_policy(path, **{"squash": "tanh", "action_limit": 1.0} | options)
    assert isinstance(policy, LeakyPolicy)
    return policy


def walk(seed: int, decisions: int = DECISIONS) -> np.ndarray:
    return np.cumsum(
        np.random.default_rng(seed).normal(scale=0.3, size=(decisions, WIDTHS[0])), axis=0
    )


def snntorch_run(net: Any, observations: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Spikes per hidden layer and outputs over one episode, by snnTorch itself."""
    neurons = [part for part in net if isinstance(part, snn.Leaky)]
    spikes = [[], []]
    outputs = []
    for part in neurons:
        part.reset_mem()
    with torch.no_grad():
        for row in observations.astype(np.float32):
            values = torch.tensor(row)[None]
            for part in net:
                values = part(values)
                if isinstance(part, snn.Leaky):
                    spikes[neurons.index(part)].append(values.numpy()[0])
            outputs.append(values.numpy()[0])
    return [np.array(layer) for layer in spikes], np.array(outputs)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", ["sequential", "net"])
@pytest.mark.proves(direction="in", format="snnTorch Leaky")
def test_float_policy_equals_snntorch(tmp_path: Path, seed: int, family: str) -> None:
    net = sequential(seed)
    observations = walk(seed)
    policy = read(
        written(tmp_path / "a.pt", net.state_dict() if family == "sequential" else spiking_net(net))
    )
    wanted, outputs = snntorch_run(net, observations)
    membranes = policy.at_rest(1)
    for decision, row in enumerate(observations.astype(np.float32)):
        spikes, found = policy.step(row[None], membranes)
        for layer, theirs in zip(spikes, wanted, strict=True):
            assert np.array_equal(layer[0], theirs[decision])
        np.testing.assert_allclose(found[0], outputs[decision], rtol=1e-5, atol=1e-6)
    assert all(0.05 < layer.mean() < 0.95 for layer in wanted)
    np.testing.assert_allclose(policy.act(observations), np.tanh(outputs), rtol=1e-4, atol=1e-6)


def test_graded_spikes_are_folded(tmp_path: Path) -> None:
    net = sequential(3, graded_spikes_factor=2.5)
    observations = walk(3, 50)
    policy = read(written(tmp_path / "a.pt", net.state_dict()))
    np.testing.assert_allclose(
        policy.act(observations), np.tanh(snntorch_run(net, observations)[1]), rtol=1e-4, atol=1e-5
    )


def test_rows_have_memories_of_their_own(tmp_path: Path) -> None:
    """Rows that start, pause and run apart act as one episode each.

    `act` starts anew at decision 0.
    """
    policy = read(written(tmp_path / "a.pt", sequential(1).state_dict()))
    one = walk(1, 30)
    two = walk(2, 30)
    actor = FloatActor(policy, 2)
    actor.reset()
    first = actor.decide(np.stack([one[0], two[0]]))
    paused = actor.decide(np.stack([one[1], two[1]]), np.array([True, False]))
    actor.reset(np.array([True, False]))
    third = actor.decide(np.stack([one[0], two[1]]))
    assert np.isnan(paused[1]).all()
    np.testing.assert_array_equal([first[0], paused[0]], policy.act(one[:2]))
    np.testing.assert_array_equal(third[0], first[0])
    np.testing.assert_array_equal([first[1], third[1]], policy.act(two[:2]))
    both = policy.act(np.concatenate([one, two]), np.tile(np.arange(30), 2))
    np.testing.assert_array_equal(both, np.concatenate([policy.act(one), policy.act(two)]))


def test_integers_follow_the_policy(tmp_path: Path) -> None:
    """8 bits.

    Nearly all spikes are the float policy's, on every backend alike; the artifact comes back from
    its file.
    """
    policy = read(written(tmp_path / "a.pt", sequential(0).state_dict()))
    observations = np.concatenate([walk(0), walk(5)])
    starts = np.arange(2 * DECISIONS) % DECISIONS == 0
    calibration = from_arrays(observations, starts, WIDTHS[0])
    artifact = convert_leaky(policy, calibration, None, ConversionOptions(neuron="leaky"))
    with open_backend("fast", artifact) as backend:
        trace = backend.trace(observations, starts.astype(np.int64))
    membranes = policy.at_rest(1)
    different = 0
    for decision, row in enumerate(observations.astype(np.float32)):
        if starts[decision]:
            membranes = policy.at_rest(1)
        else:
            membranes = membranes
        for index, layer in enumerate(policy.step(row[None], membranes)[0]):
            different += int((layer[0] != trace.layers[index].payloads[decision, 0]).sum())
    assert different / (len(observations) * sum(WIDTHS[1:-1])) < 0.02
    assert artifact.calibration["measured_action_error"] < 0.2
    save(artifact, tmp_path / "a.spk")
    assert_equal(artifact, load(tmp_path / "a.spk"))


def test_command_line(tmp_path: Path) -> None:
    checkpoint = written(tmp_path / "a.pth", spiking_net(sequential(2)))
    np.save(tmp_path / "x.npy", walk(2))
    said = answer(
        "convert",
        checkpoint,
        "-o",
        tmp_path / "a.spk",
        "--observations",
        tmp_path / "x.npy",
        "--action-limit",
        "1",
    )
    assert (
        said["output"] == "a.spk"
        and said["accepted"] is None
        and spikeport.load(tmp_path / "a.spk").network.neuron == "leaky@1"
    )
    told = done(
        "convert",
        checkpoint,
        "-o",
        tmp_path / "a.spk",
        "--observations",
        tmp_path / "x.npy",
        "--action-limit",
        "1",
    ).stderr
    assert (
        "note: no closed loop was run" in told
        and "`spikeport simulate a.spk --env ID --compare` measures its return" in told
    )
    verified = answer(
        "verify",
        tmp_path / "a.spk",
        "--backends",
        "reference,fast,lava-direct,onnx",
        "--decisions",
        256,
        exit_code=0,
    )
    assert verified["exact"]
    assert (
        answer("inspect", checkpoint, "--action-limit", "1")["layers"][0]["activation"] == "leaky"
    )


REFUSED = {
    "reset to zero": (
        lambda s: s | {"1.reset_mechanism_val": torch.tensor(1)},
        r"1\.reset_mechanism_val is 1: only reset by subtraction \(0\) is read",
    ),
    "a part is missing": (
        lambda s: {k: v for k, v in s.items() if k != "0.bias"},
        r"0\.bias is missing",
    ),
    "unknown key": (lambda s: s | {"1.alpha": torch.ones(32)}, r"unknown key 1\.alpha"),
    "shape": (
        lambda s: s | {"1.beta": torch.ones(31)},
        r"1\.beta has shape \(31,\), one number or \(32,\) expected",
    ),
    "order": (
        lambda s: {k: v for k, v in s.items() if not k.startswith("2.")},
        r"modules 0 linear, 1 neuron, 3 neuron, 4 linear",
    ),
    "not finite": (
        lambda s: s | {"3.threshold": torch.full((16,), torch.nan)},
        r"layer 1 threshold has non-finite values",
    ),
    "beside": (
        lambda s: s | {"log_alpha": torch.ones(1)},
        r"unknown key log_alpha beside Leaky neurons",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path: Path, name: str) -> None:
    change, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        read(written(tmp_path / "a.pt", change(dict(sequential(0).state_dict()))))


def test_facts_that_a_file_does_not_carry(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pt", sequential(0).state_dict())
    with pytest.raises(
        InputError, match=r"does not say what follows its last layer\. Fix: --squash"
    ):
        read(path, squash=None)
    with pytest.raises(InputError, match="has neurons, no activation"):
        read(path, activation="relu")
    net = written(
        tmp_path / "b.pt",
        spiking_net(sequential(0)) | {"preprocess.model.hidden_layers.0.weight": torch.ones(2, 2)},
    )
    with pytest.raises(
        InputError,
        match=(
            r"2 problems: unknown key preprocess\.model\.hidden_layers\.0\.weight; nets with"
            r" hidden_layers run several passes"
        ),
    ):
        read(net)
    policy = read(path)
    assert any("betas are clamped" in text for text in policy.provenance.assumptions)
    assert any(
        "thresholds are zero or negative and are kept" in text
        for text in policy.provenance.assumptions
    )
    with pytest.raises(
        InputError,
        match=r"2 problems: --timesteps 4 has no meaning here; --neuron if has no meaning here",
    ):
        convert_leaky(
            policy,
            from_arrays(walk(0), None, WIDTHS[0]),
            None,
            ConversionOptions(neuron="if", timesteps=4),
        )


def test_sidecar(tmp_path: Path) -> None:
    """`action_limit` and `environment` are read, the command line goes before them, every other key
    is refused by name.
    """
    path = written(tmp_path / "a.pt", sequential(0).state_dict())
    sidecar = tmp_path / "a.spikeport.json"
    sidecar.write_text('{"action_limit": 0.5, "environment": "Pendulum-v1"}')
    policy = read(path, action_limit=None)
    assert policy.action.scale.tolist() == [0.5] * 3 and policy.environment == "Pendulum-v1"
    assert "a.spikeport.json gives action_limit, environment" in policy.provenance.assumptions
    assert read(path, action_limit=2.0).action.scale.tolist() == [2.0] * 3
    for text, message in (
        (
            '{"action_limt": 1}',
            r"a\.spikeport\.json: unknown key 'action_limt' did you mean 'action_limit'",
        ),
        (
            '{"neuron": "lif", "timesteps": 5}',
            (
                r"a\.spikeport\.json: 2 problems: neuron does not belong to a Leaky network;"
                r" timesteps does not"
            ),
        ),
        (
            '{"observation": "tanh"}',
            (
                r"observation does not belong to a Leaky network\. .* Fix: keep action_limit and"
                r" environment only"
            ),
        ),
    ):
        sidecar.write_text(text)
        with pytest.raises(InputError, match=message):
            read(path)


def test_environment_of_the_sidecar_is_converted_in(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(3, 8), snn.Leaky(beta=0.5, init_hidden=True), torch.nn.Linear(8, 1)
    )
    path = written(tmp_path / "a.pt", net.state_dict())
    (tmp_path / "a.spikeport.json").write_text('{"environment": "Pendulum-v1"}')
    said = answer(
        "convert", path, "-o", tmp_path / "a.spk", "--squash", "tanh", "--calibration-steps", 200
    )
    assert said["environment"]["id"] == "Pendulum-v1" and spikeport.load(
        tmp_path / "a.spk"
    ).action.scale.tolist() == [2.0]


def test_inspect_lists_what_a_sequential_leaves_open(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pt", sequential(0).state_dict())
    for options, missing in (
        ((), {"squash"}),
        (("--action-limit", 1), {"squash"}),
        (("--squash", "tanh"), {"action limit"}),
        (("--squash", "tanh", "--action-limit", 1), set()),
        (("--action-low", -1, "--action-high", 1), {"squash"}),
    ):
        found = answer("inspect", path, *options)
        assert {one["fact"] for one in found["missing"]} == missing and all(
            one["give"].startswith("--") for one in found["missing"]
        )
        assert (found["action"]["squash"] is None) == ("squash" in missing)
    small = torch.nn.Sequential(
        torch.nn.Linear(5, 8), snn.Leaky(beta=0.5, init_hidden=True), torch.nn.Linear(8, 2)
    )
    assert [
        one["fact"]
        for one in answer(
            "inspect", written(tmp_path / "b.pt", small.state_dict()), "--env", TOY_ENV
        )["missing"]
    ] == ["squash"]
