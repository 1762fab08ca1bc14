"""What a user may choose of a conversion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikeport.toolchain.conversion.schemes.rate_thresholds import SEARCHED_FROM, SHARES
from spikeport.toolchain.errors import InputError, did_you_mean
from spikeport.toolchain.neurons import BY_NAME, SHORT_NAMES, TRAINED_NAMES

DEFAULT_ACTION_ERROR = 0.1


ALLOCATIONS = ("sensitivity", "events")


@dataclass(frozen=True)
class ConversionOptions:
    """What a user may choose; None takes the neuron's default (contract section 8)."""

    neuron: str = "sdn"
    timesteps: int | None = None
    alpha: float | None = None
    weight_bits: int = 8
    action_error: float | None = (
        None  # None: DEFAULT_ACTION_ERROR, tightened where the closed loop asks for it
    )
    error_shares: tuple[
        float, ...
    ] = ()  # of the squared action error: input, then hidden layers; (): what costs least
    triggers: tuple[int, ...] = ()  # sdn, per hidden layer; (): 1 each
    allocation: str = (
        "sensitivity"  # sdn: thresholds from the closed formula, or from measured `events`
    )
    thrift: float = (
        0.0  # sdn: squared action error that a synop per MAC saved is worth; 0 keeps every synapse
    )
    threshold_shares: tuple[
        float, ...
    ] = ()  # dc: of the largest activation, the best for each neuron; (): the closed loop chooses
    resync_every: int = 0
    prune_dead: bool = False
    keep_source: bool = True
    finetune: bool = False  # sdn: distil the policy into the integers (toolchain/finetuning)

    def __post_init__(self) -> None:
        if self.neuron not in (*SHORT_NAMES, *TRAINED_NAMES):
            known = (*SHORT_NAMES, *TRAINED_NAMES)
            fix = did_you_mean(self.neuron, known) or "--neuron sdn"
            raise InputError(
                "--neuron", "neuron not available", got=self.neuron, limit=", ".join(known), fix=fix
            )
        if not 2 <= self.weight_bits <= 8:
            raise InputError(
                "--weight-bits",
                "weights need a width that holds something",
                got=self.weight_bits,
                limit="2..8",
                why="symmetric weights of 1 bit are all zero"
                if self.weight_bits < 2
                else "a synapse has 8 bits",
                fix="--weight-bits 8",
            )
        if not 1e-6 <= self.wanted_error <= 10:
            raise InputError(
                "--action-error",
                "not a usable error",
                got=self.action_error,
                limit="1e-6..10",
                fix="--action-error 0.1",
            )
        if not 0 <= self.alpha_64ths <= 64:
            raise InputError(
                "--alpha",
                "the residual's share is out of range",
                got=self.alpha,
                limit="0..1",
                fix="--alpha 0.5",
            )
        if self.neuron == "sdn" and (self.steps != 1 or self.alpha_64ths):
            raise InputError(
                "--neuron sdn",
                "has one timestep and no residual",
                got=f"timesteps {self.steps}, alpha {self.alpha}",
                limit="timesteps 1, alpha 0",
                fix=("leave --timesteps and --alpha away", "--neuron if"),
            )
        if not 1 <= self.steps <= 1024:
            raise InputError(
                "--timesteps",
                "out of range",
                got=self.steps,
                limit="1..1024",
                fix="leave --timesteps away",
            )
        allowed = BY_NAME[self.neuron].traits.allowed_timesteps
        if self.neuron == "dc" and allowed is not None and self.steps not in allowed:
            raise InputError(
                "--timesteps",
                "dc keeps its state in units of 1 / lcm(1..T), which must leave room in 24 bits",
                got=self.steps,
                limit=", ".join(map(str, allowed)),
                fix=("--timesteps 4", "--neuron mt"),
            )
        if self.neuron != "sdn" and (
            self.error_shares or self.triggers or self.thrift or self.allocation != "sensitivity"
        ):
            raise InputError(
                "--error-shares/--triggers/--allocation/--thrift",
                "belong to sdn",
                got=f"--neuron {self.neuron}",
                limit="sdn",
                fix="leave them away",
            )
        if self.neuron != "sdn" and self.finetune:
            raise InputError(
                "--finetune",
                "distils into sdn's integers only",
                got=f"--neuron {self.neuron}",
                limit="sdn",
                fix=("--neuron sdn", "leave --finetune away"),
            )
        if self.finetune and self.prune_dead:
            raise InputError(
                "--finetune",
                "distils into all neurons of the policy",
                got="--prune-dead",
                fix=("leave --prune-dead away", "leave --finetune away"),
            )
        if self.threshold_shares and not self.searches_thresholds:
            got = f"--neuron {self.neuron}, {self.steps} timesteps"
            limit = f"dc with {SEARCHED_FROM} timesteps or more"
            raise InputError(
                "--threshold-shares",
                "belong to differential coding",
                got=got,
                limit=limit,
                fix="leave them away",
            )
        if not all(0.05 <= share <= 20 for share in self.threshold_shares):
            raise InputError(
                "--threshold-shares",
                "a share is not usable",
                got=self.threshold_shares,
                limit="0.05..20",
                fix="--threshold-shares 1,0.8,0.6",
            )
        if not all(1e-6 <= share <= 1e6 for share in self.error_shares):
            raise InputError(
                "--error-shares",
                "a share is not usable",
                got=self.error_shares,
                limit="1e-6..1e6",
                fix="--error-shares 1,1,1",
            )
        if not all(1 <= trigger <= 4096 for trigger in self.triggers):
            raise InputError(
                "--triggers",
                "a trigger is out of range",
                got=self.triggers,
                limit="1..4096",
                fix="--triggers 2,2",
            )
        if self.allocation not in ALLOCATIONS:
            raise InputError(
                "--allocation",
                "unknown rule",
                got=self.allocation,
                limit=", ".join(ALLOCATIONS),
                fix="--allocation sensitivity",
            )
        if not 0 <= self.thrift <= 100:
            raise InputError(
                "--thrift",
                "out of range",
                got=self.thrift,
                limit="0 (keep every synapse) to 100",
                fix="--thrift 0.05",
            )
        if self.resync_every < 0:
            raise InputError(
                "--resync-every",
                "out of range",
                got=self.resync_every,
                limit="0 (never) or more",
                fix="--resync-every 0",
            )

    @property
    def wanted_error(self) -> float:
        """RMS error of the squashed action that thresholds aim at, in units of half the action's
        range.
        """
        if self.action_error is None:
            return DEFAULT_ACTION_ERROR
        return self.action_error

    @property
    def shares(self) -> tuple[float, ...]:
        return self.threshold_shares or SHARES[0]

    @property
    def searches_thresholds(self) -> bool:
        """Whether each neuron's threshold is chosen among shares of its largest activation."""
        return self.neuron == "dc" and self.steps >= SEARCHED_FROM

    @property
    def steps(self) -> int:
        # lif: the checkpoint's
        if self.timesteps is None:
            return BY_NAME[self.neuron].traits.timesteps
        return self.timesteps

    @property
    def alpha_64ths(self) -> int:
        if self.alpha is None:
            alpha = BY_NAME[self.neuron].traits.alpha
        else:
            alpha = self.alpha
        if np.isfinite(alpha):
            return round(alpha * 64)
        return -1
