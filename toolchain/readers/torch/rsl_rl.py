"""Reader of RSL-RL checkpoints, `model_*.pt` of its runners (rsl-rl-lib 1 to 5).

    1-3   model_state_dict: actor.N, critic.N, std or log_std (rsl_rl/modules/actor_critic.py);
          normaliser: obs_norm_state_dict beside it (runners/on_policy_runner.py, version 2), or
          actor_obs_normalizer.* inside it (version 3); distillation: student.N, teacher.N
    4-5   actor_state_dict: mlp.N, obs_normalizer.*, std or distribution.std_param or their
        logarithms
          (rsl_rl/models/mlp_model.py); distillation: student_state_dict

The deterministic action is the mean, as the network gives it. EmpiricalNormalization
(modules/normalization.py) divides by _std + 0.01: the contract's variance is the square of that sum
and its epsilon 0, for the root of a square is exact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.readers.facts.vec_normalize import Normalizer
from spikeport.toolchain.readers.pickles.tensors import to_float32
from spikeport.toolchain.readers.torch.families import Tensors, numbered_layers
from spikeport.toolchain.readers.torch.library_actor import (
    LibraryActor,
    refuse,
    unknown_entries,
    unknown_keys,
    unsupported_keys,
)

LIBRARY = "RSL-RL"
EPSILON = 0.01  # of EmpiricalNormalization, a constructor's default that no runner changes
ENTRIES = (
    "model_state_dict actor_state_dict critic_state_dict student_state_dict teacher_state_dict"
    " optimizer_state_dict iter infos obs_norm_state_dict privileged_obs_norm_state_dict"
    " rnd_state_dict rnd_optimizer_state_dict critic_obs_norm_state_dict"
).split()
_STD = re.compile(r"(distribution\.)?(log_)?std(_param)?")
_UNUSED = re.compile(
    r"(critic|teacher)(_obs_normalizer)?\..*|.*obs_normalizer\.(_mean|_var|_std|count)"
    r"|(distribution\.)?(log_)?std(_param)?"
)
_UNSUPPORTED = (
    (re.compile(r"(memory_[a-z]+|rnn)\..*"), "a recurrent policy"),
    (re.compile(r"(.*\.)?(actor_|student_)?cnns?\..*"), "a CNN"),
)
_LAYOUTS = (  # entry, prefix of the layers, prefix of the normaliser, what a message calls it
    ("model_state_dict", "actor.", "actor_obs_normalizer.", "RSL-RL 1-3"),
    ("model_state_dict", "student.", "student_obs_normalizer.", "RSL-RL 2-3, student"),
    ("actor_state_dict", "mlp.", "obs_normalizer.", "RSL-RL 4-5"),
    ("student_state_dict", "mlp.", "obs_normalizer.", "RSL-RL 4-5, student"),
)
WAYS_OUT = (
    "train a feed-forward actor with one scalar or log standard deviation per action",
    "put the history that a memory would keep into the observation",
)


def is_rsl_rl(loaded: object) -> bool:
    """Whether the content of a torch file has the names that RSL-RL gives, supported or not."""
    return isinstance(loaded, Mapping) and _layout(loaded) is not None


def _layout(loaded: Mapping[str, object]) -> tuple[str, str, str, str] | None:
    for layout in _LAYOUTS:
        entry = loaded.get(layout[0])
        if not isinstance(entry, Mapping) or not all(isinstance(key, str) for key in entry):
            continue
        recurrent = layout[0] != "model_state_dict" and any(
            key.startswith(("rnn.", "cnns.")) for key in entry
        )
        own = any(key.startswith(f"{layout[1]}0.") for key in entry)
        beside = {"critic_state_dict", "teacher_state_dict"} & loaded.keys()
        sure = beside or any(
            _STD.fullmatch(key) or key.startswith(("critic.", "teacher.", layout[2]))
            for key in entry
        )
        if recurrent or (own and sure):
            return layout
    return None


def read_rsl_rl(loaded: Mapping[str, object], content: FileContent) -> LibraryActor:
    """The actor of a checkpoint that `is_rsl_rl`.

    InputError lists everything that is not supported or not understood.
    """
    layout = _layout(loaded)
    assert layout is not None
    entry, prefix, normalizer_prefix, family = layout
    saved = loaded[entry]
    assert isinstance(saved, Mapping)
    problems = unknown_entries(loaded, ENTRIES) + unsupported_keys(saved, _UNSUPPORTED)
    supported = [
        key for key in saved if not any(pattern.fullmatch(key) for pattern, _ in _UNSUPPORTED)
    ]
    wanted = re.compile(
        re.escape(prefix)
        + r".*|"
        + re.escape(normalizer_prefix)
        + r"(_mean|_var|_std)|"
        + _STD.pattern
    )
    tensors = to_float32(
        {key: saved[key] for key in supported if wanted.fullmatch(key)}, f"{content.name} ({entry})"
    )
    layers = numbered_layers(tensors, prefix, problems)
    problems += unknown_keys(supported, layers, _UNUSED)
    spread = next((tensors[key] for key in tensors if _STD.fullmatch(key)), None)
    if layers:
        outputs = len(layers[-1][1])
    else:
        outputs = 0
    if spread is None:
        problems.append(
            "there is no std: with a state-dependent one or a Beta distribution the outputs are not"
            " the action alone"
        )
    elif spread.size != outputs:
        problems.append(f"std has {spread.size} values for {outputs} outputs")
    normalizer = _normalizer(loaded, tensors, normalizer_prefix, content, problems)
    refuse(f"{content.name} ({entry})", problems, LIBRARY, WAYS_OUT)
    note = "observations are not normalised, the checkpoint holds no normaliser"
    if normalizer is not None:
        folded = f"{EPSILON:g} is folded into the variance"
        note = (
            f"assumed by family: the normaliser divides by std + {EPSILON:g} (RSL-RL"
            f" EmpiricalNormalization); {folded}"
        )
    return LibraryActor(
        "rsl-rl",
        family,
        "RSL-RL default",
        layers,
        "elu",
        "none",
        "the action is the mean without bounds; the environment clips and scales it",
        normalizer,
        notes=(note,),
    )


def _normalizer(
    loaded: Mapping[str, object],
    tensors: Tensors,
    prefix: str,
    content: FileContent,
    problems: list[str],
) -> Normalizer | None:
    """Return the statistics inside the actor, or beside the model as in version 2.

    Problems are appended.
    """
    parts = {
        name: tensors[prefix + name]
        for name in ("_mean", "_var", "_std")
        if prefix + name in tensors
    }
    beside = loaded.get("obs_norm_state_dict")
    if not parts and beside is None:
        return None
    if not parts:
        if not isinstance(beside, Mapping):
            problems.append(f"obs_norm_state_dict is a {type(beside).__name__}, not a state_dict")
            return None
        wanted = {name: beside[name] for name in ("_mean", "_var", "_std") if name in beside}
        parts = to_float32(wanted, f"{content.name} (obs_norm_state_dict)")
        prefix = "obs_norm_state_dict "
    missing = [name for name in ("_mean", "_var", "_std") if name not in parts]
    if missing:
        problems += [f"{prefix}{name} is missing" for name in missing]
        return None
    mean, variance, deviation = (
        parts[name].astype(np.float64).ravel() for name in ("_mean", "_var", "_std")
    )
    if not mean.shape == variance.shape == deviation.shape:
        problems.append(
            f"{prefix}_mean, _var and _std have {mean.size}, {variance.size} and {deviation.size}"
            " values"
        )
    elif not np.isfinite([mean, variance, deviation]).all() or (deviation < 0).any():
        problems.append(f"{prefix}_mean, _var and _std must be finite and no deviation negative")
    elif not np.allclose(deviation**2, variance, rtol=1e-3, atol=1e-6):
        problems.append(f"{prefix}_std is not the root of _var")
    return Normalizer(content, mean, (deviation + EPSILON) ** 2, 0.0, None)
