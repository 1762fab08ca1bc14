"""Loading a checkpoint at the front door."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from spikeport.former_names import public
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import is_artifact
from spikeport.toolchain.environments.gymnasium_bridge import environment_facts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.neurons import trained_as_spiking
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.readers.facts.sidecar import environment_in_sidecar
from spikeport.toolchain.readers.load import load_policy as read_policy


@public()
def load_policy(
    path: str | os.PathLike[str],
    *,
    env: str | None = None,
    action_low: float | Sequence[float] | None = None,
    action_high: float | Sequence[float] | None = None,
    observation_size: int | None = None,
    activation: str | None = None,
    squash: str | None = None,
    action_limit: float | None = None,
    normalizer: str | Path | None = None,
    action_output: str | None = None,
) -> AnyPolicy:
    """Read a trained policy (contract section 8's options).

    `env` is a Gymnasium id; without it the action's bounds and, for a time feature, the
    observation's size must be given, or the checkpoint's sidecar names an environment.
    `action_output` names the output of a graph that holds the action. Raises InputError for a file
    or option that cannot be used.
    """
    _refuse_artifact(path)
    if env is None and action_low is None and action_high is None and observation_size is None:
        env = environment_in_sidecar(path)
    facts = environment_facts(env, action_low, action_high, observation_size)
    return read_policy(
        path,
        activation=activation,
        squash=squash,
        action_limit=action_limit,
        normalizer=normalizer,
        environment=facts,
        action_output=action_output,
    )


def _refuse_artifact(path: str | os.PathLike[str]) -> None:
    if is_artifact(path):
        raise InputError(
            Path(path).name,
            "this is already an artifact",
            limit="a checkpoint",
            fix=(
                "use it as it is: `spikeport simulate FILE`, `verify FILE`, `inspect FILE`",
                "give the checkpoint that it was converted from",
            ),
        )


def load_source(
    artifact: Artifact, path: str | os.PathLike[str], *, env: str | None = None
) -> AnyPolicy:
    """The checkpoint that an artifact without a source came from, for `simulate(..., source=...)`.

    What the file leaves open (activation, squash, limit, normaliser) was said when it was
    converted, so the artifact's contracts stand around its layers. Raises InputError for a file
    that does not fit them.
    """
    _refuse_artifact(path)
    action = artifact.action
    layers = artifact.network.layers
    spiking = trained_as_spiking(artifact.network)
    if action.squash == "none" and action.low is not None:
        squash = "clip"
    else:
        squash = action.squash
    if env is not None:
        identifier = env
    elif artifact.environment is not None:
        identifier = artifact.environment.id
    else:
        identifier = None
    low, high = (
        (action.low, action.high) if identifier is None and squash == "clip" else (None, None)
    )
    facts = environment_facts(identifier, low, high)
    read = read_policy(
        path,
        activation=layers[0].activation if len(layers) > 1 and not spiking else None,
        squash=squash,
        action_limit=action.scale if squash == "tanh" and not action.offset.any() else None,
        normalizer="none",
        environment=facts,
    )
    return read.with_contracts(artifact.observation, artifact.action)
