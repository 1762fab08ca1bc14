"""SDDPG's spiking navigation actor: two raw pickles, `<name>_weights.p` and `<name>_bias.p`.

Each is a list of arrays: weights [out, in] and biases [out] of current-based LIF layers; rate-coded
input in 0..1, output neuron k's rate is action k. Either file may be given, the other is found
beside it. Nothing in them is executed. Source: Tang et al., IROS 2020 (arXiv 2003.01157) and its
published code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.regular_file import FileContent, read_content
from spikeport.toolchain.policies.ann_policy import Provenance
from spikeport.toolchain.policies.spiking_policy import SpikingLayer, SpikingPolicy
from spikeport.toolchain.readers.facts.action_reader import environment_bounds
from spikeport.toolchain.readers.facts.sidecar import PAIR, Sidecar, read_sidecar
from spikeport.toolchain.readers.facts.spiking_facts import assumed_timesteps, refuse_activation
from spikeport.toolchain.readers.pickles.restricted_pickle import (
    NUMPY,
    PickleKind,
    load_records,
    to_float64,
)
from spikeport.toolchain.readers.reader import Reader
from spikeport.toolchain.readers.reading_options import ReadOptions
from spikeport.toolchain.readers.torch.population_actor import CURRENT_KEEP, VOLTAGE_KEEP

LAYERS = 64
FIX = "give both files as they were saved, NAME_weights.p beside NAME_bias.p"
PICKLE = PickleKind(NUMPY, "a list of numeric arrays", (FIX,))


def is_sddpg(content: FileContent) -> bool:
    """Tell whether a raw pickle has one of the two names; every other pickle is refused."""
    return content.data[:1] == b"\x80" and content.name.endswith(PAIR)


def read_sddpg(content: FileContent, options: ReadOptions) -> SpikingPolicy:
    """Read the spiking policy of both files.

    InputError for a missing sibling and whatever does not fit.
    """
    refuse_activation(options, content.name)
    files = _both_files(content)
    weights, biases = (_arrays(file) for file in files)
    problems = _pair_problems(weights, biases)
    if problems:
        raise violations(content.name, problems, fix=FIX)
    sidecar = read_sidecar(content.path)
    assumptions = [f"biases from {files[1].name} (SHA-256 {files[1].sha256[:16]}...)"]
    _check_sidecar(sidecar)
    neuron = sidecar.neuron or "clif"
    if sidecar.neuron is None:
        assumptions.append("assumed by family: clif neurons, threshold 0.5 (SDDPG reference code)")
    timesteps = assumed_timesteps(sidecar, assumptions, "SDDPG reference code")
    assumptions.append(
        "assumed by family: rate coding of observations in 0..1, here by a deterministic soft-reset"
        " neuron instead of Poisson spikes"
    )
    _check_observation(options, weights, content.name)
    keep = {"clif": CURRENT_KEEP}.get(neuron, 0.0)
    layers = tuple(
        SpikingLayer(w, b, neuron, keep, VOLTAGE_KEEP) for w, b in zip(weights, biases, strict=True)
    )
    actions = weights[-1].shape[0]
    return SpikingPolicy(
        layers,
        timesteps,
        ObservationContract(weights[0].shape[1]),
        _action(actions, options, sidecar, content.name),
        Provenance(
            files[0].name,
            files[0].sha256,
            "sddpg-pickles",
            "SDDPG",
            tuple(assumptions + _bounds_note(options)),
        ),
        np.ones((actions, 1), np.float32),
        np.zeros(actions, np.float32),
        transform=sidecar.observation or "none",
        environment=sidecar.environment or "",
    )


def _both_files(content: FileContent) -> list[FileContent]:
    """Return the weights' file and the biases' file, of which `content` is one."""
    end = next(end for end in PAIR if content.name.endswith(end))
    base = content.path.with_name(content.name.removesuffix(end))
    other = base.with_name(base.name + PAIR[end == PAIR[0]])
    if not other.is_file():
        raise InputError(
            content.name,
            f"its sibling {other.name} is missing",
            why="weights and biases are two files",
            fix=FIX,
        )
    return [content if end == name else read_content(other) for name in PAIR]


def _check_sidecar(sidecar: Sidecar) -> None:
    if (
        sidecar.neuron not in (None, "lif", "clif")
        or sidecar.encoder not in (None, "rate")
        or sidecar.observation not in (None, "none", "tanh")
    ):
        raise InputError(
            sidecar.file,
            "an SDDPG actor cannot be read that way",
            got=(
                f"neuron {sidecar.neuron}, encoder {sidecar.encoder}, observation"
                f" {sidecar.observation}"
            ),
            limit="lif or clif, rate, none or tanh",
            fix="correct the sidecar",
        )


def _check_observation(
    options: ReadOptions, weights: list[NDArray[np.float32]], where: str
) -> None:
    size = options.environment.observation_size
    if size is not None and size != weights[0].shape[1]:
        raise InputError(
            where,
            "the policy's observations do not fit",
            got=f"{weights[0].shape[1]} inputs",
            limit=f"{size} channels",
            fix=FIX,
        )
    if options.normalizer is not None and str(options.normalizer) != "none":
        raise InputError(
            where,
            "SDDPG observations have no normaliser",
            got=f"--normalizer {options.normalizer}",
            fix="leave --normalizer out",
        )


def _arrays(file: FileContent) -> list[NDArray[np.float32]]:
    parts = load_records(file.data, file.name, PICKLE)
    if not isinstance(parts, list) or not 1 <= len(parts) <= LAYERS:
        if isinstance(parts, list):
            got = f"{len(parts)} entries"
        else:
            got = type(parts).__name__
        raise InputError(
            file.name, "not a list of arrays", got=got, limit=f"1..{LAYERS} arrays", fix=FIX
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused as such
        arrays = [
            to_float64(part, file.name, f"array {index}", FIX).astype(np.float32)
            for index, part in enumerate(parts)
        ]
    if file.name.endswith(PAIR[0]):
        wanted = 2
    else:
        wanted = 1
    problems = [
        f"array {index} has shape {a.shape}, {wanted} axes expected"
        for index, a in enumerate(arrays)
        if a.ndim != wanted or 0 in a.shape
    ]
    if problems:
        raise violations(file.name, problems, fix=FIX)
    return arrays


def _pair_problems(
    weights: list[NDArray[np.float32]], biases: list[NDArray[np.float32]]
) -> list[str]:
    """Return where the two lists are not a chain of layers."""
    if len(weights) == len(biases):
        problems = []
    else:
        problems = [f"{len(weights)} weights and {len(biases)} biases"]
    for index, weight in enumerate(weights):
        if index and weight.shape[1] != len(weights[index - 1]):
            problems.append(
                f"layer {index} has a weight of shape {weight.shape} where"
                f" {len(weights[index - 1])} inputs arrive"
            )
        if index < len(biases) and len(biases[index]) != len(weight):
            problems.append(
                f"layer {index} has a bias of shape {biases[index].shape} for {len(weight)} outputs"
            )
    for name, arrays in (("weight", weights), ("bias", biases)):
        problems += [
            f"layer {index} {name} has non-finite values"
            for index, values in enumerate(arrays)
            if not np.isfinite(values).all()
        ]
    return problems


def _bounds_note(options: ReadOptions) -> list[str]:
    if options.environment.bounds is None:
        return []
    return ["assumed by family: a rate of 0 is an action's lower bound, of 1 its upper one"]


def _action(size: int, options: ReadOptions, sidecar: Sidecar, where: str) -> ActionContract:
    """Rates as they are, or spread over the bounds or over 0..limit where these are given."""
    if options.squash not in (None, "none"):
        raise InputError(
            where,
            "an SDDPG action is a rate",
            got=f"--squash {options.squash}",
            limit="none",
            fix="leave --squash out",
        )
    bounds = environment_bounds(size, options.environment, where)
    if bounds is not None:
        return ActionContract(size, "none", bounds[1] - bounds[0], bounds[0])
    if options.action_limit is not None:
        limit = options.action_limit
    else:
        limit = sidecar.action_limit
    if limit is None:
        scale = np.ones(size)
    else:
        scale = np.broadcast_to(np.asarray(limit, np.float64), (size,)).copy()
    return ActionContract(size, "none", scale, np.zeros(size))


READER = Reader("an SDDPG actor's two pickles", is_sddpg, read_sddpg)
