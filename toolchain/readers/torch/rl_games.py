"""Reader of rl_games checkpoints, `*.pth` of its A2C and PPO agents (rl-games 1.1 to 1.6).

`model` holds a2c_network.actor_mlp.N, a2c_network.mu or a2c_network.logits, a2c_network.sigma
(algos_torch/network_builder.py, A2CBuilder) and running_mean_std.*
(algos_torch/running_mean_std.py), which older versions kept beside it. Names may begin with
`_orig_mod.`, as torch.compile leaves them.

Normalised observations are (x - mean) / sqrt(var + 1e-5) clipped to +-5. The deterministic action
is mu, clipped to +-1 and rescaled to the environment's bounds (algos_torch/players.py,
PpoPlayerContinuous), or the largest logit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.readers.facts.vec_normalize import Normalizer, normalizer_problem
from spikeport.toolchain.readers.pickles.tensors import to_float32
from spikeport.toolchain.readers.torch.families import layer, numbered_layers
from spikeport.toolchain.readers.torch.library_actor import (
    RESCALED,
    LibraryActor,
    refuse,
    unknown_entries,
    unknown_keys,
    unsupported_keys,
)

LIBRARY = "rl_games"
# of RunningMeanStd
EPSILON = 1e-5
CLIP = 5.0
COMPILED = "_orig_mod."
ENTRIES = (
    "model epoch frame step optimizer scaler last_mean_rewards env_state running_mean_std"
    " reward_mean_std central_val_stats advantage_mean_std assymetric_vf_nets"
    " assymetric_vf_optimizer"
).split()
_UNUSED = re.compile(
    r"a2c_network\.(value|critic_mlp|critic_cnn|sigma)(\..*)?"
    r"|(value|reward|advantage)_mean_std\..*|running_mean_std\..*"
)
_UNSUPPORTED = (
    (re.compile(r"a2c_network\.([ac]_)?rnn\..*"), "a recurrent policy"),
    (
        re.compile(r"a2c_network\.([ac]_)?layer_norm\..*|a2c_network\.actor_mlp\.norm_layers\..*"),
        "layer normalisation",
    ),
    (re.compile(r"a2c_network\.actor_cnn\..*"), "a CNN"),
    (
        re.compile(r"a2c_network\.actor_mlp\.(linears|activations)\..*"),
        "a D2RL network (its layers see the observation again)",
    ),
    (re.compile(r"a2c_network\.logits\.[0-9]+\..*"), "a multi-discrete action"),
    (re.compile(r"running_mean_std\.running_mean_std\..*"), "a dict of observations"),
    (
        re.compile(r"(actor\.|sac_network\.actor\.)?trunk\..*|sac_network\..*"),
        "a SAC actor (its outputs hold the standard deviation)",
    ),
)
_MU = "a2c_network.mu"
_LOGITS = "a2c_network.logits"
_MLP = "a2c_network.actor_mlp."
_STATISTICS = "running_mean_std."
WAYS_OUT = (
    (
        "train network actor_critic with an mlp alone (no rnn, cnn, d2rl or normalization) and a"
        " continuous or discrete space"
    ),
    "put the history that a memory would keep into the observation",
)


# Family, action and note of the two kinds of actors.
CONTINUOUS = (
    "rl_games",
    RESCALED,
    "the output is clipped to +-1 and rescaled to the action bounds, no mu_activation",
)
CHOICES = ("rl_games, discrete", "argmax", "")


def is_rl_games(loaded: object) -> bool:
    """Whether the content of a torch file has the names that rl_games gives, supported or not."""
    return isinstance(loaded, Mapping) and _entry(loaded) is not None


def _entry(loaded: Mapping[str, object]) -> str | None:
    for name, prefixes in (
        ("model", ("a2c_network.", "sac_network.", f"{COMPILED}a2c_network.")),
        ("actor", ("trunk.",)),
    ):
        entry = loaded.get(name)
        if isinstance(entry, Mapping) and any(
            isinstance(key, str) and key.startswith(prefixes) for key in entry
        ):
            return name
    return None


def read_rl_games(loaded: Mapping[str, object], content: FileContent) -> LibraryActor:
    """Read the actor of a checkpoint that `is_rl_games`.

    InputError lists everything that is not supported or not understood.
    """
    entry = _entry(loaded)
    assert entry is not None
    saved = _saved(loaded, entry)
    problems = [] if entry == "actor" else unknown_entries(loaded, ENTRIES)
    problems += unsupported_keys(saved, _UNSUPPORTED)
    place = f"{content.name} ({entry})"
    if entry == "actor":
        refuse(place, problems, LIBRARY, WAYS_OUT)
    supported = [
        key for key in saved if not any(pattern.fullmatch(key) for pattern, _ in _UNSUPPORTED)
    ]
    wanted = (_MLP, _MU + ".", _LOGITS + ".", _STATISTICS + "running_")
    tensors = to_float32({key: saved[key] for key in supported if key.startswith(wanted)}, place)
    discrete = any(key.startswith(_LOGITS) for key in saved)
    heads = [name for name in (_MU, _LOGITS) if any(key.startswith(f"{name}.") for key in saved)]
    if len(heads) != 1:
        problems.append(
            f"expected one of {_MU} and {_LOGITS}, found {' and '.join(heads) or 'neither'}"
        )
    layers = numbered_layers(tensors, _MLP, problems)
    if not any("multi-discrete" in problem for problem in problems):
        layers.append(layer(tensors, _LOGITS if discrete else _MU, problems))
    problems += unknown_keys(supported, layers, _UNUSED)
    normalizer = _normalizer(tensors, content, problems)
    refuse(place, problems, LIBRARY, WAYS_OUT)
    notes = ["observations are not normalised, the checkpoint holds no running_mean_std"]
    if normalizer is not None:
        notes = [
            f"assumed by family: normalised observations are clipped to +-{CLIP:g}, epsilon"
            f" {EPSILON:g} (rl_games RunningMeanStd)"
        ]
    family, action, note = CHOICES if discrete else CONTINUOUS
    return LibraryActor(
        "rl-games",
        family,
        "rl_games default",
        layers,
        "elu",
        action,
        note,
        normalizer,
        notes=tuple(notes),
    )


def _saved(loaded: Mapping[str, object], entry: str) -> dict[str, object]:
    """Return the model's tensors by name, with the statistics that lie beside it."""
    model = loaded[entry]
    assert isinstance(model, Mapping)
    saved = {str(key).removeprefix(COMPILED): value for key, value in model.items()}
    beside = loaded.get("running_mean_std")
    if isinstance(beside, Mapping):
        saved |= {_STATISTICS + str(key): value for key, value in beside.items()}
    return saved


def _normalizer(
    tensors: Mapping[str, np.ndarray], content: FileContent, problems: list[str]
) -> Normalizer | None:
    """Return the observation's statistics, rounded to float32 as the library does.

    Problems are appended.
    """
    found = [tensors.get(_STATISTICS + name) for name in ("running_mean", "running_var")]
    if all(values is None for values in found):
        return None
    if any(values is None for values in found):
        problems.append("running_mean_std has only one of running_mean and running_var")
        return None
    mean, variance = (np.asarray(values, np.float64) for values in found)
    problem = normalizer_problem(mean, variance, np.asarray(EPSILON), np.asarray(CLIP))
    if problem:
        problems.append(problem)
    return Normalizer(content, mean, variance, EPSILON, CLIP)
