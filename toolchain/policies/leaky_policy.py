"""A policy of snnTorch's `Leaky` neurons: one timestep per decision, membranes that live as long as
the episode.

    hidden  r = [m > threshold]
            m <- clip(beta, 0, 1) m + (W x + b) - r threshold;  s = [m > threshold]       float32,
                strict
    last    y = W s + b, a linear read of this decision's spikes

x of the first layer are the network's inputs as they are, of the others spikes; m = 0 at an
episode's start. beta [out] and threshold [out] are trained, the threshold with either sign. Source:
snnTorch 1.0 `Leaky` (subtract, reset_delay).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.errors import violations
from spikeport.toolchain.policies.ann_policy import DenseLayer, Provenance

Float = NDArray[np.float32]
Decider = Callable[
    [NDArray[np.float64], NDArray[np.int64], "NDArray[np.bool_] | None"], NDArray[np.float64]
]


@dataclass(frozen=True, eq=False)
class LeakyLayer:
    """weight [out, in], bias, beta (clamped to 0..1), threshold [out], float32."""

    weight: Float
    bias: Float
    beta: Float
    threshold: Float
    activation: str = "leaky"

    @property
    def inputs(self) -> int:
        return self.weight.shape[1]

    @property
    def outputs(self) -> int:
        return self.weight.shape[0]


@dataclass(frozen=True, eq=False)
class LeakyPolicy:
    """`Policy`'s surface around a network with a memory.

    `hidden` [at least one], `readout` without neurons.
    """

    hidden: tuple[LeakyLayer, ...]
    readout: DenseLayer
    observation: ObservationContract
    action: ActionContract
    provenance: Provenance
    environment: str = ""  # a Gymnasium id that the sidecar names

    neuron = "leaky"
    timesteps = 1

    def __post_init__(self) -> None:
        if self.hidden:
            problems = []
        else:
            problems = ["no layer of neurons"]
        arriving = self.observation.features
        for index, layer in enumerate(self.layers):
            arrays = {
                name: getattr(layer, name)
                for name in ("weight", "bias", "beta", "threshold")
                if hasattr(layer, name)
            }
            if layer.weight.ndim != 2 or layer.inputs != arriving:
                problems.append(
                    f"layer {index} has a weight of shape {layer.weight.shape} where {arriving}"
                    " inputs arrive"
                )
            problems += [
                f"layer {index} has {name} of shape {value.shape} for {len(layer.weight)} rows"
                for name, value in arrays.items()
                if name != "weight" and value.shape != layer.weight.shape[:1]
            ]
            problems += [
                f"layer {index} {name} has non-finite values"
                for name, value in arrays.items()
                if not np.isfinite(value).all()
            ]
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
        return (*self.hidden, self.readout)

    @property
    def macs(self) -> int:
        """Dense multiply-adds of one decision."""
        return sum(layer.inputs * layer.outputs for layer in self.layers)

    def at_rest(self, rows: int) -> list[Float]:
        """Membranes [rows, out] of the hidden layers at an episode's start."""
        return [np.zeros((rows, layer.outputs), np.float32) for layer in self.hidden]

    def step(self, inputs: Float, membranes: list[Float]) -> tuple[list[Float], Float]:
        """One timestep of all rows:

        `membranes` are replaced; spikes of the hidden layers and the outputs [rows, act].
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

    def decider(self, rows: int) -> Decider:
        """Actions of `rows` environments, each with membranes of its own.

        Decision number 0 starts an episode.
        """
        membranes = self.at_rest(rows)

        def decide(
            observations: NDArray[np.float64],
            decisions: NDArray[np.int64],
            active: NDArray[np.bool_] | None,
        ) -> NDArray[np.float64]:
            before = [
                np.where((decisions == 0)[:, None], np.float32(0), membrane)
                for membrane in membranes
            ]
            after = list(before)
            inputs = self.observation.apply(np.asarray(observations, np.float64), decisions).astype(
                np.float32
            )
            outputs = self.step(inputs, after)[1]
            if active is None:
                acting = np.ones(rows, bool)
            else:
                acting = active
            membranes[:] = [
                np.where(acting[:, None], new, old)
                for new, old in zip(after, membranes, strict=True)
            ]
            return self.action.apply(outputs.astype(np.float64))

        return decide

    def act(
        self, observations: NDArray[np.floating], decisions: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Actions [n, act] of observations [n, obs], rows of one stream in order.

        Decision number 0 starts an episode, as the first row does.
        """
        if decisions is None:
            numbers = np.arange(len(observations))
        else:
            numbers = decisions
        decide = self.decider(1)
        actions = [
            decide(
                np.asarray(observations, np.float64)[row : row + 1], numbers[row : row + 1], None
            )
            for row in range(len(observations))
        ]
        if actions:
            return np.concatenate(actions)
        return np.zeros((0, self.action.size))


def decider(policy: object, rows: int) -> Decider:
    """What gives the actions of `rows` environments for a float policy of any kind."""
    if isinstance(policy, LeakyPolicy):
        return policy.decider(rows)
    return lambda observations, decisions, active: policy.act(observations, decisions)  # type: ignore[attr-defined]
