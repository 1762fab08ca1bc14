"""A policy with all that is known of it before a neuron is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar, cast

from spikeport.toolchain.conversion.calibration.signal_statistics import PolicyStatistics, measure
from spikeport.toolchain.conversion.calibration.states import Calibration
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.policies.policy_interface import AnyPolicy

P = TypeVar("P", bound=AnyPolicy)


@dataclass(frozen=True, eq=False)
class CalibratedPolicy(Generic[P]):
    """What every conversion of one policy shares, whatever the neuron and the options.

    Attributes:
        policy: The float policy.
        calibration: The states that it is converted on.
        environment: Where they were visited; None for recorded and synthetic ones.
        seed: The user's --seed.
        measured: The policy's statistics where they are known already.
    """

    policy: P
    calibration: Calibration
    environment: EnvironmentRecord | None = None
    seed: int = 0
    measured: PolicyStatistics | None = None

    @cached_property
    def statistics(self) -> PolicyStatistics:
        """The statistics of a feed-forward policy, measured once."""
        if self.measured is not None:
            return self.measured
        return measure(cast(Policy, self.policy), self.calibration)
