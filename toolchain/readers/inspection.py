"""What a checkpoint holds, and which options are still needed before it can be converted."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import FileContent, read_content
from spikeport.toolchain.policies.describe import describe
from spikeport.toolchain.readers.detect import detect_format, reader
from spikeport.toolchain.readers.load import read_policy
from spikeport.toolchain.readers.reading_options import (
    ACTIVATION,
    BOUNDS,
    LIMIT,
    NORMALIZER,
    SQUASH,
    ReadOptions,
)

# What stands in for a missing fact while the rest of the file is read; it is never shown.
_STAND_INS: dict[str, dict[str, Any]] = {
    ACTIVATION: {"activation": "relu"},
    SQUASH: {"squash": "none"},
    LIMIT: {"action_limit": 1.0},
    NORMALIZER: {"normalizer": "none"},
}


def inspect_checkpoint(path: str | os.PathLike[str], options: ReadOptions) -> dict[str, object]:
    """Describe the policy in a checkpoint.

    Args:
        path: The checkpoint.
        options: What is known beside the file.

    Returns:
        `describe` of the policy with null where a fact is not known, and `missing`: these facts and
        the options that give them.

    Raises:
        InputError: For every file that cannot be converted whatever is said about it.
    """
    content = read_content(path)
    missing: dict[str, str] = {}
    while True:
        try:
            policy = read_policy(content, options)
            break
        except InputError as error:
            if not error.missing or missing.keys() & set(error.missing):
                raise
            missing |= dict.fromkeys(error.missing, error.fix)
            for fact in error.missing:
                options = dataclasses.replace(options, **_stand_in(fact, options))
    if LIMIT not in missing:
        missing |= _asked_for_with_an_environment(content, options)
    facts = describe(policy)
    _forget(facts, missing.keys())
    return facts | {"missing": [{"fact": fact, "give": give} for fact, give in missing.items()]}


def _asked_for_with_an_environment(content: FileContent, options: ReadOptions) -> dict[str, str]:
    """Return the action limit, where a graph ends in a bare tanh.

    Nothing but -1 and 1 is known until an environment has other bounds.
    """
    if (
        not reader(detect_format(content)).graph
        or options.environment.bounds is not None
        or options.environment.choices is not None
    ):
        return {}
    others = dataclasses.replace(options, environment=_bounded(options.environment, 2.0))
    try:
        read_policy(content, others)
    except InputError as error:
        return dict.fromkeys(set(error.missing) & {LIMIT}, error.fix)
    return {}


def _bounded(environment: EnvironmentFacts, bound: float) -> EnvironmentFacts:
    return dataclasses.replace(
        environment, id="", action_low=np.full(1, -bound), action_high=np.full(1, bound)
    )


def _stand_in(fact: str, options: ReadOptions) -> dict[str, Any]:
    if fact == BOUNDS:
        return {"environment": _bounded(options.environment, 1.0)}
    if fact == SQUASH and options.environment.choices is not None:
        return {"squash": "argmax"}
    if fact == SQUASH and options.action_limit is not None:
        return {"squash": "tanh"}
    return _STAND_INS[fact]


def _forget(facts: dict[str, Any], missing: Any) -> None:
    """Put null where a stand-in would show."""
    action = facts["action"]
    layers = facts["layers"]
    if ACTIVATION in missing:
        for layer in layers[:-1]:
            layer["activation"] = None
    if SQUASH in missing:
        action["squash"] = None
    if {SQUASH, BOUNDS, LIMIT} & set(missing):
        action |= dict.fromkeys(("scale", "offset", "low", "high"))
    if NORMALIZER in missing:
        facts["observation"]["normalizer"] = None
