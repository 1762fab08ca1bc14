"""A policy of snnTorch's `Leaky` neurons, whose membranes live as long as the episode.

It makes one timestep per decision:

    hidden  r = [m > threshold]
            m <- clip(beta, 0, 1) m + (W x + b) - r threshold;  s = [m > threshold]       float32,
                strict
    last    y = W s + b, a linear read of this decision's spikes

x of the first layer are the network's inputs as they are, of the others spikes; m = 0 at an
episode's start. beta [out] and threshold [out] are trained, the threshold with either sign. Source:
snnTorch 1.0 `Leaky` (subtract, reset_delay).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.errors import violations
from spikeport.toolchain.policies.actor import Memory
from spikeport.toolchain.policies.layers import AnyLayer, DenseLayer
from spikeport.toolchain.policies.policy_interface import AnyPolicy, Provenance

Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LeakyLayer(AnyLayer):
    """weight [out, in], bias, beta (clamped to 0..1), threshold [out], float32."""

    weight: Float
    bias: Float
    beta: Float
    threshold: Float
    activation: str = "leaky"

    arrays = ("weight", "bias", "beta", "threshold")

    @property
    def record(self) -> str:
        """The neuron's name."""
        return self.activation


@dataclass(frozen=True, eq=False)
class LeakyPolicy(AnyPolicy):
    """A network with a memory: at least one layer in `hidden`, and `readout` without neurons."""

    hidden: tuple[LeakyLayer, ...]
    readout: DenseLayer
    observation: ObservationContract
    action: ActionContract
    provenance: Provenance
    environment: str = ""  # a Gymnasium id that the sidecar names

    own_neuron = "leaky"
    neuron = "leaky"
    timesteps = 1

    def __post_init__(self) -> None:
        problems = []
        if not self.hidden:
            problems.append("no layer of neurons")
        arriving = self.observation.features
        for index, layer in enumerate(self.layers):
            problems += [f"layer {index} {problem}" for problem in _problems(layer, arriving)]
            arriving = len(layer.weight)
        if arriving != self.action.size:
            problems.append(
                f"the last layer gives {arriving} outputs for {self.action.size} action channels"
            )
        if problems:
            raise violations(
                self.provenance.file,
                problems,
                why="a policy is converted whole or not at all",
                fix="save the actor's own state_dict",
            )

    @property
    def layers(self) -> tuple[LeakyLayer | DenseLayer, ...]:
        """The hidden layers, then the readout."""
        return (*self.hidden, self.readout)

    def at_rest(self, rows: int) -> list[Float]:
        """Membranes [rows, out] of the hidden layers at an episode's start."""
        return [np.zeros((rows, layer.outputs), np.float32) for layer in self.hidden]

    def step(self, inputs: Float, membranes: list[Float]) -> tuple[list[Float], Float]:
        """Run one timestep of all rows.

        Args:
            inputs: [rows, features], what the observation contract made of the observations.
            membranes: [rows, out] of each hidden layer; its items are replaced.

        Returns:
            Spikes [rows, out] of each hidden layer, and the outputs [rows, act].
        """
        values = inputs
        spikes = []
        for index, layer in enumerate(self.hidden):
            late = (membranes[index] > layer.threshold).astype(np.float32)
            driven = np.clip(layer.beta, 0, 1) * membranes[index] + (
                values @ layer.weight.T + layer.bias
            )
            membranes[index] = np.asarray(driven - late * layer.threshold, np.float32)
            values = (membranes[index] > layer.threshold).astype(np.float32)
            spikes.append(values)
        return spikes, values @ self.readout.weight.T + self.readout.bias

    def respond(
        self, observations: NDArray[np.floating], decisions: NDArray[np.int64], memory: Memory
    ) -> tuple[NDArray[np.float64], Memory]:
        """Act once in every row; the memory are the membranes."""
        membranes = list(memory)
        outputs = self.step(self.network_inputs(observations, decisions), membranes)[1]
        return self.action.apply(outputs.astype(np.float64)), membranes


def _problems(layer: AnyLayer, arriving: int) -> Iterator[str]:
    """What is wrong with a layer that `arriving` channels reach."""
    arrays = {name: getattr(layer, name) for name in layer.arrays}
    if layer.weight.ndim != 2 or layer.inputs != arriving:
        yield f"has a weight of shape {layer.weight.shape} where {arriving} inputs arrive"
    for name, value in arrays.items():
        if name != "weight" and value.shape != layer.weight.shape[:1]:
            yield f"has {name} of shape {value.shape} for {len(layer.weight)} rows"
    for name, value in arrays.items():
        if not np.isfinite(value).all():
            yield f"{name} has non-finite values"
