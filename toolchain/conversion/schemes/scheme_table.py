"""Every scheme by its neuron's short name; a new one is a file and a line here."""

from __future__ import annotations

from typing import Any

from spikeport.toolchain.conversion.schemes.rate import DifferentialScheme, RateScheme
from spikeport.toolchain.conversion.schemes.scheme import Scheme
from spikeport.toolchain.conversion.schemes.sigma_delta import SigmaDeltaScheme
from spikeport.toolchain.conversion.schemes.trained_leaky import TrainedLeakyScheme
from spikeport.toolchain.conversion.schemes.trained_lif import TrainedLifScheme
from spikeport.toolchain.policies.policy_interface import AnyPolicy

SCHEMES: dict[str, Scheme[Any]] = {
    scheme.neuron: scheme
    for scheme in (
        SigmaDeltaScheme(),
        RateScheme("if"),
        RateScheme("snm"),
        RateScheme("mt"),
        DifferentialScheme(),
        TrainedLifScheme(),
        TrainedLeakyScheme(),
    )
}


def scheme_of(policy: AnyPolicy, neuron: str) -> Scheme[Any]:
    """The scheme of the policy's own neuron where there is one, else of the neuron chosen."""
    return SCHEMES.get(policy.own_neuron or neuron, SCHEMES[neuron])
