"""NeuroBench on torch models built from artifacts of every neuron, beside our census.

Where the two count alike, and where they do not:

- a synop is a non-zero payload times a non-zero weight in both; biases are counted in neither;
- NeuroBench calls it an effective AC if every value that its layer receives is -1, 0 or 1, over the
whole batch, else
  an effective MAC: sigma-delta changes, powers of two and the input are MACs there, synops here;
- it counts a held input in each of the T timesteps, we once, since it is sent once and latched on
the chip; - a sample there is a whole sequence: for sdn an episode, for the others a decision.

`test_neurobench.py` has the fixture and if@1 step by step; here the payloads of our trace are
replayed through torch layers with the artifact's weights, and sdn is a torch model of its own.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.support.networks import observation_stream, random_artifact

torch = pytest.importorskip("torch")
pytest.importorskip("snntorch", reason="snntorch is not installed: make setup")
neurobench_models = pytest.importorskip(
    "neurobench.models", reason="neurobench is not installed: make setup"
)
workload = pytest.importorskip("neurobench.metrics.workload")

pytestmark = pytest.mark.filterwarnings("ignore")
DECISIONS = 24


def linear_of(weights: np.ndarray) -> Any:
    linear = torch.nn.Linear(weights.shape[1], weights.shape[0], bias=False, dtype=torch.float64)
    linear.weight.data = torch.tensor(weights, dtype=torch.float64)
    return linear


def measure(module: Any, inputs: np.ndarray) -> dict[str, float]:
    """NeuroBench's SynapticOperations of one batch, per sample."""
    model = neurobench_models.TorchModel(module)
    metric = workload.SynapticOperations()
    batch = torch.tensor(inputs, dtype=torch.float64)
    model.register_hooks()
    found = metric(model, model(batch), (batch, None))
    model.cleanup_hooks()
    return found


class Replay(torch.nn.Module):
    """An artifact's weight layers, each fed with the payloads [batch, T, in] that our trace
    recorded.
    """

    def __init__(self, artifact: Artifact, payloads: list[np.ndarray]) -> None:
        super().__init__()
        self.linear = torch.nn.ModuleList(
            linear_of(layer.weights) for layer in artifact.network.layers
        )
        self.payloads = [torch.tensor(values, dtype=torch.float64) for values in payloads]

    def forward(self, inputs: Any) -> Any:
        out = self.linear[0](inputs)
        for linear, payloads in zip(self.linear[1:], self.payloads, strict=True):
            out = linear(payloads)
        return out.sum(1)


BINARY = {"if@1": True, "snm@1": True, "mt@1": False, "dc@1": False}


@pytest.mark.parametrize("neuron", BINARY)
def test_rate_neurons(neuron: str) -> None:
    """The input once, hidden payloads in every timestep:

    MACs + ACs are our synops, split by what payloads are.
    """
    artifact = random_artifact(3, neuron=neuron, widths=(5, 30, 20, 3), timesteps=4)
    trace = ReferenceBackend(artifact).trace(
        observation_stream(np.random.default_rng(1), DECISIONS, 5), np.ones(DECISIONS, np.uint8)
    )
    found = measure(
        Replay(artifact, [layer.payloads for layer in trace.layers[:-1]]), trace.inputs[:, None]
    )
    first, *rest = [layer.synops / DECISIONS for layer in trace.census.layers]
    assert found["Effective_MACs"] + found["Effective_ACs"] == pytest.approx(
        first + sum(rest), rel=1e-12
    )
    assert sum(rest) > 0
    assert found["Effective_ACs"] == pytest.approx(sum(rest) if BINARY[neuron] else 0.0, rel=1e-12)
    assert found["Dense"] == 5 * 30 + 4 * (30 * 20 + 20 * 3)


@pytest.mark.parametrize("neuron", BINARY)
def test_a_held_input_is_counted_in_every_timestep_there(neuron: str) -> None:
    artifact = random_artifact(4, neuron=neuron, widths=(5, 30, 20, 3), timesteps=4)
    trace = ReferenceBackend(artifact).trace(
        observation_stream(np.random.default_rng(2), DECISIONS, 5), np.ones(DECISIONS, np.uint8)
    )
    payloads = [layer.payloads for layer in trace.layers[:-1]]
    once, held = (
        measure(Replay(artifact, payloads), np.repeat(trace.inputs[:, None], times, axis=1))
        for times in (1, 4)
    )
    first = trace.census.layers[0].synops / DECISIONS
    assert sum(
        held[name] - once[name] for name in ("Effective_MACs", "Effective_ACs")
    ) == pytest.approx(3 * first, rel=1e-12)


class SigmaDelta(torch.nn.Module):
    """sdn@1 in torch.

    Layers on changes, accumulators over the sequence; inputs [batch, decisions, in] are changes.
    """

    def __init__(self, artifact: Artifact) -> None:
        super().__init__()
        self.layers = artifact.network.layers
        self.linear = torch.nn.ModuleList(linear_of(layer.weights) for layer in self.layers)

    def forward(self, changes: Any) -> Any:
        accumulated = changes
        for index, (linear, layer) in enumerate(zip(self.linear, self.layers, strict=True)):
            accumulated = linear(changes).cumsum(1) + torch.tensor(layer.bias, dtype=torch.float64)
            if index == len(self.layers) - 1:
                break
            theta, top = (
                torch.tensor(values, dtype=torch.float64)
                for values in (layer.threshold, layer.payload_high)
            )
            q = torch.floor((2 * accumulated.clamp(min=0) + theta) / (2 * theta)).clamp(max=top)
            changes = torch.diff(q, dim=1, prepend=torch.zeros_like(q[:, :1]))
        return accumulated


@pytest.mark.parametrize("seed", range(3))
def test_sigma_delta_as_a_torch_model(seed: int) -> None:
    """Actions and synops of whole episodes; all are MACs there, since changes are graded."""
    artifact = random_artifact(seed, neuron="sdn@1", widths=(5, 30, 20, 3))
    plain = tuple(dataclasses.replace(layer, trigger=1) for layer in artifact.network.layers)
    artifact = dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, layers=plain, resync_every=0)
    )
    flags = np.zeros(DECISIONS, np.uint8)
    flags[0] = 1
    traces = [
        ReferenceBackend(artifact).trace(
            observation_stream(np.random.default_rng(10 * seed + episode), DECISIONS, 5), flags
        )
        for episode in range(4)
    ]
    module = SigmaDelta(artifact)
    inputs = np.stack([trace.inputs for trace in traces]).astype(np.float64)
    found = measure(module, inputs)
    assert found["Effective_MACs"] + found["Effective_ACs"] == pytest.approx(
        sum(trace.census.synops for trace in traces) / 4, rel=1e-12
    )
    assert found["Effective_MACs"] > 0 == found["Effective_ACs"]
    assert found["Dense"] == DECISIONS * (5 * 30 + 30 * 20 + 20 * 3)
    outputs = module(torch.tensor(inputs)).detach().numpy()
    for trace, output in zip(traces, outputs, strict=True):
        assert np.array_equal(trace.layers[-1].states[:, 0], output)
