"""State dicts of snnTorch's `Leaky` networks.

    SpikingNet    preprocess.model.layer_in.{weight, bias}, .lif_in.{threshold, beta, ...},
        .layer_out, .lif_out, mu.{weight, bias};
                  sigma.* takes no part in the deterministic action (van den Berghe et al., NeurIPS
                  2025, arXiv 2510.24461)
    Sequential    0.weight, 0.bias, 1.threshold, 1.beta, 2.weight, ...: Linear and Leaky in turn, a
        Linear last

A neuron's graded_spikes_factor is folded into the next layer; its reset_mechanism_val must be 0,
reset by subtraction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import violations
from spikeport.toolchain.files.display_text import printable, shorten
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.ann_policy import DenseLayer, Provenance
from spikeport.toolchain.policies.leaky_policy import LeakyLayer, LeakyPolicy
from spikeport.toolchain.readers.facts.action_reader import plain_action
from spikeport.toolchain.readers.facts.observation_reader import read_observation
from spikeport.toolchain.readers.facts.sidecar import KEYS, Sidecar, read_sidecar
from spikeport.toolchain.readers.facts.spiking_facts import refuse_activation, with_sidecar_limit
from spikeport.toolchain.readers.pickles.tensors import to_float32
from spikeport.toolchain.readers.reading_options import SQUASH, ReadOptions, missing_fact

Tensors = Mapping[str, NDArray[np.float32]]
NET = "preprocess.model."
NEURON_PARTS = ("threshold", "beta", "graded_spikes_factor", "reset_mechanism_val")
SPIKING_NET = ((NET + "layer_in", NET + "lif_in"), (NET + "layer_out", NET + "lif_out"))
REFERENCE = "snnTorch's defaults"
SIDECAR_KEYS = ("action_limit", "environment")  # those of a sidecar that say something here
FIX = "save the actor alone: Linear and Leaky layers in turn, a Linear last"


def is_leaky_actor(entries: Mapping[str, object]) -> bool:
    """Whether some module has the two parameters of a Leaky neuron."""
    return any(
        key.endswith(".beta") and f"{key[:-4]}threshold" in entries
        for key in entries
        if isinstance(key, str)
    )


def read_leaky_actor(
    entries: Mapping[str, object], content: FileContent, options: ReadOptions, kind: str
) -> LeakyPolicy:
    """Read an actor of snnTorch's leaky neurons.

    Args:
        entries: The state dict.
        content: Its file.
        options: What the caller says.
        kind: The provenance's format.

    Raises:
        InputError: With every key that is missing or unknown, and for facts that nobody gives.
    """
    where = content.name
    refuse_activation(options, where)
    tensors, problems = _tensors(entries, where)
    net = any(key.startswith(NET) for key in tensors)
    pairs, head, ignored = _spiking_net(tensors) if net else _sequential(tensors, where)
    problems += _key_problems(tensors, pairs, head, ignored)
    if problems:
        raise violations(where, problems, why="a network is read whole or not at all", fix=FIX)
    sidecar = _sidecar(content)
    if options.squash is None and not net:
        raise missing_fact(
            (SQUASH,),
            where,
            "a Sequential does not say what follows its last layer",
            fix="--squash tanh|clip|none|argmax, as the policy was trained",
        )
    options = with_sidecar_limit(options, sidecar)
    assumptions = [
        "assumed by family: one timestep per decision, membranes kept over the episode, reset one"
        f" step late ({REFERENCE})"
    ]
    if sidecar.file:
        given = ", ".join(key for key in SIDECAR_KEYS if getattr(sidecar, key))
        assumptions.append(f"{sidecar.file} gives {given or 'nothing'}")
    if ignored:
        assumptions.append(
            f"assumed by family: {shorten(ignored, 4)} do not take part in the deterministic action"
        )
    layers, readout = _layers(tensors, pairs, head, assumptions)
    observation, normalizer = read_observation(layers[0].inputs, content, options, assumptions)
    reference = "SpikingNet reference code" if net else ""
    action = plain_action(readout.outputs, options, reference, None, None, assumptions, where)
    provenance = Provenance(
        where,
        content.sha256,
        kind,
        "snnTorch SpikingNet" if net else "snnTorch Sequential",
        tuple(assumptions),
        normalizer.name if normalizer else "",
        normalizer.sha256 if normalizer else "",
    )
    return LeakyPolicy(layers, readout, observation, action, provenance, sidecar.environment or "")


def _tensors(entries: Mapping[str, object], where: str) -> tuple[Tensors, list[str]]:
    """Return the actor's tensors, and a problem for each reset that is not by subtraction."""
    chosen = {
        key.removeprefix("actor."): value
        for key, value in entries.items()
        if key.startswith("actor.")
    } or dict(entries)
    problems = []
    for key in [key for key in chosen if key.endswith(".reset_mechanism_val")]:
        reset = _whole(chosen.pop(key))
        if reset:
            problems.append(f"{key} is {reset}: only reset by subtraction (0) is read")
    return to_float32(chosen, where), problems


def _sidecar(content: FileContent) -> Sidecar:
    """Return the sidecar beside the file.

    InputError names every key that says something about another kind of spiking network.
    """
    sidecar = read_sidecar(content.path)
    foreign = [key for key in KEYS if key not in SIDECAR_KEYS and getattr(sidecar, key) is not None]
    if foreign:
        raise violations(
            sidecar.file,
            [f"{key} does not belong to a Leaky network" for key in foreign],
            why=(
                "its neurons stand in the checkpoint, it runs once per decision and takes its"
                " inputs as they are"
            ),
            fix=f"keep {' and '.join(SIDECAR_KEYS)} only",
        )
    return sidecar


def _whole(value: object) -> int | None:
    """Return a scalar integer tensor's value, None for anything else."""
    import torch

    if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_floating_point():
        return int(value.item())
    return None


def _spiking_net(tensors: Tensors) -> tuple[list[tuple[str, str]], str, list[str]]:
    """(linear, neuron) pairs, the last layer, keys without a part in the action."""
    return list(SPIKING_NET), "mu", [key for key in tensors if key.startswith("sigma.")]


def _sequential(tensors: Tensors, where: str) -> tuple[list[tuple[str, str]], str, list[str]]:
    modules: dict[int, set[str]] = {}
    prefixes = set()
    for key in tensors:
        found = re.fullmatch(r"((?:[A-Za-z_]\w*\.)*)([0-9]{1,4})\.(\w+)", key)
        if found is None:
            raise violations(
                where, [f"unknown key {printable(key, 60)} beside Leaky neurons"], fix=FIX
            )
        prefixes.add(found.group(1))
        modules.setdefault(int(found.group(2)), set()).add(found.group(3))
    if len(prefixes) != 1:
        raise violations(where, [f"keys of several networks: {shorten(sorted(prefixes))}"], fix=FIX)
    order = sorted(modules)
    prefix = prefixes.pop()
    kinds = ["neuron" if "beta" in modules[number] else "linear" for number in order]
    if len(order) % 2 == 0 or kinds != ["linear", "neuron"] * (len(order) // 2) + ["linear"]:
        modules_found = ", ".join(f"{n} {kind}" for n, kind in zip(order, kinds, strict=True))
        raise violations(where, [f"modules {modules_found[:200]}"], fix=FIX)
    names = [f"{prefix}{number}" for number in order]
    return list(zip(names[:-1:2], names[1::2], strict=True)), names[-1], []


def _key_problems(
    tensors: Tensors, pairs: list[tuple[str, str]], head: str, ignored: list[str]
) -> list[str]:
    linear = [name for name, _ in pairs] + [head]
    needed = [f"{name}.{part}" for name in linear for part in ("weight", "bias")] + [
        f"{name}.{part}" for _, name in pairs for part in ("threshold", "beta")
    ]
    known = {*needed, *ignored, *(f"{name}.{part}" for _, name in pairs for part in NEURON_PARTS)}
    problems = [f"{name} is missing" for name in needed if name not in tensors]
    problems += [f"unknown key {printable(key, 60)}" for key in tensors if key not in known]
    if any("hidden_layers" in key for key in tensors):
        problems.append("nets with hidden_layers run several passes per decision and are not read")
    for name in linear:
        weight, bias = (tensors.get(f"{name}.{part}") for part in ("weight", "bias"))
        if (
            weight is not None
            and bias is not None
            and (weight.ndim != 2 or 0 in weight.shape or bias.shape != weight.shape[:1])
        ):
            problems.append(
                f"{name} has a weight of shape {weight.shape} and a bias of shape {bias.shape},"
                " (out, in) and (out) expected"
            )
    for linear_name, name in pairs:
        bias = tensors.get(f"{linear_name}.bias")
        for part in ("threshold", "beta", "graded_spikes_factor"):
            value = tensors.get(f"{name}.{part}")
            if value is not None and bias is not None and value.shape not in ((), (1,), bias.shape):
                problems.append(
                    f"{name}.{part} has shape {value.shape}, one number or {bias.shape} expected"
                )
    return problems


def _layers(
    tensors: Tensors, pairs: list[tuple[str, str]], head: str, assumptions: list[str]
) -> tuple[tuple[LeakyLayer, ...], DenseLayer]:
    factor = np.ones(1, np.float32)
    layers = []
    for linear, neuron in pairs:
        bias = tensors[f"{linear}.bias"]
        beta, threshold = (
            np.broadcast_to(tensors[f"{neuron}.{part}"], bias.shape).copy()
            for part in ("beta", "threshold")
        )
        clamped = int(((beta < 0) | (beta > 1)).sum())
        low = int((threshold <= 0).sum())
        if clamped:
            assumptions.append(
                f"{neuron}: {clamped} of {len(beta)} betas are clamped to 0..1, as snnTorch does"
                " when it runs"
            )
        if low:
            assumptions.append(
                f"{neuron}: {low} of {len(beta)} thresholds are zero or negative and are kept"
            )
        layers.append(
            LeakyLayer(tensors[f"{linear}.weight"] * factor, bias, np.clip(beta, 0, 1), threshold)
        )
        factor = np.atleast_1d(
            tensors.get(f"{neuron}.graded_spikes_factor", np.ones(1, np.float32))
        )
    return tuple(layers), DenseLayer(tensors[f"{head}.weight"] * factor, tensors[f"{head}.bias"])
