"""The host's side of a decision: encode an observation, decode the readout.

Everything is float64, with numpy and math only.

    q0 = clip(floor(x / scale + 0.5), -limit, limit),   x = clip((features - shift) / divisor)
    action = squash(acc * row_scale / divisor) * action_scale + action_offset,
             clipped where the policy clips
    action = number of the largest acc * row_scale / divisor, the lowest of equal ones,
             where it is discrete

What is sent is q0, or, for networks that work across decisions (sdn), the change of q0 since the
last decision. For networks trained as spiking (lif) x of the first line becomes one activation per
input neuron, and spikes are decoded:

    a = exp(-(x - mean)^2 / (2 std^2))  or x
    action = squash(weights . counts / T + bias) * action_scale + action_offset
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .messages import Arrays
from .window import CARRY, START


class Host:
    """Knows the decision's number in the episode, the last q0 and whether state starts afresh."""

    def __init__(self, description: dict[str, Any], arrays: Arrays) -> None:
        self.facts = description["host"]
        self.arrays = arrays
        self.across_decisions = description["coding"] == "across decisions"
        self.divisor = float(description["divisor"])
        self.discrete = self.facts["squash"] == "argmax"
        self.spiking = description["coding"] == "spikes"
        self.announced = np.zeros(len(arrays["encoder.limit"]), np.int32)
        self.decision = 0
        self.fresh = True
        self.stale = True

    def reset(self) -> None:
        """The next decision starts an episode."""
        self.fresh = self.stale = True

    def resync(self) -> None:
        """The next decision restarts the network's state, inside the episode."""
        self.stale = True

    def encode(self, observation: NDArray[np.float64]) -> tuple[NDArray[np.int32], int]:
        """Input payloads [features] and the control word of the next decision.

        Raises ValueError for an observation [size] that has another shape or is not finite.
        """
        values = np.asarray(observation, np.float64)
        if values.shape != (self.facts["size"],) or not np.isfinite(values).all():
            raise ValueError(
                f"observation: not usable (got shape {values.shape}, {values}, limit"
                f" {self.facts['size']} finite numbers)."
            )
        if self.fresh:
            number = 0
        else:
            number = self.decision
        period = int(self.facts["resync_every"])
        afresh = self.stale or (period > 0 and number > 0 and number % period == 0)
        q = self.quantise(values, number)
        if self.across_decisions and not afresh:
            payloads = q - self.announced
        else:
            payloads = q
        self.announced = q
        self.decision = number + 1
        self.fresh = False
        self.stale = False
        return payloads, START if afresh else CARRY

    def quantise(self, values: NDArray[np.float64], number: int) -> NDArray[np.int32]:
        """q0 [features] of a finite observation at decision `number` of an episode."""
        arrays = self.arrays
        time = self.facts["time_feature"]
        if time is not None:  # the remaining time, appended as the last feature
            values = np.append(
                values, 1.0 if time["test_mode"] else 1.0 - number / time["max_steps"]
            )
        values = (values - arrays["observation.shift"]) / arrays["observation.divisor"]
        if self.facts["clip"] is not None:
            values = np.clip(values, -self.facts["clip"], self.facts["clip"])
        if self.spiking:
            values = np.array(
                [
                    activation
                    for index, value in enumerate(values)
                    for activation in self.activations(index, float(value))
                ]
            )
        limit = arrays["encoder.limit"]
        return np.clip(np.floor(values / arrays["encoder.scale"] + 0.5), -limit, limit).astype(
            np.int32
        )

    def activations(self, feature: int, value: float) -> list[float]:
        """What the input neurons of one feature integrate, by the functions of math."""
        if self.facts["transform"] == "tanh":
            value = math.tanh(value)
        if "encoder.mean" not in self.arrays:
            return [value]
        pairs = zip(
            self.arrays["encoder.mean"][feature].tolist(),
            self.arrays["encoder.std"][feature].tolist(),
            strict=True,
        )
        return [
            math.exp(-0.5 * ((value - mean) * (value - mean)) / (std * std)) for mean, std in pairs
        ]

    def count(self, counts: NDArray[np.integer]) -> NDArray[np.float64]:
        """Decode spike counts [neurons]: weights . counts / T + bias, [act].

        Summed in the order of the other decoders.
        """
        weights = self.arrays["decoder.weights"]
        bias = self.arrays["decoder.bias"]
        sums = np.zeros(len(weights))
        grouped = counts.reshape(weights.shape)
        for neuron in range(weights.shape[1]):
            sums += weights[:, neuron] * grouped[:, neuron]
        return sums / self.divisor + bias

    def decode(self, accumulator: NDArray[np.integer]) -> NDArray[np.float64]:
        """The action at the end of a decision, [act], or [1] where it is discrete.

        `accumulator` is the readout's, [act], or the spike counts, [neurons].
        """
        arrays = self.arrays
        if self.spiking:
            values = self.count(accumulator)
        else:
            values = accumulator * arrays["action.row_scale"] / self.divisor
        if self.discrete:
            return np.array([float(values.argmax())])
        # math's, element by element: numpy's own may differ in the last bit
        if self.facts["squash"] == "tanh":
            values = np.array([math.tanh(value) for value in values])
        values = values * arrays["action.scale"] + arrays["action.offset"]
        if "action.low" in arrays:
            return np.clip(values, arrays["action.low"], arrays["action.high"])
        return values
