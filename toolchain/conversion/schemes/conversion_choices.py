"""What a user may choose of a conversion, as schemes read it; conversion_options.py checks it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikeport.toolchain.neurons import BY_NAME

DEFAULT_ACTION_ERROR = 0.1
ALPHA_UNITS = 64
SEARCHED_FROM = 3  # timesteps of dc; two are too few for a share of the maximum to pay


@dataclass(frozen=True)
class ConversionChoices:
    """Fields of a conversion (contract section 8); None takes the neuron's default.

    Attributes:
        neuron: Short name of the hidden layers' neuron.
        timesteps: Of a decision.
        alpha: Share of the residual that is carried over, 0..1.
        weight_bits: Symmetric weights of 2 to 8 bits.
        action_error: sdn: RMS error that thresholds aim at, in half ranges of the action. None is
            0.1, made finer where the closed loop asks for it.
        error_shares: sdn: shares of the squared action error of the input, then of the hidden
            layers; () is what costs least.
        triggers: sdn: payload units that a change must reach to be sent, per hidden layer; () is 1
            each.
        allocation: sdn: thresholds from the closed formula (`sensitivity`) or from measured
            `events`.
        thrift: sdn: squared action error that a synop per MAC saved is worth; 0 keeps every
            synapse.
        threshold_shares: dc: shares of the largest activation, the best of which each neuron takes;
            (): the closed loop chooses.
        resync_every: Decisions after which all state restarts; 0 is never.
        prune_dead: Whether neurons that never fired in calibration are dropped.
        keep_source: Whether the artifact keeps the float policy.
        finetune: sdn: whether the policy is distilled into the integers (conversion/distillation).
    """

    neuron: str = "sdn"
    timesteps: int | None = None
    alpha: float | None = None
    weight_bits: int = 8
    action_error: float | None = None
    error_shares: tuple[float, ...] = ()
    triggers: tuple[int, ...] = ()
    allocation: str = "sensitivity"
    thrift: float = 0.0
    threshold_shares: tuple[float, ...] = ()
    resync_every: int = 0
    prune_dead: bool = False
    keep_source: bool = True
    finetune: bool = False

    @property
    def steps(self) -> int:
        """Timesteps of a decision; 1 where a trained network brings its own."""
        if self.timesteps is None:
            return BY_NAME[self.neuron].traits.timesteps
        return self.timesteps

    @property
    def alpha_64ths(self) -> int:
        """The residual's share in 64ths; -1, which is out of range, where it is not finite."""
        alpha = self.alpha
        if alpha is None:
            alpha = BY_NAME[self.neuron].traits.alpha
        if np.isfinite(alpha):
            return round(alpha * ALPHA_UNITS)
        return -1

    @property
    def wanted_error(self) -> float:
        """RMS error of the squashed action that thresholds aim at, in half ranges."""
        if self.action_error is None:
            return DEFAULT_ACTION_ERROR
        return self.action_error

    @property
    def searches_thresholds(self) -> bool:
        """Whether each neuron's threshold is chosen among shares of its largest activation."""
        return self.neuron == "dc" and self.steps >= SEARCHED_FROM
