"""The policy that a user trained.

Layers, observation contract, action contract, where it came from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.errors import did_you_mean, violations


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """y = activation(weight @ x + bias); weight [out, in], bias [out], float32."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    activation: str = "identity"

    @property
    def inputs(self) -> int:
        return self.weight.shape[1]

    @property
    def outputs(self) -> int:
        return self.weight.shape[0]


@dataclass(frozen=True)
class Provenance:
    """Where a policy came from; never an absolute path."""

    file: str
    sha256: str
    format: str  # e.g. `stable-baselines3`, `state-dict`
    family: str  # e.g. `TD3`, `l1,l2,l3`
    assumptions: tuple[str, ...] = ()  # facts the file does not carry, as `assumed by family: ...`
    normalizer_file: str = ""
    normalizer_sha256: str = ""


@dataclass(frozen=True, eq=False)
class Policy:
    """A deterministic feed-forward policy. The last layer's activation is `identity`."""

    layers: tuple[DenseLayer, ...]
    observation: ObservationContract
    action: ActionContract
    provenance: Provenance

    def __post_init__(self) -> None:
        problems = []
        widths = [self.observation.features] + [layer.outputs for layer in self.layers]
        for index, layer in enumerate(self.layers):
            if layer.activation not in ACTIVATIONS:
                problems.append(
                    f"layer {index} has unknown activation {layer.activation!r}"
                    f" {did_you_mean(layer.activation, ACTIVATIONS)}".rstrip()
                )
            if layer.inputs != widths[index]:
                problems.append(
                    f"layer {index} takes {layer.inputs} inputs but {widths[index]} arrive"
                )
            if layer.bias.shape != (layer.outputs,):
                problems.append(
                    f"layer {index} has a bias of shape {layer.bias.shape} for {layer.outputs}"
                    " outputs"
                )
            for name in ("weight", "bias"):
                bad = np.argwhere(~np.isfinite(getattr(layer, name)))
                if len(bad):
                    problems.append(
                        f"layer {index} {name} has {len(bad)} non-finite values, the first at"
                        f" {tuple(int(i) for i in bad[0])}"
                    )
        if not self.layers:
            problems.append("no layer")
        elif self.layers[-1].outputs != self.action.size:
            problems.append(
                f"the last layer gives {self.layers[-1].outputs} outputs for {self.action.size}"
                " action channels"
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

    @property
    def macs(self) -> int:
        """Dense multiply-adds of one decision (contract section 5)."""
        return sum(layer.inputs * layer.outputs for layer in self.layers)

    def forward(self, inputs: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        """Pre-activations of every layer for network inputs [n, features], in the dtype of
        `inputs`.
        """
        values = inputs
        pre_activations = []
        for layer in self.layers:
            pre = values @ layer.weight.T.astype(inputs.dtype, copy=False) + layer.bias.astype(
                inputs.dtype, copy=False
            )
            pre_activations.append(pre)
            values = ACTIVATIONS[layer.activation].value(pre)
        return pre_activations

    def act(
        self, observations: NDArray[np.floating], decisions: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Deterministic actions [n, act] for observations [n, obs] at decision numbers [n] (default
        0); [n, 1] if discrete.

        The network runs in float32, as it was trained; the contracts around it in float64.
        """
        return self.action.apply(self.outputs(observations, decisions))

    def outputs(
        self, observations: NDArray[np.floating], decisions: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """What the action contract is applied to: the last layer's outputs [n, act]."""
        if decisions is None:
            decisions = np.zeros(len(observations), np.int64)
        inputs = self.observation.apply(np.asarray(observations, np.float64), decisions).astype(
            np.float32
        )
        return self.forward(inputs)[-1].astype(np.float64)
