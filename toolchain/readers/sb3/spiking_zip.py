"""Reader of the spiking actors that `spikeport train` makes.

They are Stable-Baselines3 zips with a member `spiking_policy.json`:

    format                    1
    algorithm                 ProxyTargetTD3 | SpikingTD3
    neuron, timesteps         lif | clif | dn; T, 1..1024
    encoder, observation      population, tanh
    action_low, action_high   what the actor's tanh is spread over, a number per action channel
    environment               Gymnasium id without a colon; may be missing
    normalised                true where it learned on observations of VecNormalize, which is a file
        of its own; else missing

The actor's tensors are those of policy.pth under `actor.mu.`, with the names of the published
checkpoints. The zip's pickled fields are never decoded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from spikeport.toolchain.contracts import ObservationContract
from spikeport.toolchain.environments.environment_record import environment_fix
from spikeport.toolchain.errors import InputError, did_you_mean, violations
from spikeport.toolchain.files.display_text import printable
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.ann_policy import Provenance
from spikeport.toolchain.policies.spiking_policy import SpikingLayer, SpikingPolicy
from spikeport.toolchain.readers.facts.action_reader import bounded_action, limited_bounds
from spikeport.toolchain.readers.facts.observation_reader import read_observation
from spikeport.toolchain.readers.facts.spiking_facts import refuse_activation
from spikeport.toolchain.readers.pickles.tensors import load_torch, to_float32
from spikeport.toolchain.readers.reading_options import ReadOptions
from spikeport.toolchain.readers.torch.population_actor import (
    CURRENT_KEEP,
    VOLTAGE_KEEP,
    population_network,
)

MEMBER = "spiking_policy.json"
MEMBER_LIMIT = 2**20  # bytes
FORMAT = 1
LARGEST_BOUND = 1e9  # of an action
ALGORITHMS = ("ProxyTargetTD3", "SpikingTD3")
NEURONS = ("lif", "clif", "dn")
ACTOR = "actor.mu."
EXTRACTOR = "actor.features_extractor."
# Tensors that the deterministic action does not depend on.
_UNUSED = ("actor_target.", "critic.", "critic_target.")
KEYS = (
    "format",
    "algorithm",
    "neuron",
    "timesteps",
    "encoder",
    "observation",
    "action_low",
    "action_high",
    "environment",
    "normalised",
)
SAVE_AGAIN = "save the model again with model.save()"


def read_spiking_zip(
    content: FileContent, member: bytes, weights: bytes, options: ReadOptions
) -> SpikingPolicy:
    """Read the policy of a zip with a `spiking_policy.json`.

    Args:
        content: The zip.
        member: The bytes of `spiking_policy.json`.
        weights: The bytes of policy.pth.
        options: What the caller says.

    Raises:
        InputError: With everything in them that is missing, unknown or out of range.
    """
    where = content.name
    facts = read_spiking_facts(member, f"{where} ({MEMBER})")
    _check_options(options, bool(facts.get("normalised")), where)
    tensors = _actor(weights, f"{where} (policy.pth)")
    mean, std, layers, _ = population_network(tensors, f"{where} (policy.pth)")
    observation, normalizer = _observation(mean.shape[0], facts, content, options)
    bounds = (np.array(facts["action_low"]), np.array(facts["action_high"]))
    size = len(facts["action_low"])
    action = bounded_action(size, "tanh", limited_bounds(size, bounds, options, where))
    keep = {"lif": 0.0}.get(facts["neuron"], CURRENT_KEEP)
    return SpikingPolicy(
        tuple(
            SpikingLayer(weight, bias, facts["neuron"], keep, VOLTAGE_KEEP)
            for weight, bias in layers
        ),
        facts["timesteps"],
        observation,
        action,
        Provenance(
            where,
            content.sha256,
            "stable-baselines3",
            facts["algorithm"],
            (),
            normalizer.name if normalizer else "",
            normalizer.sha256 if normalizer else "",
        ),
        tensors["decoder.decoder.weight"][:, 0],
        tensors["decoder.decoder.bias"],
        "tanh",
        mean,
        std,
        facts.get("environment", ""),
    )


def _check_options(options: ReadOptions, normalised: bool, where: str) -> None:
    refuse_activation(options, where)
    if not normalised and options.normalizer not in (None, "none"):
        raise InputError(
            where,
            "the policy was trained without a normaliser",
            got=f"--normalizer {options.normalizer}",
            fix="leave --normalizer out",
        )
    if options.squash not in (None, "tanh"):
        raise InputError(
            where,
            "--squash differs from what the policy does",
            got=options.squash,
            limit="tanh",
            fix="leave --squash out",
        )


def _observation(
    features: int, facts: dict[str, Any], content: FileContent, options: ReadOptions
) -> tuple[ObservationContract, FileContent | None]:
    """Return the contract and the normaliser's file, which a normalised policy needs."""
    where = content.name
    expected = options.environment.observation_size
    if expected is not None and expected != features:
        raise InputError(
            where,
            "the policy's observations do not fit the environment",
            got=f"{features} features",
            limit=f"{expected} observation channels of {options.environment.label}",
            fix=environment_fix((where,), options.environment),
        )
    if not facts.get("normalised"):
        return ObservationContract(features), None
    observation, normalizer = read_observation(features, content, options, [], zoo=True)
    if observation.mean is None:
        raise InputError(
            where,
            "the policy was trained on normalised observations, and their normaliser is missing",
            limit="vecnormalize.pkl beside it",
            fix="--normalizer FILE with what VecNormalize.save wrote",
        )
    return observation, normalizer


def read_spiking_facts(member: bytes, place: str) -> dict[str, Any]:
    """The JSON object, every value checked."""
    try:
        facts = json.loads(member)
    except (ValueError, RecursionError) as error:
        raise violations(place, [f"not JSON: {printable(error, 80)}"], fix=SAVE_AGAIN) from None
    if not isinstance(facts, dict):
        raise violations(place, [f"not a JSON object but a {type(facts).__name__}"], fix=SAVE_AGAIN)
    problems = [
        f"unknown key {printable(key, 60)} {did_you_mean(key, KEYS)}".rstrip()
        for key in facts
        if key not in KEYS
    ]
    choices: dict[str, tuple[object, ...]] = {
        "format": (FORMAT,),
        "algorithm": ALGORITHMS,
        "neuron": NEURONS,
        "encoder": ("population",),
        "observation": ("tanh",),
    }
    for key, known in choices.items():
        if type(facts.get(key)) is not type(known[0]) or facts[key] not in known:
            problems.append(
                f"{key} is {printable(facts.get(key), 40)}, known are {', '.join(map(str, known))}"
            )
    timesteps = facts.get("timesteps")
    if type(timesteps) is not int or not 1 <= timesteps <= 1024:
        problems.append(f"timesteps is {printable(timesteps, 40)}, a whole number 1..1024 expected")
    low: Any = facts.get("action_low")
    high: Any = facts.get("action_high")
    if not (
        _numbers(low)
        and _numbers(high)
        and len(low) == len(high)
        and all(a < b for a, b in zip(low, high, strict=True))
    ):
        problems.append(
            "action_low and action_high are not lists of numbers below 1e9, one pair per action"
            " channel, low < high"
        )
    environment = facts.get("environment", "-")
    if not isinstance(environment, str) or not environment or ":" in environment:
        problems.append(
            f"environment is {printable(environment, 60)}, a Gymnasium id without a colon expected"
        )
    if not isinstance(facts.get("normalised", True), bool):
        problems.append(
            f"normalised is {printable(facts['normalised'], 40)}, true or false expected"
        )
    if problems:
        raise violations(
            place, problems, why="a fact that is misread changes the policy", fix=SAVE_AGAIN
        )
    return facts


def _actor(weights: bytes, place: str) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    saved = load_torch(weights, place)
    if not isinstance(saved, Mapping) or not all(isinstance(key, str) for key in saved):
        raise InputError(
            place,
            "not a state_dict",
            got=f"a {type(saved).__name__}",
            limit="names and tensors",
            fix=SAVE_AGAIN,
        )
    kept = {key: value for key, value in saved.items() if not key.startswith(_UNUSED)}
    if any(key.startswith(EXTRACTOR) for key in kept):
        text = (
            "a features extractor with weights lies before the actor, and a spiking network cannot"
            " take it over"
        )
        raise InputError(
            place, text, got=f"{EXTRACTOR}*", fix="train on flat observations without one"
        )
    strangers = [f"unknown key {printable(key, 60)}" for key in kept if not key.startswith(ACTOR)]
    if strangers or not kept:
        raise violations(
            place,
            strangers or [f"no key begins with {ACTOR}"],
            why="the tensors are not those of a spiking actor",
            fix=SAVE_AGAIN,
        )
    return to_float32({key.removeprefix(ACTOR): value for key, value in kept.items()}, place)


def _numbers(values: Any) -> bool:
    usable = isinstance(values, list) and 0 < len(values) < 10**6
    return usable and all(
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) < LARGEST_BOUND
        for value in values
    )
