"""Reader of CleanRL's saved agents, `*.cleanrl_model` (its single-file scripts).

    ppo_continuous_action.py, rpo_continuous_action.py    actor_mean.N, actor_logstd, critic.N; tanh
        hidden layers
    td3_continuous_action.py                              (actor, qf1, qf2), three state dicts in
        one file
    ddpg_continuous_action.py                             (actor, qf1)
    ppo.py                                                actor.{0,2,4}, critic.{0,2,4} of the same
        two tanh layers; logits of a discrete action
    other actor-critics                                   actor.N, critic.N: nothing says what the
        outputs are

The actors of TD3, DDPG and SAC (fc1, fc2, fc_mu or fc_mean, fc_logstd, action_scale, action_bias)
are among the families of families.py. PPO acts through wrappers that are not saved: ClipAction, and
NormalizeObservation with a clip to +-10.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.readers.containers import SAVE_AGAIN
from spikeport.toolchain.readers.pickles.tensors import to_float32
from spikeport.toolchain.readers.reading_options import ReadOptions
from spikeport.toolchain.readers.torch.families import numbered_layers
from spikeport.toolchain.readers.torch.library_actor import (
    LibraryActor,
    refuse,
    unknown_keys,
    unsupported_keys,
)

LIBRARY = "CleanRL"
_UNUSED = re.compile(r"critic\..*|actor_logstd")
_UNSUPPORTED = (
    (re.compile(r"network\..*"), "a CNN"),
    (re.compile(r"lstm\..*"), "a recurrent policy"),
)
_ACTOR_CRITIC = re.compile(r"(actor|critic)\.[0-9]{1,4}\.(weight|bias)")
NOT_SAVED = "CleanRL's NormalizeObservation keeps it in the environment and saves the agent alone"


def first_of_several(loaded: object, where: str) -> tuple[object, list[str]]:
    """Return the actor of (actor, qf1, qf2) and a note, or what was given.

    InputError where the first is not a state dict.
    """
    if (
        not isinstance(loaded, (tuple, list))
        or not loaded
        or not all(isinstance(part, Mapping) for part in loaded)
    ):
        return loaded, []
    if not all(isinstance(key, str) for part in loaded for key in part) or not any(
        key.startswith("fc_m") for key in loaded[0]
    ):
        raise InputError(
            where,
            "several state dicts in one file, and which is the actor is not clear",
            got=f"{len(loaded)} of them",
            limit="(actor, qf1, qf2) of CleanRL, whose actor ends in fc_mu or fc_mean",
            fix=SAVE_AGAIN,
        )
    return loaded[0], [
        f"assumed by family: the first of {len(loaded)} state dicts is the actor (CleanRL"
        " td3_continuous_action.py)"
    ]


def actor_alone(tensors: Mapping[str, object]) -> dict[str, object] | None:
    """Return the actor of a bare actor.N, critic.N; None for anything else.

    Its activation and squash must be asked for.
    """
    if not all(_ACTOR_CRITIC.fullmatch(key) for key in tensors) or not {
        key.split(".")[0] for key in tensors
    } == {"actor", "critic"}:
        return None
    return {key: value for key, value in tensors.items() if key.startswith("actor.")}


def is_cleanrl_discrete(loaded: object, options: ReadOptions) -> bool:
    """Tell whether a state dict has the layers of ppo.py's agent.

    Nothing that is known may speak against a discrete action.
    """
    if (
        not isinstance(loaded, Mapping)
        or options.squash not in (None, "argmax")
        or options.environment.bounds is not None
    ):
        return False
    if set(loaded) != {
        f"{part}.{number}.{kind}"
        for part in ("actor", "critic")
        for number in (0, 2, 4)
        for kind in ("weight", "bias")
    }:
        return False
    shapes = {
        part: [
            tuple(getattr(loaded[f"{part}.{number}.weight"], "shape", ())) for number in (0, 2, 4)
        ]
        for part in ("actor", "critic")
    }
    return (
        shapes["actor"][:2] == shapes["critic"][:2]
        and shapes["critic"][2][:1] == (1,)
        and len(shapes["actor"][2]) == 2
    )


def read_cleanrl_discrete(loaded: Mapping[str, object], content: FileContent) -> LibraryActor:
    """Read the actor of a file that `is_cleanrl_discrete`.

    ppo.py samples from its logits; the deterministic action is the largest.
    """
    problems: list[str] = []
    layers = numbered_layers(
        to_float32(
            {key: value for key, value in loaded.items() if key.startswith("actor.")}, content.name
        ),
        "actor.",
        problems,
    )
    refuse(content.name, problems, LIBRARY, SAVE_AGAIN)
    unused = tuple(key for key in loaded if key.startswith("critic."))
    note = (
        "assumed by family: the action is the number of the largest output (CleanRL ppo.py); give"
        " --squash and --activation for another actor-critic"
    )
    return LibraryActor(
        "cleanrl",
        "CleanRL PPO, discrete",
        "CleanRL ppo.py",
        layers,
        "tanh",
        "argmax",
        "",
        unused=unused,
        notes=(note,),
    )


def is_cleanrl_ppo(loaded: object) -> bool:
    """Tell whether a state dict has the mean actor of ppo_continuous_action.py."""
    return isinstance(loaded, Mapping) and any(
        isinstance(key, str) and key.startswith("actor_mean.") for key in loaded
    )


def read_cleanrl_ppo(loaded: Mapping[str, object], content: FileContent) -> LibraryActor:
    """Read the actor of a PPO agent.

    InputError lists everything that is not supported or not understood.
    """
    problems = unsupported_keys(loaded, _UNSUPPORTED)
    supported = [
        key for key in loaded if not any(pattern.fullmatch(key) for pattern, _ in _UNSUPPORTED)
    ]
    tensors = to_float32(
        {key: loaded[key] for key in supported if key.startswith("actor_")}, content.name
    )
    layers = numbered_layers(tensors, "actor_mean.", problems)
    problems += unknown_keys(supported, layers, _UNUSED)
    spread = tensors.get("actor_logstd")
    if spread is not None and layers and spread.size != len(layers[-1][1]):
        problems.append(f"actor_logstd has {spread.size} values for {len(layers[-1][1])} outputs")
    refuse(
        content.name,
        problems,
        LIBRARY,
        "train ppo_continuous_action.py, a feed-forward agent on flat observations",
    )
    unused = tuple(key for key in loaded if _UNUSED.fullmatch(key))
    note = "the output is clipped to the action bounds"
    reference = "CleanRL ppo_continuous_action.py"
    return LibraryActor(
        "cleanrl",
        "CleanRL PPO",
        reference,
        layers,
        "tanh",
        "clip",
        note,
        asks_normalizer=NOT_SAVED,
        unused=unused,
    )
