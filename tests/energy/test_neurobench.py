"""Our counting of synops equals NeuroBench's, on its own snnTorch fixture and on our own integer
networks.

The fixture is 3-256-256-1, no bias, no random numbers: weights k / 2^shift from a closed form with
about 10 % of them zero, 16 observations of a pendulum on a grid of 1/64, each held for 8 timesteps.
Three comparisons:

1. the fixture in snnTorch, measured by NeuroBench and by our fan-out on the spikes it recorded;
2. the same integers as a network of ours, with the fixture's own start of the membrane: snnTorch
subtracts the
   threshold one step later, which gives the same spikes as subtracting at once, but starts at 0
   where if@1 starts at theta // 2, so only that differs;
3. if@1 as it is, against NeuroBench on a torch module with the same integer step.

We send the input once and hold it on the chip; NeuroBench counts it in every timestep, as
multiply-accumulates. Its spiking output layer stands in the place of our readout: what it receives
is compared, what it sends is not.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.artifact.artifact import Artifact, Probe
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.network.integer_network import READOUT, Encoder, Layer, Network
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import IntegrateAndFire, network_of
from spikeport.toolchain.policies.ann_policy import Provenance
from spikeport.toolchain.simulation.backend import Backend
from spikeport.toolchain.simulation.census import Census
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.support.networks import observation_stream, random_artifact

torch = pytest.importorskip("torch")
snntorch = pytest.importorskip("snntorch", reason="snntorch is not installed: make setup")
neurobench_models = pytest.importorskip(
    "neurobench.models", reason="neurobench is not installed: make setup"
)
workload = pytest.importorskip("neurobench.metrics.workload")

pytestmark = pytest.mark.filterwarnings("ignore")

WIDTHS = (3, 256, 256, 1)
SHIFTS = (6, 10, 8)
TIMESTEPS = 8
OBSERVATIONS = 16
MACS = sum(a * b for a, b in zip(WIDTHS[:-1], WIDTHS[1:], strict=True))
PUBLISHED_ACS = 154_993.8125
PUBLISHED_MACS = 5_297.0
PUBLISHED_DENSE = 532_480.0
PUBLISHED_SPIKES = (672.25, 1_049.0625)


def weight_integers(layer: int) -> np.ndarray:
    """k [out, in], |k| <= 127; the fixture's weight is k / 2^shift."""
    i, j = np.indices((WIDTHS[layer + 1], WIDTHS[layer]))
    k = (37 * i + 91 * j + 53 * i * j + 29 * layer + 11) % 255 - 127 + (8 if layer else 0)
    return np.where((i + j) % 10 == 0, 0, np.clip(k, -127, 127))


def input_integers() -> np.ndarray:
    """Observations in units of 1/64, [16, 3]."""
    n = np.arange(OBSERVATIONS)
    return np.round(
        64 * np.stack([np.cos(0.4 * n), np.sin(0.4 * n), 0.5 * np.sin(0.9 * n)], axis=-1)
    )


def fixture() -> Artifact:
    """The fixture as an if@1 network.

    Payloads in 1/64, weights k, so row units of 1 / 2^(shift + 6) and 1 / 2^shift.
    """
    layers = []
    for index, (inputs, outputs) in enumerate(zip(WIDTHS[:-1], WIDTHS[1:], strict=True)):
        readout = index == len(WIDTHS) - 2
        if readout:
            theta = 0
        else:
            theta = 1 << (SHIFTS[index] + (6 if index == 0 else 0))
        weights = weight_integers(index).astype(np.int8)
        assert weights.shape == (outputs, inputs)
        same = [np.full(outputs, value, np.int32) for value in (0, theta, 0, 1)]
        bias, threshold, low, high = same
        layers.append(
            Layer(
                READOUT if readout else "if@1",
                Dense(weights),
                bias,
                np.ones(outputs),
                threshold,
                low,
                high,
                np.ones(outputs),
                activation="identity" if readout else "relu",
                hold_input=index == 0,
            )
        )
    network = network_of(
        Encoder(np.ones(3), np.full(3, 64, np.int32)), tuple(layers), TIMESTEPS, alpha=0
    )
    probe = Probe(np.zeros((2, 3)), np.ones(2, np.uint8))
    action = ActionContract(1, "none", np.ones(1), np.zeros(1))
    artifact = Artifact(
        network,
        ObservationContract(3),
        action,
        Provenance("fixture", "0" * 64, "test", "test"),
        probe,
        {},
        source_macs=MACS,
    )
    check(artifact, "fixture")
    return artifact


class StartsAtZero(IntegrateAndFire):
    """if@1 with the membrane at 0 when a window opens."""

    def begin(self, layer: Layer, state: Any, control: Any, timesteps: int, alpha: int) -> None:
        super().begin(layer, state, control, timesteps, alpha)
        state["v"][:] = 0


class IntegerNetwork(torch.nn.Module):
    """A rate network's integer steps in torch, float64 exact:

    Linear children for NeuroBench to hook, if@1 between them.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.linear = torch.nn.ModuleList()
        for layer in network.layers:
            linear = torch.nn.Linear(layer.inputs, layer.outputs, dtype=torch.float64)
            linear.weight.data, linear.bias.data = (
                torch.tensor(array, dtype=torch.float64) for array in (layer.weights, layer.bias)
            )
            self.linear.append(linear)
        self.thresholds = [
            torch.tensor(layer.threshold, dtype=torch.float64) for layer in network.layers[:-1]
        ]
        self.spikes: list[Any] = []

    def forward(self, payloads: Any) -> Any:
        """payloads [batch, T, features] -> the readout's input summed over T."""
        self.spikes = []
        for linear, theta in zip(self.linear[:-1], self.thresholds, strict=True):
            currents = linear(payloads)
            v = torch.floor(theta / 2).expand(len(payloads), -1)
            sent = []
            for timestep in range(currents.shape[1]):
                v = v + currents[:, timestep]
                sent.append((v > theta).to(v.dtype))
                v = v - theta * sent[-1]
            payloads = torch.stack(sent, dim=1)
            self.spikes.append(payloads)
        return self.linear[-1](payloads).sum(1)


def snntorch_network() -> Any:
    """The fixture as published.

    Real weights, threshold 1, subtractive reset, a spiking output layer.
    """
    children = []
    for index, shift in enumerate(SHIFTS):
        linear = torch.nn.Linear(WIDTHS[index], WIDTHS[index + 1], bias=False)
        linear.weight.data = torch.tensor(weight_integers(index) / 2.0**shift, dtype=torch.float32)
        leaky = snntorch.Leaky(
            beta=1.0,
            threshold=1.0,
            reset_mechanism="subtract",
            init_hidden=True,
            output=index == len(SHIFTS) - 1,
        )
        children += [linear, leaky]
    return torch.nn.Sequential(*children)


def measure(model: Any, inputs: np.ndarray, dtype: Any) -> dict[str, float]:
    """NeuroBench's SynapticOperations for inputs [n, T, features], per sample, in batches of 4."""
    metric = workload.SynapticOperations()
    batches = torch.tensor(inputs, dtype=dtype).split(4)
    model.register_hooks()
    result: dict[str, float] = {}
    for batch in batches:
        result = metric(model, model(batch), (batch, None))
        model.reset_hooks()
    model.cleanup_hooks()
    return result


def census_of(backend: Backend, observations: np.ndarray) -> Census:
    """Every observation as the first of an episode, as NeuroBench's samples are."""
    for observation in observations:
        backend.reset()
        backend.decide(observation[None])
    return backend.census()


def per_decision(census: Census) -> list[float]:
    return [layer.synops / census.decisions for layer in census.layers]


def test_the_fixture_in_snntorch() -> None:
    """NeuroBench gives the published numbers, and our fan-out on the spikes that it recorded gives
    the same.
    """
    network = snntorch_network()
    model = neurobench_models.SNNTorchModel(network)
    held = np.repeat(input_integers()[:, None] / 64, TIMESTEPS, axis=1)
    found = measure(model, held, torch.float32)
    assert found == {
        "Effective_MACs": PUBLISHED_MACS,
        "Effective_ACs": PUBLISHED_ACS,
        "Dense": PUBLISHED_DENSE,
    }
    recorded: list[list[Any]] = [[], [], []]
    for index in range(3):
        network[2 * index].register_forward_pre_hook(
            lambda _, args, index=index: recorded[index].append(args[0].numpy())
        )
    with torch.no_grad():
        model(torch.tensor(held, dtype=torch.float32))
    layers = fixture().network.layers
    present = [(np.concatenate(payloads) != 0).sum(0) for payloads in recorded]
    counted = [
        int(payloads @ layer.fan_out) / OBSERVATIONS
        for payloads, layer in zip(present, layers, strict=True)
    ]
    assert counted[0] == PUBLISHED_MACS
    assert counted[1] + counted[2] == PUBLISHED_ACS
    assert tuple(payloads.sum() / OBSERVATIONS for payloads in present[1:]) == PUBLISHED_SPIKES


def test_the_fixture_in_our_simulation() -> None:
    """The same integers, with the fixture's start of the membrane.

    The census equals the published numbers.
    """
    backend = ReferenceBackend(fixture())
    backend.neurons[:-1] = [StartsAtZero(), StartsAtZero()]
    census = census_of(backend, input_integers())
    first, *rest = per_decision(census)
    assert sum(rest) == PUBLISHED_ACS
    assert first * TIMESTEPS == PUBLISHED_MACS
    assert census.macs_per_decision * census.timesteps == PUBLISHED_DENSE
    assert (
        tuple(layer.spikes / census.decisions for layer in census.layers[:-1]) == PUBLISHED_SPIKES
    )


@pytest.mark.parametrize("backend", [ReferenceBackend, FastBackend])
def test_our_neuron_on_the_fixture(backend: type[Backend]) -> None:
    """if@1 as it is.

    The same weights, a start at theta // 2, counted by NeuroBench and by each backend.
    """
    artifact = fixture()
    held = np.repeat(input_integers()[:, None], TIMESTEPS, axis=1)
    found = measure(
        neurobench_models.TorchModel(IntegerNetwork(artifact.network)), held, torch.float64
    )
    first, *rest = per_decision(census_of(backend(artifact), input_integers()))
    assert found == {
        "Effective_MACs": first * TIMESTEPS,
        "Effective_ACs": sum(rest),
        "Dense": PUBLISHED_DENSE,
    }
    assert (
        found["Effective_ACs"] != PUBLISHED_ACS
    )  # the start of the membrane matters, the counting does not


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_with_biases(seed: int) -> None:
    """Random weights, biases, thresholds, timesteps: spikes, synops and dense counts agree."""
    artifact = random_artifact(seed, neuron="if@1", widths=(5, 30, 20, 3), timesteps=3 + seed)
    artifact = dataclasses.replace(artifact, source_macs=5 * 30 + 30 * 20 + 20 * 3)
    observations = observation_stream(np.random.default_rng(seed), 20, 5)
    backend = ReferenceBackend(artifact)
    trace = backend.trace(observations, np.ones(20, np.uint8))
    census = census_of(backend, observations)
    module = IntegerNetwork(artifact.network)
    held = np.repeat(trace.inputs[:, None].astype(np.float64), artifact.network.timesteps, axis=1)
    found = measure(neurobench_models.TorchModel(module), held, torch.float64)
    first, *rest = per_decision(census)
    assert found["Effective_MACs"] == pytest.approx(first * census.timesteps, rel=1e-12)
    assert found["Effective_ACs"] == pytest.approx(sum(rest), rel=1e-12)
    assert found["Dense"] == artifact.macs * census.timesteps
    module(torch.tensor(held))
    for layer, spikes in zip(trace.layers[:-1], module.spikes, strict=True):
        assert np.array_equal(layer.payloads, spikes.numpy())
