"""Spiking actors with population coding: PopSAN and Proxy Target.

Their state dicts have the same keys: encoder.mean, encoder.std (1, obs, P);
snn.hidden_layers.N.weight, .bias; snn.out_pop_layer.weight (act * P, hidden), .bias;
decoder.decoder.weight (act, 1, P), .bias (act); in a fork snn.plifnodes.N.w (), which belong to
plif alone.

PopSAN normalises its observation and starts its encoder on [-3, 3]; Proxy Target takes its tanh and
starts on [-1, 1]. Which it was is told by how wide the encoder's means lie, unless a sidecar or
--normalizer says it.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ObservationContract
from spikeport.toolchain.environments.environment_record import environment_fix
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import printable
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.ann_policy import Provenance
from spikeport.toolchain.policies.spiking_policy import SpikingLayer, SpikingPolicy
from spikeport.toolchain.readers.facts.action_reader import plain_action
from spikeport.toolchain.readers.facts.mean_var import CLIP, EPSILON, find_mean_var, read_mean_var
from spikeport.toolchain.readers.facts.sidecar import Sidecar, read_sidecar, sidecar_path
from spikeport.toolchain.readers.facts.spiking_facts import (
    assumed_timesteps,
    refuse_activation,
    with_sidecar_limit,
)
from spikeport.toolchain.readers.reading_options import ReadOptions
from spikeport.toolchain.readers.torch.families import layer

Float32 = NDArray[np.float32]
Tensors = Mapping[str, Float32]
CURRENT_KEEP = 0.5
VOLTAGE_KEEP = 0.75
_HIDDEN = re.compile(r"snn\.hidden_layers\.([0-9]{1,4})\.(?:weight|bias)")
_PLIF = re.compile(r"snn\.plifnodes\.([0-9]{1,4})\.w")
_NAMED = re.compile(r"(PLIF|CLIF|LIF|DN)_.+_actor", re.IGNORECASE)


@dataclass(frozen=True)
class PopulationFamily:
    """What a published code base assumes around these keys."""

    name: str
    observation: str
    span: float  # of the encoder's means where training starts
    neuron: str | None  # None: several, named in the file's name


POPSAN = PopulationFamily("PopSAN", "normalizer", 6.0, "clif")
PROXY_TARGET = PopulationFamily("Proxy Target", "tanh", 2.0, None)
BETWEEN = math.sqrt(POPSAN.span * PROXY_TARGET.span)


def is_population_actor(tensors: Tensors) -> bool:
    """Tell whether a state dict has the encoder and the last layer of a population actor."""
    return "encoder.mean" in tensors and "snn.out_pop_layer.weight" in tensors


def read_population_actor(
    tensors: Tensors, content: FileContent, options: ReadOptions, kind: str
) -> SpikingPolicy:
    """Read a spiking actor with a population encoder.

    Args:
        tensors: The state dict.
        content: Its file.
        options: What the caller says.
        kind: The provenance's format.

    Raises:
        InputError: With every key that is missing or unknown, and for facts that nobody gives.
    """
    where = content.name
    sidecar = read_sidecar(content.path)
    assumptions = list[str]()
    refuse_activation(options, where)
    mean, std, layers, keeps = population_network(tensors, where)
    family = _family(mean, assumptions)
    _check_encoder(sidecar, assumptions)
    neuron = _neuron(family, sidecar, content, assumptions)
    spiking = _spiking_layers(layers, neuron, keeps, where)
    timesteps = assumed_timesteps(sidecar, assumptions, f"{family.name} reference code")
    transform, observation, normalizer = _observation(
        family, sidecar, content, options, mean.shape[0], assumptions
    )
    weight = tensors["decoder.decoder.weight"]
    bias = tensors["decoder.decoder.bias"]
    options = with_sidecar_limit(options, sidecar)
    action = plain_action(
        len(bias), options, f"{family.name} reference code", None, None, assumptions, where
    )
    provenance = Provenance(
        where,
        content.sha256,
        kind,
        family.name,
        tuple(assumptions),
        normalizer.name if normalizer else "",
        normalizer.sha256 if normalizer else "",
    )
    return SpikingPolicy(
        spiking,
        timesteps,
        observation,
        action,
        provenance,
        weight[:, 0],
        bias,
        transform,
        mean,
        std,
        sidecar.environment or "",
    )


def _family(mean: Float32, assumptions: list[str]) -> PopulationFamily:
    """Return the family that the width of the encoder's means [obs, P] tells."""
    span = float(np.median(mean.max(1) - mean.min(1)))
    family = POPSAN if span > BETWEEN else PROXY_TARGET
    assumptions.append(
        f"assumed by family: {family.name} (the encoder's means span {span:.2f}; PopSAN's start"
        " with 6, Proxy Target's with 2)"
    )
    return family


def _check_encoder(sidecar: Sidecar, assumptions: list[str]) -> None:
    if sidecar.file:
        given = [
            name
            for name in dataclasses.asdict(sidecar)
            if name != "file" and getattr(sidecar, name)
        ]
        assumptions.append(f"{sidecar.file} gives {', '.join(given)}")
    if sidecar.encoder not in (None, "population"):
        raise InputError(
            sidecar.file,
            "the checkpoint has a population encoder",
            got=sidecar.encoder,
            limit="population",
            fix="correct the sidecar",
        )


def _spiking_layers(
    layers: Sequence[tuple[Float32, Float32]],
    neuron: str,
    keeps: Sequence[float],
    where: str,
) -> tuple[SpikingLayer, ...]:
    """Return the layers with the neuron's decays; plif has one of its own per layer."""
    if neuron != "plif":
        voltage_keeps: Sequence[float] = [VOLTAGE_KEEP] * len(layers)
    elif len(keeps) == len(layers):
        voltage_keeps = keeps
    else:
        raise InputError(
            where,
            "plif needs one snn.plifnodes.N.w per layer",
            got=len(keeps),
            limit=len(layers),
            fix="say the neuron that it was trained with",
        )
    current_keep = CURRENT_KEEP if neuron in ("clif", "dn") else 0.0
    return tuple(
        SpikingLayer(weight, bias, neuron, current_keep, keep)
        for (weight, bias), keep in zip(layers, voltage_keeps, strict=True)
    )


def population_network(
    tensors: Tensors, where: str
) -> tuple[Float32, Float32, list[tuple[Float32, Float32]], list[float]]:
    """Return encoder mean and std [obs, P], (weight, bias) of each layer, and plif's keeps.

    InputError lists every key that is missing or unknown.
    """
    problems: list[str] = []
    numbers = sorted({int(found.group(1)) for key in tensors if (found := _HIDDEN.fullmatch(key))})
    if numbers != list(range(len(numbers))):
        problems.append(f"snn.hidden_layers has the numbers {numbers[:12]}, expected 0, 1, 2, ...")
    names = [f"snn.hidden_layers.{number}" for number in numbers] + ["snn.out_pop_layer"]
    found_layers = [layer(tensors, name, problems)[1:] for name in names]
    layers = [
        (weight, np.zeros(0, np.float32) if bias is None else bias) for weight, bias in found_layers
    ]
    mean, std = (_encoder(tensors, f"encoder.{part}", problems) for part in ("mean", "std"))
    _check_decoder(tensors, problems)
    keeps = _plif_keeps(tensors, len(names), problems)
    used = {
        f"{name}.{part}" for name in (*names, "decoder.decoder") for part in ("weight", "bias")
    } | {"encoder.mean", "encoder.std"}
    problems += [
        f"unknown key {printable(key, 60)}"
        for key in tensors
        if key not in used and not _PLIF.fullmatch(key)
    ]
    if problems:
        raise violations(
            where,
            problems,
            why=(
                "the file looks like a PopSAN or Proxy-Target actor and each of its entries must be"
                " understood"
            ),
            fix="save the actor alone",
        )
    return mean, std, layers, keeps


def _encoder(tensors: Tensors, name: str, problems: list[str]) -> Float32:
    value = tensors.get(name, np.zeros(0, np.float32))
    if value.ndim != 3 or value.shape[0] != 1 or value.size == 0:
        problems.append(f"{name} has shape {value.shape}, (1, obs, P) expected")
        return value
    if not np.isfinite(value).all():
        problems.append(f"{name} has non-finite values")
    return value[0]


def _check_decoder(tensors: Tensors, problems: list[str]) -> None:
    missing = np.zeros(0, np.float32)
    weight = tensors.get("decoder.decoder.weight", missing)
    bias = tensors.get("decoder.decoder.bias", missing)
    if weight.ndim != 3 or weight.shape[1] != 1 or bias.shape != weight.shape[:1]:
        problems.append(
            f"decoder.decoder has a weight of shape {weight.shape} and a bias of shape"
            f" {bias.shape}, (act, 1, P) and (act) expected"
        )


def _plif_keeps(tensors: Tensors, layers: int, problems: list[str]) -> list[float]:
    """Return what plif's voltages keep per step: the logistic function of `w`."""
    found = {
        int(match.group(1)): tensors[key] for key in tensors if (match := _PLIF.fullmatch(key))
    }
    keeps = []
    for number, value in sorted(found.items()):
        if value.size != 1 or number >= layers:
            problems.append(
                f"snn.plifnodes.{number}.w has shape {value.shape}; one number per layer expected"
            )
        elif not np.isfinite(value).all():
            problems.append(f"snn.plifnodes.{number}.w is not finite")
        else:
            exponent = -max(float(value.ravel()[0]), -700.0)  # e^700 is still a float64
            keeps.append(1.0 / (1.0 + math.exp(exponent)))
    return keeps


def _neuron(
    family: PopulationFamily, sidecar: Sidecar, content: FileContent, assumptions: list[str]
) -> str:
    if sidecar.neuron is not None:
        return sidecar.neuron
    named = _NAMED.fullmatch(
        content.path.stem if content.path.suffix in (".pt", ".pth") else content.name
    )
    if family.neuron is None and named is None:
        raise InputError(
            content.name,
            "the file does not say which neurons it was trained with",
            got=f"a {family.name} actor",
            limit="lif, clif, dn or plif",
            why="its keys are the same for all of them",
            fix=f'{sidecar_path(content.path).name} with {{"neuron": "lif"}}',
        )
    neuron = family.neuron or (named.group(1).lower() if named else "")
    if family.neuron:
        reason = f"{family.name} reference code"
    else:
        reason = "as the file's name says"
    assumptions.append(f"assumed by family: {neuron} neurons, threshold 0.5 ({reason})")
    return neuron


def _observation(
    family: PopulationFamily,
    sidecar: Sidecar,
    content: FileContent,
    options: ReadOptions,
    features: int,
    assumptions: list[str],
) -> tuple[str, ObservationContract, FileContent | None]:
    """(transform, contract, normaliser file)."""
    size = options.environment.observation_size
    if size is not None and size != features:
        raise InputError(
            content.name,
            "the policy's observations do not fit the environment",
            got=f"{features} features",
            limit=f"{size} observation channels of {options.environment.label}",
            fix=environment_fix((content.name,), options.environment),
        )
    chosen = options.normalizer
    off = chosen is not None and str(chosen) == "none"
    if chosen is not None and not off:
        wanted = "normalizer"
    else:
        wanted = sidecar.observation or family.observation
    if wanted == "normalizer" and off:
        wanted = "none"
    if wanted != "normalizer":
        if sidecar.observation is None and not off:
            assumptions.append(
                f"assumed by family: observations go through {wanted} ({family.name} reference"
                " code)"
            )
        return wanted, ObservationContract(features), None
    if chosen is not None:
        path = chosen
    else:
        path = find_mean_var(content.path)
    if path is None:
        assumptions.append(
            f"warning: no normaliser was found ({content.path.stem}_mean_var.p beside"
            f" {content.name}); {family.name} needs the one it was trained with"
        )
        return "none", ObservationContract(features), None
    file, mean, variance = read_mean_var(path, features)
    assumptions.append(
        f"assumed by family: normalised observations are clipped at {CLIP:g} ({family.name}"
        f" reference code); normaliser {file.name}"
    )
    return "none", ObservationContract(features, mean, variance, EPSILON, CLIP), file
