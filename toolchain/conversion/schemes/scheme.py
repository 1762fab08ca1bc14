"""What a way of converting offers: one file per kind of network that comes out.

The pipeline asks a scheme whether it takes a policy, what is wrong with the user's options, which
of them the closed loop should try, and for the network. A scheme knows no environment.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, TypeVar

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.calibration.calibrated_policy import CalibratedPolicy, P
from spikeport.toolchain.conversion.calibration.states import Calibration
from spikeport.toolchain.conversion.schemes.conversion_choices import (
    ALPHA_UNITS,
    SEARCHED_FROM,
    ConversionChoices,
)
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.neurons import BY_NAME
from spikeport.toolchain.policies.policy_interface import AnyPolicy

Choices = TypeVar("Choices", bound=ConversionChoices)
LARGEST_TIMESTEPS = 1024
SDN_ONLY = ("error_shares", "triggers", "allocation", "thrift")


class Scheme(ABC, Generic[P]):
    """How policies become networks of one neuron.

    Attributes:
        neuron: The neuron's short name.
        first_accepted: Whether the closed loop ends with the first candidate that it accepts. Else
            it ends there only if that is the first of all; the finest accepted one is taken.
    """

    neuron: str
    first_accepted: ClassVar[bool] = True

    @property
    def defaults(self) -> dict[str, Any]:
        """Options that take another value for this neuron than None."""
        traits = BY_NAME[self.neuron].traits
        return {"timesteps": traits.timesteps, "alpha": traits.alpha}

    @property
    def trained(self) -> bool:
        """Whether it takes networks that were trained as spiking: they have no closed loop."""
        return BY_NAME[self.neuron].traits.trained

    @abstractmethod
    def refusals(self, policy: AnyPolicy, choices: ConversionChoices) -> Iterator[InputError]:
        """Every reason why this policy cannot be converted with these choices."""

    def accepts(self, policy: AnyPolicy) -> bool:
        """Whether the scheme converts this policy with its defaults."""
        return next(self.refusals(policy, ConversionChoices(self.neuron)), None) is None

    def problems(self, choices: ConversionChoices) -> Iterator[InputError]:
        """Every fault of the choices that shows without a policy and is not one for all neurons.

        Here stand those of a neuron with timesteps and a residual.
        """
        yield from time_problems(choices)
        yield from problems_of_sdn_options(choices)
        if not choices.searches_thresholds:
            yield from foreign_threshold_shares(choices)

    def candidates(self, policy: AnyPolicy, choices: Choices) -> list[Choices]:
        """What the closed loop tries in turn; it does not run where there is one."""
        return [choices]

    def synthetic(self, policy: P) -> Calibration:
        """States for a policy that came without any; raises InputError if nothing is known."""
        raise InputError(
            "convert",
            "calibration needs the policy's own states",
            got="neither",
            limit="--env or --observations",
            fix=("--env ID", "--observations FILE.npy"),
        )

    @abstractmethod
    def network(self, subject: CalibratedPolicy[P], choices: ConversionChoices) -> Network:
        """The integer network; raises InputError where no integers pass the proof."""

    @abstractmethod
    def recipe(
        self, subject: CalibratedPolicy[P], choices: ConversionChoices, network: Network
    ) -> dict[str, Any]:
        """What the artifact records of the choices, as JSON data."""

    @abstractmethod
    def notes(self, subject: CalibratedPolicy[P], artifact: Artifact) -> dict[str, Any]:
        """What the artifact records of a measurement of itself, as JSON data."""


def time_problems(choices: ConversionChoices) -> Iterator[InputError]:
    """Faults of timesteps and alpha that every neuron with them would have."""
    if not 0 <= choices.alpha_64ths <= ALPHA_UNITS:
        yield InputError(
            "--alpha",
            "the residual's share is out of range",
            got=choices.alpha,
            limit="0..1",
            fix="--alpha 0.5",
        )
    if not 1 <= choices.steps <= LARGEST_TIMESTEPS:
        yield InputError(
            "--timesteps",
            "out of range",
            got=choices.steps,
            limit=f"1..{LARGEST_TIMESTEPS}",
            fix="omit --timesteps",
        )


def problems_of_sdn_options(choices: ConversionChoices) -> Iterator[InputError]:
    """Options that only sdn has, chosen for another neuron."""
    plain = ConversionChoices()
    if any(getattr(choices, name) != getattr(plain, name) for name in SDN_ONLY):
        yield InputError(
            "--error-shares/--triggers/--allocation/--thrift",
            "belong to sdn",
            got=f"--neuron {choices.neuron}",
            limit="sdn",
            fix="omit them",
        )
    if choices.finetune:
        yield InputError(
            "--finetune",
            "distils into sdn's integers only",
            got=f"--neuron {choices.neuron}",
            limit="sdn",
            fix=("--neuron sdn", "omit --finetune"),
        )


def foreign_threshold_shares(choices: ConversionChoices) -> Iterator[InputError]:
    """Threshold shares chosen for a neuron, or for so few timesteps, that no search uses them."""
    if choices.threshold_shares:
        yield InputError(
            "--threshold-shares",
            "belong to differential coding",
            got=f"--neuron {choices.neuron}, {choices.steps} timesteps",
            limit=f"dc with {SEARCHED_FROM} timesteps or more",
            fix="omit them",
        )
