"""A NIR graph of somebody else's as a spiking policy.

NIR's equations are continuous, so a file alone does not say what a time step does. What it leaves
open must be declared in the sidecar `<stem>.spikeport.json`; nothing is guessed:

    timesteps      T of a decision
    encoder        rate: observations become spikes by soft-reset neurons
        (toolchain/network/codes.py)
    observation    none | tanh, before the encoder
    nir            {dt: seconds per timestep,
                    integration: euler | exponential,
                    reset: zero                          a spike sets the membrane to v_reset = 0 in
                        its own timestep
                    state: reset                         all state is zero at a decision's start
                    layer_delay: 0,
                    update_order: current_first}         CubaLIF: the membrane sees the current of
                        its own timestep

With k = 1 - dt / tau (euler) or exp(-dt / tau) (exponential), each neuron of a layer keeping the
same k,

    LIF      V <- k V + (1 - k) r x        IF   V <- V + dt r x
    CubaLIF  I <- k_syn I + (1 - k_syn) w_in x;  V <- k_mem V + (1 - k_mem) r I

A row's factors and its threshold are folded into its weights, so that every threshold is 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError, did_you_mean, violations
from spikeport.toolchain.files.hdf5 import read_hdf5
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.spiking_policy import SpikingLayer, SpikingPolicy
from spikeport.toolchain.readers.containers import hdf5_groups
from spikeport.toolchain.readers.facts.declared_policy import declared_policy, refuse_rates_options
from spikeport.toolchain.readers.facts.sidecar import (
    Sidecar,
    read_sidecar,
    sidecar_path,
    undeclared,
)
from spikeport.toolchain.readers.nir.nir_chain import (
    LINEAR_KINDS,
    NEURON_KINDS,
    ChainNode,
    chain_of,
    graph_of,
    metadata_entry,
)
from spikeport.toolchain.readers.reader import Reader
from spikeport.toolchain.readers.reading_options import ReadOptions

Float = NDArray[np.float64]
DECLARED = {
    "integration": ("euler", "exponential"),
    "reset": ("zero",),
    "state": ("reset",),
    "layer_delay": (0,),
    "update_order": ("current_first",),
}
ONE_K = 1e-6  # decays of one layer that differ by less are one: float32 time constants


def read_nir_policy(content: FileContent, options: ReadOptions) -> SpikingPolicy:
    """Read the policy of a NIR file.

    Raises InputError for nodes, edges and shapes that are not a chain of dense layers and neurons,
    and, all at once, for what nobody declared.
    """
    where = content.name
    graph = graph_of(read_hdf5(content.data, where), where)
    if metadata_entry(graph, "spikeport") is not None:
        raise InputError(
            where,
            "holds a finished artifact, not a policy to convert",
            fix=("`spikeport convert FILE -o ARTIFACT` alone", "spikeport.load_nir(FILE)"),
        )
    chain = chain_of(graph, where)
    sidecar = read_sidecar(content.path)
    refuse_rates_options(options, "NIR", where)
    declared = _declared(chain, sidecar, options, content)
    pairs, decoder = _layers(chain, where)
    problems: list[str] = []
    layers = [_spiking_layer(linear, neuron, declared, problems) for linear, neuron in pairs]
    if problems:
        raise violations(
            where,
            problems,
            why="lif has one decay per layer, resets to zero and fires above a positive threshold",
            fix="retrain these layers",
        )
    made = [layer for layer in layers if layer is not None]
    declares = "the discrete-time semantics"
    return declared_policy(
        made,
        _decoder(decoder, pairs[-1][1], where),
        sidecar,
        options,
        content,
        kind=("nir", "NIR"),
        declares=declares,
    )


def _declared(
    chain: tuple[ChainNode, ...], sidecar: Sidecar, options: ReadOptions, content: FileContent
) -> dict[str, Any]:
    """Return the sidecar's `nir`, or raise InputError with all that is missing or cannot be run."""
    facts = dict(sidecar.nir or {})
    wanted = {
        name: choices
        for name, choices in DECLARED.items()
        if name != "update_order" or any(node.kind == "CubaLIF" for node in chain)
    }
    problems = [
        f"unknown nir key {str(name)[:40]!r} {did_you_mean(str(name), ('dt', *DECLARED))}".rstrip()
        for name in facts
        if name not in ("dt", *DECLARED)
    ]
    problems += undeclared(sidecar, options.squash)
    dt = facts.get("dt")
    if dt is None:
        problems.append("nir.dt is not declared (seconds per timestep)")
    elif isinstance(dt, bool) or not isinstance(dt, int | float) or not 0 < dt < 1e9:
        problems.append(f"nir.dt is {str(dt)[:40]}, a positive number expected")
    for name, choices in wanted.items():
        value = facts.get(name)
        if value is None:
            problems.append(f"nir.{name} is not declared ({' or '.join(map(str, choices))})")
        elif value not in choices or isinstance(value, bool):
            problems.append(
                f"nir.{name} is {str(value)[:40]}, which no integer neuron runs;"
                f" {' or '.join(map(str, choices))} can be"
            )
    if problems:
        raise violations(
            content.name,
            problems,
            why=(
                "NIR's equations leave the time step's semantics to the simulator, and a guess"
                " would be another network"
            ),
            fix=f"declare them in {sidecar_path(content.path).name} (docs/nir.md)",
        )
    return facts


def _layers(
    chain: tuple[ChainNode, ...], where: str
) -> tuple[list[tuple[ChainNode, ChainNode]], ChainNode | None]:
    """Return dense layers with the neurons behind them, and the dense layer at the end, or None."""
    kinds = [node.kind in LINEAR_KINDS for node in chain]
    problems = [
        f"{b.name} ({b.kind}) follows {a.name} ({a.kind})"
        for a, b in zip(chain, chain[1:], strict=False)
        if (a.kind in LINEAR_KINDS) == (b.kind in LINEAR_KINDS)
    ]
    if not chain or not kinds[0] or not any(node.kind in NEURON_KINDS for node in chain):
        problems.append("the chain does not begin with a dense layer and neurons")
    width = None
    for node in chain:
        if node.kind in LINEAR_KINDS:
            shape = node.parameters["weight"].shape
        else:
            shape = (len(node.parameters["v_threshold"]),) * 2
        if width is not None and shape[1] != width:
            problems.append(f"{node.name} takes {shape[1]} inputs where {width} arrive")
        width = shape[0]
    if problems:
        raise violations(where, problems, fix="export dense layers and neurons in turn")
    pairs = [(chain[index], chain[index + 1]) for index in range(0, len(chain) - 1, 2)]
    return pairs, chain[-1] if kinds[-1] else None


def _spiking_layer(
    linear: ChainNode, neuron: ChainNode, declared: dict[str, Any], problems: list[str]
) -> SpikingLayer | None:
    parameters = neuron.parameters
    dt = float(declared["dt"])
    found = [
        f"{name} is not zero"
        for name in ("v_reset", "v_leak")
        if name in parameters and (parameters[name] != 0).any()
    ]
    if (parameters["v_threshold"] <= 0).any():
        found.append(f"{int((parameters['v_threshold'] <= 0).sum())} thresholds are not positive")
    keeps: dict[str, float] = {}
    for name in ("tau", "tau_mem", "tau_syn"):
        if name not in parameters:
            continue
        tau = parameters[name]
        if (tau <= 0).any() or (
            declared["integration"] == "euler" and (tau < dt * (1 - ONE_K)).any()
        ):
            found.append(
                f"{name} has values at or below"
                f" {'dt' if declared['integration'] == 'euler' else '0'}"
            )
            continue
        if declared["integration"] == "euler":
            kept = np.maximum(1 - dt / tau, 0)
        else:
            kept = np.exp(-dt / tau)
        if np.ptp(kept) > ONE_K:
            found.append(f"{name} differs from neuron to neuron")
        keeps[name] = float(kept[0])
    problems += [f"{neuron.name} ({neuron.kind}): {problem}" for problem in found]
    if found:
        return None
    if neuron.kind == "IF":
        gain = dt * parameters["r"]
    else:
        gain = (1 - keeps.get("tau", keeps.get("tau_mem", 0.0))) * parameters["r"]
    if neuron.kind == "CubaLIF":
        gain = gain * (1 - keeps["tau_syn"]) * parameters["w_in"]
    gain = (gain / parameters["v_threshold"])[:, None]
    weight = linear.parameters["weight"] * gain
    bias = linear.parameters["bias"] * gain[:, 0]
    if neuron.kind == "IF":
        kept = 1.0
    else:
        kept = keeps.get("tau", keeps.get("tau_mem", 0.0))
    return SpikingLayer(
        weight.astype(np.float32),
        bias.astype(np.float32),
        "clif" if neuron.kind == "CubaLIF" else "lif",
        keeps.get("tau_syn", 0.0),
        kept,
        1.0,
    )


def _decoder(linear: ChainNode | None, last: ChainNode, where: str) -> tuple[Float, Float]:
    """Return decoder weights [act, P] and bias [act].

    They are the rates themselves, or a dense layer that reads one group of P neurons per action.
    """
    neurons = len(last.parameters["v_threshold"])
    if linear is None:
        return np.ones((neurons, 1)), np.zeros(neurons)
    weight = linear.parameters["weight"]
    actions = len(weight)
    if neurons % actions == 0:
        blocks = weight.reshape(actions, actions, -1)
    else:
        blocks = None
    if blocks is None or (blocks[~np.eye(actions, dtype=bool)] != 0).any():
        raise InputError(
            where,
            f"{linear.name} reads the same neurons for several actions",
            got=f"weight {weight.shape}",
            limit="one group of neurons per action, the others' weights zero",
            why="the decoder of lif counts each action's own neurons",
            fix=(
                "end the graph with one neuron per action",
                "a population per action, as PopSAN has",
            ),
        )
    return blocks[np.arange(actions), np.arange(actions)], linear.parameters["bias"]


def is_nir(content: FileContent) -> bool:
    """Tell whether an HDF5 file has the group of a NIR graph and not that of a netx network."""
    groups = hdf5_groups(content)
    return "node" in groups and "layer" not in groups


READER = Reader("a NIR graph", is_nir, read_nir_policy)
