"""What schemes share that take networks trained as spiking: one candidate, few options."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, cast

from spikeport.toolchain.conversion.calibration.calibrated_policy import P
from spikeport.toolchain.conversion.schemes.conversion_choices import ConversionChoices
from spikeport.toolchain.conversion.schemes.scheme import Scheme
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.policy_interface import AnyPolicy

# Options of the conversion of an ANN.
ANN_OPTIONS = {
    "timesteps": "--timesteps",
    "alpha": "--alpha",
    "action_error": "--action-error",
    "error_shares": "--error-shares",
    "triggers": "--triggers",
    "allocation": "--allocation",
    "thrift": "--thrift",
    "resync_every": "--resync-every",
    "prune_dead": "--prune-dead",
    "finetune": "--finetune",
}


class TrainedScheme(Scheme[P]):
    """A scheme for networks that keep their own neurons, decays and thresholds."""

    def refusals(self, policy: AnyPolicy, choices: ConversionChoices) -> Iterator[InputError]:
        """Say that a policy was not trained with this scheme's neurons."""
        if policy.own_neuron == self.neuron:
            yield from self.policy_refusals(cast(P, policy), choices)
            return
        yield InputError(
            policy.provenance.file,
            f"{self.neuron} runs networks that were trained as spiking",
            got=f"an ANN ({policy.provenance.family})",
            limit="a PopSAN, Proxy-Target, SDDPG or snnTorch checkpoint",
            fix=("--neuron sdn", "--neuron if"),
        )

    @abstractmethod
    def policy_refusals(self, policy: P, choices: ConversionChoices) -> Iterator[InputError]:
        """Every reason why this network cannot be converted with these choices."""

    def meaningless(self, choices: ConversionChoices) -> dict[str, Any]:
        """Options with a value of their own that only the conversion of an ANN reads, by field."""
        plain = ConversionChoices(self.neuron)
        return {
            name: getattr(choices, name)
            for name in ANN_OPTIONS
            if getattr(choices, name) != getattr(plain, name)
        }
