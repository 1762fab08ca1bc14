"""One candidate: a policy with its states and one set of options in, a checked artifact out."""

from __future__ import annotations

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.artifact_assembly import artifact_of, common_recipe
from spikeport.toolchain.conversion.calibration.calibrated_policy import CalibratedPolicy, P
from spikeport.toolchain.conversion.calibration.signal_statistics import PolicyStatistics
from spikeport.toolchain.conversion.calibration.states import Calibration
from spikeport.toolchain.conversion.schemes.conversion_choices import ConversionChoices
from spikeport.toolchain.conversion.schemes.scheme_table import scheme_of
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.errors import refuse_faults
from spikeport.toolchain.policies.policy_interface import AnyPolicy


def build(subject: CalibratedPolicy[P], options: ConversionChoices) -> Artifact:
    """Make the network, prove it, and assemble the artifact around it.

    Raises InputError for a policy that the neuron cannot carry, and where no integers pass the
    proof.
    """
    policy = subject.policy
    scheme = scheme_of(policy, options.neuron)
    refuse_faults("convert", list(scheme.refusals(policy, options)))
    network = scheme.network(subject, options)
    recipe = common_recipe(subject.calibration, network, subject.seed)
    recipe |= scheme.recipe(subject, options, network)
    return artifact_of(subject, network, recipe, options.keep_source)


def convert(
    policy: AnyPolicy,
    calibration: Calibration,
    options: ConversionChoices,
    environment: EnvironmentRecord | None = None,
    seed: int = 0,
    statistics: PolicyStatistics | None = None,
) -> Artifact:
    """Convert a policy on known states, without a closed loop.

    Args:
        policy: The float policy.
        calibration: The states.
        options: What the user chose.
        environment: Where the states were visited.
        seed: The user's --seed, for the record.
        statistics: `measure(policy, calibration)`, for those who convert a policy many times.

    Returns:
        The artifact, without notes of a measurement.

    Raises:
        InputError: As `build`.
    """
    return build(CalibratedPolicy(policy, calibration, environment, seed, statistics), options)
