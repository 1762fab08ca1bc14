"""The causes that a diagnosis can name, each with its remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Cause(Enum):
    """Ids as they stand in JSON."""

    HEALTHY = "healthy"
    SOURCE_FAILS = "source-fails"
    OBSERVATION_SCALE = "observation-scale"
    THRESHOLD = "threshold"
    BIAS = "bias"
    WEIGHT_BITS = "weight-bits"
    FIT = "fit"
    TIMESTEPS = "timesteps"
    RESIDUAL = "residual"
    ACTION_ERROR = "action-error"
    TRIGGER = "trigger"


REMEDIES: dict[Cause, str] = {
    Cause.HEALTHY: "nothing to mend",
    Cause.SOURCE_FAILS: (
        "check the checkpoint itself: the right file, environment version, normaliser and action"
        " scale, or more training"
    ),
    Cause.OBSERVATION_SCALE: (
        "give the environment and the normaliser that the policy was trained with (--env,"
        " --normalizer) and reconvert"
    ),
    Cause.THRESHOLD: (
        "reconvert on states that the policy visits (more --calibration-steps); the layer's"
        " thresholds do not fit its payloads or its range"
    ),
    Cause.BIAS: (
        "reconvert from the source policy; if it lost its biases there, export them with the"
        " checkpoint"
    ),
    Cause.WEIGHT_BITS: "reconvert with --weight-bits 8",
    Cause.FIT: (
        "reconvert with more --calibration-steps and without --action-error, so that convert tries"
        " its choices in closed loop"
    ),
    Cause.TIMESTEPS: (
        "reconvert with more --timesteps, or with --neuron sdn, which does not count spikes"
    ),
    Cause.RESIDUAL: "reconvert with --alpha 0.5, which charges the residual to the next decision",
    Cause.ACTION_ERROR: "reconvert with a finer --action-error (halve it)",
    Cause.TRIGGER: "reconvert with lower --triggers (1 sends every change)",
}


@dataclass(frozen=True)
class Finding:
    """One cause that the evidence speaks for.

    `layer` is -1 for the input, 0.. for the weight layers, None for the whole. `weight` is the
    action error it brings on the ANN's own states, RMS in half ranges; findings about the whole
    carry the size that their sentence names.
    """

    cause: Cause
    layer: int | None
    weight: float
    sentence: str
    evidence: dict[str, float] = field(default_factory=dict)

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDIES[self.cause]

    @property
    def place(self) -> str:
        """The layer in words."""
        if self.layer is None:
            return "the whole"
        if self.layer < 0:
            return "the input"
        return f"layer {self.layer}"
