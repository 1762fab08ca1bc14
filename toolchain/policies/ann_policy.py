"""The policy that most users train: a feed-forward ANN."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.errors import did_you_mean, violations
from spikeport.toolchain.policies.layers import DenseLayer as DenseLayer
from spikeport.toolchain.policies.policy_interface import AnyPolicy, MemorylessPolicy
from spikeport.toolchain.policies.policy_interface import Provenance as Provenance


@dataclass(frozen=True, eq=False)
class Policy(MemorylessPolicy):
    """A deterministic feed-forward policy. The last layer's activation is `identity`."""

    layers: tuple[DenseLayer, ...]
    observation: ObservationContract
    action: ActionContract
    provenance: Provenance

    feed_forward = True
    timesteps = 1

    def __post_init__(self) -> None:
        problems = []
        arriving = self.observation.features
        for index, layer in enumerate(self.layers):
            problems += [f"layer {index} {problem}" for problem in _problems(layer, arriving)]
            arriving = layer.outputs
        if not self.layers:
            problems.append("no layer")
        elif arriving != self.action.size:
            problems.append(
                f"the last layer gives {arriving} outputs for {self.action.size} action channels"
            )
        if problems:
            fix = (
                "export the deterministic actor's own layers, all finite, with a supported"
                " activation"
            )
            raise violations(
                self.provenance.file,
                problems,
                why="a policy is converted whole or not at all",
                fix=fix,
            )

    def forward(self, inputs: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        """Pre-activations of every layer for network inputs [n, features].

        They have the dtype of `inputs`.
        """
        values = inputs
        pre_activations = []
        for layer in self.layers:
            weight = layer.weight.astype(inputs.dtype, copy=False)
            pre = values @ weight.T + layer.bias.astype(inputs.dtype, copy=False)
            pre_activations.append(pre)
            values = ACTIVATIONS[layer.activation].value(pre)
        return pre_activations

    def act(
        self, observations: NDArray[np.floating], decisions: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Deterministic actions [n, act] for observations [n, obs], [n, 1] of a discrete action.

        The network runs in float32, as it was trained; the contracts around it in float64.
        `decisions` [n] are decision numbers for a time feature, 0 if None.
        """
        return self.action.apply(self.outputs(observations, decisions))

    def outputs(
        self, observations: NDArray[np.floating], decisions: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """What the action contract is applied to: the last layer's outputs [n, act]."""
        if decisions is None:
            decisions = np.zeros(len(observations), np.int64)
        inputs = self.network_inputs(observations, decisions)
        return self.forward(inputs)[-1].astype(np.float64)


def is_feed_forward(policy: AnyPolicy | None) -> TypeGuard[Policy]:
    """Whether a policy can be taken apart layer by layer; False where there is none."""
    return policy is not None and policy.feed_forward


def _problems(layer: DenseLayer, arriving: int) -> Iterator[str]:
    """What is wrong with a layer that `arriving` channels reach."""
    if layer.activation not in ACTIVATIONS:
        meant = did_you_mean(layer.activation, ACTIVATIONS)
        yield f"has unknown activation {layer.activation!r} {meant}".rstrip()
    if layer.inputs != arriving:
        yield f"takes {layer.inputs} inputs but {arriving} arrive"
    if layer.bias.shape != (layer.outputs,):
        yield f"has a bias of shape {layer.bias.shape} for {layer.outputs} outputs"
    for name in layer.arrays:
        bad = np.argwhere(~np.isfinite(getattr(layer, name)))
        if len(bad):
            first = tuple(int(i) for i in bad[0])
            yield f"{name} has {len(bad)} non-finite values, the first at {first}"
