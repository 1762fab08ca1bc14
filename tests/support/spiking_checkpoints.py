"""Counts of published spiking policies from their real weights.

They are a float simulation for the held-out energy points. Both are current-based LIF networks with
hard reset (PopSAN, SDDPG; Tang et al. 2020), T = 5, layers in order within a timestep, all state
zero at the start of a decision:

    I = 0.5 I + W s + b;  V = 0.75 V (1 - s) + I;  s = V > 0.5
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.simulation.census import Census, LayerCensus

TIMESTEPS = 5
DECAY_I = 0.5
DECAY_V = 0.75
THRESHOLD = 0.5
CHIP_STEPS = TIMESTEPS + 4  # the authors' schedule on Loihi


class SpikingCounts:
    """A CLIF network that counts what it does."""

    def __init__(self, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> None:
        self.weights, self.biases = (
            [w.astype(np.float64) for w in weights],
            [b.astype(np.float64) for b in biases],
        )
        self.fan_out = [np.count_nonzero(w, axis=0) for w in self.weights]
        self.messages, self.synops, self.sent = np.zeros((3, len(self.weights)), np.int64)
        self.decisions = 0

    def decide(self, inputs: np.ndarray) -> np.ndarray:
        """Input spikes [T, inputs] -> output spike counts [outputs]."""
        current, voltage, spikes = ([np.zeros(len(w)) for w in self.weights] for _ in range(3))
        total = np.zeros(len(self.weights[-1]))
        for arriving in inputs:
            for layer, weight in enumerate(self.weights):
                self.messages[layer] += int(arriving.sum())
                self.synops[layer] += int(arriving @ self.fan_out[layer])
                current[layer] = DECAY_I * current[layer] + weight @ arriving + self.biases[layer]
                voltage[layer] = DECAY_V * voltage[layer] * (1 - spikes[layer]) + current[layer]
                spikes[layer] = arriving = (voltage[layer] > THRESHOLD).astype(np.float64)
                self.sent[layer] += int(arriving.sum())
            total += arriving
        self.decisions += 1
        return total

    def census(self) -> Census:
        """As an artifact's own run would give it."""
        layers = tuple(
            LayerCensus(
                len(w),
                w.shape[1],
                int(self.fan_out[i].sum()),
                int(self.messages[i]),
                int(self.synops[i]),
                int(self.sent[i]),
                len(w) * CHIP_STEPS * self.decisions,
                0,
            )
            for i, w in enumerate(self.weights)
        )
        return Census(
            self.decisions, TIMESTEPS, CHIP_STEPS, layers, 0, sum(w.size for w in self.weights), 0
        )


def popsan(folder: Path, decisions: int) -> tuple[Census, float]:
    """PopSAN on HalfCheetah, closed loop with the authors' encoder, decoder and normaliser.

    Census and return.
    """
    import torch

    state = {
        name: tensor.numpy()
        for name, tensor in torch.load(
            folder / "popsan" / "model0_e100.pt", weights_only=True
        ).items()
    }
    mean, variance = arrays(folder / "popsan" / "model0_e100_mean_var.p")
    names = ("snn.hidden_layers.0", "snn.hidden_layers.1", "snn.out_pop_layer")
    network = SpikingCounts(
        [state[f"{name}.weight"] for name in names], [state[f"{name}.bias"] for name in names]
    )
    centre = state["encoder.mean"][0]
    spread = state["encoder.std"][0]
    decode = state["decoder.decoder.weight"][:, 0]
    offset = state["decoder.decoder.bias"]
    env = gymnasium_bridge.make("HalfCheetah-v4", trusted=True)
    observation = env.reset(seed=1000)[0]
    earned = 0.0
    for _ in range(decisions):
        normal = np.clip((observation - mean) / np.sqrt(variance + np.finfo(np.float32).eps), -3, 3)
        drive = np.exp(-0.5 * (normal[:, None] - centre) ** 2 / spread**2).ravel()
        membrane = np.zeros(len(drive))
        spikes = []
        for _ in range(TIMESTEPS):
            membrane += drive
            spikes.append((membrane > 0.999).astype(np.float64))
            membrane -= 0.999 * spikes[-1]
        counts = network.decide(np.array(spikes)).reshape(len(decode), -1)
        action = np.tanh((decode * counts).sum(1) / TIMESTEPS + offset)
        observation, reward, *_ = env.step(action.astype(np.float32))
        earned += float(reward)
    env.close()
    return network.census(), earned


def sddpg(folder: Path, decisions: int) -> Census:
    """SDDPG on inputs drawn uniformly from [0, 1] and coded as Poisson spikes.

    Its own observations need Gazebo.
    """
    weights, biases = (
        arrays(folder / "sddpg" / f"sddpg_bw_5_{kind}.p") for kind in ("weights", "bias")
    )
    network = SpikingCounts(weights, biases)
    rng = np.random.default_rng(0)
    for _ in range(decisions):
        values = rng.random(weights[0].shape[1])
        network.decide((rng.random((TIMESTEPS, len(values))) < values).astype(np.float64))
    return network.census()


def arrays(path: Path) -> list[np.ndarray]:
    """The arrays in a pickle of NumPy arrays; nothing else is built from it."""
    import pickle

    class OnlyArrays(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            if (module.split(".")[0], name) in {
                ("numpy", "_reconstruct"),
                ("numpy", "ndarray"),
                ("numpy", "dtype"),
                ("numpy", "scalar"),
            }:
                return super().find_class(module.replace("numpy.core", "numpy._core"), name)
            raise pickle.UnpicklingError(f"{module}.{name}")

    with path.open("rb") as stream:
        return [np.asarray(array) for array in OnlyArrays(stream, encoding="latin1").load()]
