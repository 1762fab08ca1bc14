"""From the environment's observation to the network's inputs: normaliser, time feature, sizes."""

from __future__ import annotations

from pathlib import Path

from spikeport.toolchain.contracts import ObservationContract, TimeFeature
from spikeport.toolchain.environments.environment_record import environment_fix
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import FileContent, read_content
from spikeport.toolchain.readers.facts.normalizer_arrays import read_normalizer_arrays
from spikeport.toolchain.readers.facts.vec_normalize import (
    NORMALIZER_LIMIT,
    Normalizer,
    find_normalizer,
    read_vec_normalize,
)
from spikeport.toolchain.readers.reading_options import ReadOptions

STACKED = (
    "--env with an environment that gives the stacked observation flat (FrameStackObservation and"
    " FlattenObservation, oldest frame first)"
)


def read_observation(
    inputs: int,
    content: FileContent,
    options: ReadOptions,
    assumptions: list[str],
    *,
    zoo: bool = False,
    hints: tuple[str, ...] = (),
    own: Normalizer | None = None,
) -> tuple[ObservationContract, FileContent | None]:
    """Return the observation contract of a network and the normaliser file that was used.

    Args:
        inputs: Of the network.
        content: The checkpoint.
        options: What the caller says.
        assumptions: Gets a line for each fact that is assumed.
        zoo: For Stable-Baselines3 zips: look for a normaliser beside the file, and take one input
            more than the environment's channels as the remaining time.
        hints: Texts that may name the environment, for errors.
        own: The normaliser inside the checkpoint.

    Raises:
        InputError: Where sizes do not fit.
    """
    size, time_feature = _size(
        inputs, content.name, options, assumptions, zoo, (content.name, *hints)
    )
    file, normalizer = _normalizer(content, options, assumptions, zoo, own)
    if normalizer is None:
        return ObservationContract(size, time_feature=time_feature), file
    if normalizer.mean.shape != (inputs,):
        raise InputError(
            normalizer.content.name,
            "the normaliser does not fit the policy",
            got=f"{normalizer.mean.size} channels",
            limit=f"{inputs} inputs of {content.name}",
            why="it was saved with another policy",
            fix="--normalizer FILE with the one saved with this policy or --normalizer none",
        )
    return (
        ObservationContract(
            size,
            normalizer.mean,
            normalizer.variance,
            normalizer.epsilon,
            normalizer.clip,
            time_feature,
        ),
        file,
    )


def _size(
    inputs: int,
    where: str,
    options: ReadOptions,
    assumptions: list[str],
    zoo: bool,
    hints: tuple[str, ...],
) -> tuple[int, TimeFeature | None]:
    """Return (environment channels, time feature)."""
    environment = options.environment
    size = environment.observation_size
    if size is None or size == inputs:
        return inputs, None
    if not zoo or inputs != size + 1:
        stacked = inputs % size == 0 and size > 1
        raise InputError(
            where,
            "the policy does not fit the environment",
            got=f"{inputs} inputs",
            limit=f"{size} observation channels of {environment.label}",
            why=(
                f"{inputs // size} frames of {size} channels, as a frame stack gives them, would"
                " fit; a stack is the environment's to keep"
                if stacked
                else ""
            ),
            fix=(
                (STACKED, environment_fix(hints, environment))
                if stacked
                else environment_fix(hints, environment)
            ),
        )
    if environment.max_episode_steps is None:
        raise InputError(
            where,
            "the policy takes one input more than the environment gives, as with the RL Zoo's time"
            " feature, but the episode's length is not known",
            got=f"{inputs} inputs",
            limit=f"{size} observation channels of {environment.label}",
            fix=("give an environment with a step limit", environment_fix(hints, environment)),
        )
    steps = int(environment.max_episode_steps)
    assumptions.append(
        f"assumed by family: input {inputs} is the remaining time 1 - decision / {steps} (RL Zoo"
        f" TimeFeatureWrapper; the policy has {inputs} inputs, {environment.label} {size} channels)"
    )
    return size, TimeFeature(steps)


def _normalizer(
    content: FileContent,
    options: ReadOptions,
    assumptions: list[str],
    zoo: bool,
    own: Normalizer | None,
) -> tuple[FileContent | None, Normalizer | None]:
    chosen = options.normalizer
    if own is not None and chosen is None:
        return content, own
    if own is not None and str(chosen) != "none":
        raise InputError(
            content.name,
            "the checkpoint holds its own normaliser",
            got=f"--normalizer {Path(str(chosen)).name}",
            fix="leave --normalizer out",
        )
    if own is not None:
        assumptions.append(
            "the normaliser inside the checkpoint is left out, as --normalizer none says"
        )
    if chosen is not None and str(chosen) == "none":
        return None, None
    if chosen is not None:
        path = chosen
    elif zoo:
        path = find_normalizer(content.path)
    else:
        path = None
    if path is None:
        if zoo:
            assumptions.append(
                "assumed by family: observations are not normalised (no vecnormalize.pkl beside"
                f" {content.name})"
            )
        return None, None
    file = read_content(path, "normaliser", NORMALIZER_LIMIT)
    if file.data[:2] == b"PK":
        return file, read_normalizer_arrays(file)
    return read_vec_normalize(path)
