"""A float policy of leaky neurons to an integer network of `leaky@1`.

Each row has one scale s = max|W| / (2^(B-1) - 1); weights round(W / s), and in units of s / 2^shift
the bias, the threshold and the membrane. The shift of a layer is the largest of 0..6 that leaves
the membrane an eighth-full 24-bit range on any input; beta becomes round(4096 beta). The encoder's
steps are as fine as the first layer's range allows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.assemble import artifact_of, common_recipe
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.conversion.schemes.trained_lif import OPTION_NAMES
from spikeport.toolchain.conversion.states import Calibration, from_arrays, from_environment
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.network.integer_network import READOUT, Encoder, Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT, Leak
from spikeport.toolchain.neurons import Leaky, network_of
from spikeport.toolchain.neurons.leaky import KEEP_UNITS, LARGEST_SHIFT
from spikeport.toolchain.policies.ann_policy import DenseLayer
from spikeport.toolchain.policies.leaky_policy import LeakyLayer, LeakyPolicy
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend

Float = NDArray[np.float64]
HEADROOM = 2.0  # of the calibrated input range
ROOM = 8  # synaptic sums may fill this part of the range: the membrane adds them up
STEPS = np.geomspace(2**12, 2**4, 17)  # of the widest channel


def leaky_network(policy: LeakyPolicy, inputs: Float, bits: int) -> Network:
    """`inputs` [N, features] are network inputs on calibration states.

    Raises InputError where a row fits no scale.
    """
    span = np.abs(inputs).max(0)
    span = HEADROOM * np.where(
        span > 0, span, float(np.median(span[span > 0])) if (span > 0).any() else 1.0
    )
    encoder = _encoder(policy.hidden[0], span, bits)
    layers: list[Layer] = []
    unit = encoder.scale
    largest = encoder.limit.astype(np.int64)
    for index, layer in enumerate(policy.hidden):
        layers.append(
            _hidden(
                layer,
                unit,
                largest,
                bits,
                hold_input=index == 0,
                where=f"{policy.provenance.file}, layer {index}",
            )
        )
        unit = np.ones(layer.outputs)
        largest = np.ones(layer.outputs, np.int64)
    return network_of(encoder, (*layers, _readout(policy.readout, bits)), timesteps=1)


def _encoder(layer: LeakyLayer, span: Float, bits: int) -> Encoder:
    for steps in STEPS:
        scale = span / steps
        limit = np.maximum(np.ceil(span / scale), 1).astype(np.int64)
        weights, _ = _rows(layer.weight * scale, layer.bias, bits)
        if (np.abs(weights) @ limit).max() <= STATE_LIMIT // ROOM:
            break
    return Encoder(scale, limit.astype(np.int32))


def _rows(
    real: NDArray[np.floating], bias: NDArray[np.floating], bits: int
) -> tuple[NDArray[np.int64], Float]:
    """Integer weights and the scale of each row; a row without weights is scaled by its bias."""
    top = np.abs(real).max(1).astype(np.float64)
    top = np.where(top > 0, top, np.maximum(np.abs(bias), 1e-6))
    scale = top / (2 ** (bits - 1) - 1)
    return np.rint(real / scale[:, None]).astype(np.int64), scale


def _hidden(
    layer: LeakyLayer,
    unit: Float,
    largest: NDArray[np.int64],
    bits: int,
    hold_input: bool,
    where: str,
) -> Layer:
    weights, scale = _rows(layer.weight * unit, layer.bias, bits)
    sums = np.abs(weights) @ largest
    for shift in range(LARGEST_SHIFT, -1, -1):
        bias, threshold = (
            np.rint(values / scale * 2**shift) for values in (layer.bias, layer.threshold)
        )
        reach = (sums << shift) + np.abs(bias)
        if max(reach.max(), np.abs(threshold).max()) <= STATE_LIMIT // (ROOM if shift else 1):
            break
    else:
        got = (
            "bias or threshold up to"
            f" {max(np.abs(layer.bias).max(), np.abs(layer.threshold).max()):g} beside weights of"
            f" {np.abs(layer.weight).max():g}"
        )
        raise InputError(
            where,
            "does not fit 24 bits",
            got=got,
            limit=STATE_LIMIT,
            fix=("--weight-bits with fewer bits", "prune such rows before training on"),
        )
    rows = len(weights)
    return Layer(
        neuron=Leaky.id,
        weights=weights.astype(np.int8),
        bias=bias.astype(np.int32),
        row_scale=scale,
        threshold=threshold.astype(np.int32),
        payload_low=np.zeros(rows, np.int32),
        payload_high=np.ones(rows, np.int32),
        unit=np.ones(rows),
        activation="identity",
        hold_input=hold_input,
        leak=Leak(np.rint(KEEP_UNITS * np.clip(layer.beta, 0, 1)).astype(np.int32), shift),
    )


def _readout(layer: DenseLayer, bits: int) -> Layer:
    weights, scale = _rows(layer.weight, layer.bias, bits)
    nothing = np.zeros(len(weights), np.int32)
    bias = np.rint(layer.bias / scale).astype(np.int32)
    return Layer(
        READOUT,
        weights.astype(np.int8),
        bias,
        scale,
        nothing,
        nothing,
        nothing,
        scale,
        activation="identity",
    )


STATES = 2000  # in order, that spikes and the action error are counted on


def refuse_meaningless(policy: LeakyPolicy, options: ConversionOptions) -> None:
    """Raise InputError naming every option that a network with its own neurons has no use for."""
    plain = ConversionOptions(neuron="leaky")
    problems = [
        f"{option} {getattr(options, name)}"
        for name, option in OPTION_NAMES.items()
        if getattr(options, name) != getattr(plain, name)
    ]
    if options.neuron != "leaky":
        problems.append(f"--neuron {options.neuron}")
    if problems:
        why = (
            "snnTorch's leaky neurons run once per decision, with the decays and thresholds that"
            " they were trained with"
        )
        raise violations(
            policy.provenance.file,
            [f"{problem} has no meaning here" for problem in problems],
            why=why,
            fix="leave it away",
        )


def convert_leaky_policy(
    policy: LeakyPolicy,
    options: ConversionOptions,
    environment: str | None,
    observations: NDArray[Any] | None,
    starts: NDArray[Any] | None,
    steps: int,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> Artifact:
    """Convert on the states that the float policy visits in an environment, or on recorded ones in
    order.
    """
    refuse_meaningless(policy, options)
    if environment is None:
        if observations is None:
            raise InputError(
                "convert",
                "the encoder's range comes from the policy's own states",
                fix=("--env ID", "--observations FILE.npy"),
            )
        return convert_leaky(
            policy,
            from_arrays(np.asarray(observations), starts, policy.observation.size),
            None,
            options,
            seed,
        )
    env = gymnasium_bridge.make(environment, trusted=True)
    try:
        calibration = from_environment(
            policy, env, steps, seed, lambda done: progress("calibrate", done, steps)
        )
        return convert_leaky(
            policy, calibration, gymnasium_bridge.record(env, environment), options, seed
        )
    finally:
        env.close()


def convert_leaky(
    policy: LeakyPolicy,
    calibration: Calibration,
    environment: EnvironmentRecord | None,
    options: ConversionOptions,
    seed: int = 0,
) -> Artifact:
    """The artifact of a leaky policy.

    Raises InputError for options without meaning and rows that fit no scale.
    """
    refuse_meaningless(policy, options)
    inputs = policy.observation.apply(calibration.observations, calibration.decisions)
    network = leaky_network(policy, inputs, options.weight_bits)
    recipe = common_recipe(calibration, network, seed) | {
        "weight_bits": options.weight_bits,
        "alpha": 0.0,
        "action_error": None,
        "pruned": False,
    }
    artifact = artifact_of(policy, network, calibration, recipe, environment, options.keep_source)
    rows = calibration.observations[:STATES]
    decisions = calibration.decisions[:STATES]
    with FastBackend(artifact) as backend:
        trace = backend.trace(rows, (decisions == 0).astype(np.int64))
    difference = (trace.actions - policy.act(rows, decisions)) / (policy.action.range / 2)
    silent = [int((~layer.payloads.any(axis=(0, 1))).sum()) for layer in trace.layers[:-1]]
    error = float(np.sqrt((difference**2).sum(1).mean()))
    return dataclasses.replace(
        artifact, calibration=recipe | {"silent_neurons": silent, "measured_action_error": error}
    )
