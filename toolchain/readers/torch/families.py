"""Which keys of a state dict are which layer: documented families, plain Sequential numbering."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import did_you_mean, violations
from spikeport.toolchain.files.display_text import printable, shorten

Tensors = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Family:
    """Actors written like one published code base, whose forward pass its key names identify.

    `hidden` names numbered layers, `head` the output layer (empty: the last numbered one), `unused`
    the entries that the deterministic action does not depend on. `reference` is the code whose
    forward pass (ReLU, tanh, times the environment's bound) is assumed; empty: nothing is assumed.
    """

    name: str
    reference: str
    hidden: re.Pattern[str]
    head: str = ""
    unused: re.Pattern[str] = re.compile(r"(?!)")
    strides: tuple[int, ...] = (1,)


# IF neurons that conversion code keeps beside an actor: thresholds and a buffer of calibration
# activations.
_NEURONS = r"neuron[0-9]+\.(thre|act_buffer)"
FAMILIES = (
    Family(
        "l1,l2,l3",
        "l1,l2,l3 actors, TD3 reference code",
        re.compile(r"l([0-9]{1,4})"),
        unused=re.compile(_NEURONS),
    ),
    Family(
        "fc1,fc2,fc_mu",
        "fc1,fc2,fc_mu actors, SAC reference code and CleanRL's TD3 and DDPG",
        re.compile(r"fc([0-9]{1,4})"),
        "fc_mu",
        re.compile(rf"{_NEURONS}|fc_(std|log_?std)\.(weight|bias)"),
    ),
    Family(
        "fc1,fc2,fc_mean",
        "fc1,fc2,fc_mean actors, SAC reference code",
        re.compile(r"fc([0-9]{1,4})"),
        "fc_mean",
        re.compile(r"fc_log_?std\.(weight|bias)"),
    ),
    Family("sequential", "", re.compile(r"([0-9]{1,4})"), strides=(1, 2)),
)
# Buffers of some fc actors: action = tanh(y) * scale + bias.
SCALES = ("action_scale", "action_bias")
SEQUENTIAL_FIX = (
    "rename the layers like an nn.Sequential (0.weight, 0.bias, 2.weight, ...) and give"
    " --activation and --squash"
)


@dataclass(frozen=True, eq=False)
class ActorKeys:
    """The layers in order as (name, weight [out, in], bias [out] or None), and their family."""

    family: Family
    layers: tuple[tuple[str, NDArray[np.float32], NDArray[np.float32] | None], ...]
    stride: int
    unused: tuple[str, ...]


def common_prefix(keys: Iterable[str]) -> str:
    """Return the dotted prefix shared by all keys, such that `<layer>.weight` stays whole.

    It is empty or ends with its dot.
    """
    paths = [key.split(".") for key in keys]
    if not paths:
        return ""
    most = min(len(path) - (2 if path[-1] in ("weight", "bias") else 1) for path in paths)
    shared = 0
    while shared < most and len({path[shared] for path in paths}) == 1:
        shared += 1
    return "".join(f"{part}." for part in paths[0][:shared])


def match_family(tensors: Tensors, where: str) -> ActorKeys:
    """The one family that the keys show, every key accounted for.

    InputError lists all that are not.
    """
    names = {key.rsplit(".", 1)[0] for key in tensors if key.endswith((".weight", ".bias"))}
    for family in FAMILIES:
        numbered = {
            int(found.group(1)): name for name in names if (found := family.hidden.fullmatch(name))
        }
        if numbered and (not family.head or family.head in names):
            return _layers(tensors, family, numbered, where)
    raise violations(
        where,
        ["no documented family has these keys: " + shorten(tensors)],
        why="known are l1..lN, fc1..fcN with fc_mu, and nn.Sequential numbering",
        fix=SEQUENTIAL_FIX,
    )


def numbered_layers(
    tensors: Tensors, prefix: str, problems: list[str]
) -> list[tuple[str, NDArray[np.float32], NDArray[np.float32] | None]]:
    """Return layers `<prefix><0, 2, 4, ...>` of an nn.Sequential with one activation after each.

    Args:
        tensors: By name.
        prefix: Of the layers' names.
        problems: Gets a line for whatever does not fit.
    """
    pattern = re.compile(re.escape(prefix) + r"([0-9]{1,4})\.(weight|bias)")
    numbers = sorted({int(found.group(1)) for key in tensors if (found := pattern.fullmatch(key))})
    if numbers != list(range(0, 2 * len(numbers), 2)):
        problems.append(f"{prefix}N has the numbers {numbers[:12]}, expected 0, 2, 4, ...")
    return [layer(tensors, f"{prefix}{number}", problems) for number in numbers]


def layer(
    tensors: Tensors, name: str, problems: list[str], *, bias_needed: bool = True
) -> tuple[str, NDArray[np.float32], NDArray[np.float32] | None]:
    """Return (name, weight, bias) of a linear layer.

    Args:
        tensors: By name.
        name: Of the layer.
        problems: Gets a line for whatever does not fit.
        bias_needed: Whether a missing bias is a problem.
    """
    weight = tensors.get(f"{name}.weight")
    bias = tensors.get(f"{name}.bias")
    if weight is None:
        problems.append(f"{name}.weight is missing")
    elif weight.ndim != 2 or 0 in weight.shape:
        problems.append(f"{name}.weight has shape {weight.shape}, a linear layer has [out, in]")
    if bias is None and bias_needed:
        problems.append(f"{name}.bias is missing")
    elif bias is not None and (
        bias.ndim != 1
        or (weight is not None and weight.ndim == 2 and bias.shape[0] != weight.shape[0])
    ):
        problems.append(
            f"{name}.bias has shape {bias.shape}, its weight"
            f" {None if weight is None else weight.shape}"
        )
    empty = np.zeros((0, 0), np.float32)
    return name, empty if weight is None else weight, bias


def _layers(tensors: Tensors, family: Family, numbered: dict[int, str], where: str) -> ActorKeys:
    numbers = sorted(numbered)
    first, stride = (0, 2) if not family.reference else (1, 1)
    if len(numbers) > 1 and not family.reference:
        stride = numbers[1] - numbers[0]
    problems: list[str] = []
    if stride not in family.strides or numbers != list(
        range(first, first + stride * len(numbers), stride)
    ):
        if family.reference:
            expected = "1, 2, 3, ..."
        else:
            expected = "0, 2, 4, ... (one activation between) or 0, 1, 2, ... (a list of layers)"
        problems.append(
            f"layers are numbered {', '.join(map(str, numbers[:12]))}, expected {expected}: what"
            " stands between is not known"
        )
    order = [numbered[number] for number in numbers] + ([family.head] if family.head else [])
    layers = [layer(tensors, name, problems, bias_needed=bool(family.reference)) for name in order]
    used = {f"{name}.{kind}" for name in order for kind in ("weight", "bias")} | set(
        SCALES if family.head else ()
    )
    unused = [key for key in tensors if key not in used and family.unused.fullmatch(key)]
    unknown = [key for key in tensors if key not in used and key not in unused]
    for index, key in enumerate(unknown):
        if index < 20:
            hint = did_you_mean(key[:60], used)
        else:
            hint = ""
        problems.append(f"unknown key {printable(key, 60)} {hint}".rstrip())
    if problems:
        raise violations(
            where,
            problems,
            why=(
                f"the file looks like a {family.name} actor and each of its entries must be"
                " understood"
            ),
            fix="save the deterministic actor alone",
        )
    return ActorKeys(family, tuple(layers), stride, tuple(unused))
