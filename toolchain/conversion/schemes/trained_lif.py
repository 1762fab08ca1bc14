"""A float spiking policy to an integer network of `lif@1`.

Per layer one scale s = max(|W|, |b|) / (2^(B-1) - 1), |b| where it is a synapse (clif); below 8
bits the scale with the least squared error. Weights round(W / s), threshold round(2^e * threshold /
s): e, the weights' common exponent, is the largest that the range proof and the registers of a
stock LIF allow, so the threshold is finer than a weight.
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
from spikeport.toolchain.conversion.states import Calibration, from_arrays, from_environment, subset
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.network.codes import ENCODER_THRESHOLD, ENCODER_UNITS, SpikeCoding
from spikeport.toolchain.network.integer_network import Encoder, Layer, Network
from spikeport.toolchain.network.parameters import (
    ACT_SHIFT,
    LARGEST_EXPONENT,
    LARGEST_MANTISSA,
    LARGEST_THRESHOLD,
    LARGEST_WEIGHT_EXPONENT,
    STATE_LIMIT,
    Dynamics,
)
from spikeport.toolchain.neurons import LeakyIntegrateAndFire, network_of
from spikeport.toolchain.neurons.leaky_integrate_and_fire import bound_membrane
from spikeport.toolchain.policies.spiking_policy import SLAYER_SCALE, SpikingLayer, SpikingPolicy
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend

Float = NDArray[np.float64]
SCALES = np.linspace(1.0, 0.4, 61)  # shares of the largest weight tried as the scale's reach


def spiking_network(policy: SpikingPolicy, bits: int) -> Network:
    """The network with weights of `bits` bits.

    Raises InputError for neurons or layers that a stock LIF cannot run.
    """
    refuse_foreign_neurons(policy)
    inputs = policy.layers[0].inputs
    steps = policy.timesteps + len(policy.layers)
    encoder = Encoder(
        np.full(inputs, 1.0 / ENCODER_UNITS), np.full(inputs, ENCODER_UNITS, np.int32)
    )
    layers = tuple(
        _integers(layer, bits, steps, f"{policy.provenance.file}, layer {index}")
        for index, layer in enumerate(policy.layers)
    )
    return network_of(encoder, layers, policy.timesteps, spike_coding=spike_coding(policy))


def spike_coding(policy: SpikingPolicy) -> SpikeCoding:
    """The host's part of a spiking policy, float64."""
    if policy.mean is None or policy.std is None:
        ends = None
    else:
        ends = (policy.mean.astype(np.float64), policy.std.astype(np.float64))
    weights = policy.decoder_weight.astype(np.float64)
    bias = policy.decoder_bias.astype(np.float64)
    return SpikeCoding(
        round(ENCODER_THRESHOLD * ENCODER_UNITS),
        weights,
        bias,
        policy.transform,
        *(ends or (None, None)),
    )


def refuse_foreign_neurons(policy: SpikingPolicy) -> None:
    """Raise InputError where the neurons are no current-based LIF."""
    foreign = [
        f"layer {index} is {layer.neuron}"
        for index, layer in enumerate(policy.layers)
        if layer.neuron not in ("lif", "clif", "plif", "cuba")
    ]
    if foreign:
        raise InputError(
            policy.provenance.file,
            f"a stock LIF process cannot run this neuron: {', '.join(foreign)}",
            limit="lif, clif, plif",
            why=(
                "the membrane of dn grows with its own square, and Loihi's current-based neuron is"
                " linear; Loihi 2 microcode could run it"
            ),
            fix=(
                "train with lif, clif or plif neurons",
                "spikeport.load_policy(FILE).act() to run it in float arithmetic",
            ),
        )


def _integers(layer: SpikingLayer, bits: int, steps: int, where: str) -> Layer:
    if layer.neuron == "cuba":
        return cuba_layer(layer, where)
    return quantise_layer(layer, bits, steps, where)


def quantise_layer(layer: SpikingLayer, bits: int, steps: int, where: str) -> Layer:
    """One layer in integers; `steps` pass between two resets."""
    in_current = layer.current_keep > 0
    largest = 2 ** (bits - 1) - 1
    if in_current:
        values = np.concatenate([layer.weight, layer.bias[:, None]], axis=1).astype(np.float64)
    else:
        values = layer.weight.astype(np.float64)
    scale = _scale(values, largest, bits)
    rounded = np.clip(np.rint(values / scale), -largest, largest).astype(np.int64)
    if in_current:
        weights = rounded[:, :-1]
    else:
        weights = rounded
    for exponent in range(LARGEST_WEIGHT_EXPONENT, -1, -1):
        unit = scale / 2**exponent
        dynamics = Dynamics(
            round(4095 - 4096 * layer.current_keep),
            round(4096 * (1 - layer.voltage_keep)),
            exponent,
            in_current,
        )
        threshold = max(round(layer.threshold / unit), 1)
        if in_current:
            bias = rounded[:, -1]
        else:
            bias = _voltage_bias(layer.bias.astype(np.float64) / unit * 2**ACT_SHIFT)
        if bias is None or threshold > (LARGEST_MANTISSA - 1 if in_current else LARGEST_THRESHOLD):
            continue
        u, v = bound_membrane(weights, bias, dynamics, steps)
        if max(u.max(), v.max()) <= STATE_LIMIT:
            return _layer(weights, bias, scale, threshold, dynamics)
    raise InputError(
        where,
        "does not fit the registers of a stock LIF",
        got=(
            f"largest weight {np.abs(values).max():g}, threshold {layer.threshold:g},"
            f" {weights.shape[1]} inputs"
        ),
        limit=(
            f"threshold {LARGEST_MANTISSA - 1} (clif) or {LARGEST_THRESHOLD}, bias"
            f" {LARGEST_MANTISSA} << {LARGEST_EXPONENT}, current and membrane 2^23"
        ),
        why="one layer has one scale, which its largest weight sets",
        fix=(
            "--weight-bits with fewer bits",
            "a policy whose weights are not so small against its threshold",
        ),
    )


def _scale(values: Float, largest: int, bits: int) -> float:
    top = float(np.abs(values).max(initial=0)) or 1.0
    if bits == 8:
        return top / largest
    candidates = top * SCALES / largest
    errors = [
        float(((np.clip(np.rint(values / scale), -largest, largest) * scale - values) ** 2).sum())
        for scale in candidates
    ]
    return float(candidates[int(np.argmin(errors))])


def _voltage_bias(values: Float) -> NDArray[np.int64] | None:
    """Biases as a mantissa of 13 bits times one power of two, None where they are too large. Whole
    units of the threshold, 2^6 in the membrane, are fine enough, and netx has no finer ones.
    """
    for exponent in range(ACT_SHIFT, LARGEST_EXPONENT + 1):
        mantissa = np.rint(values / 2**exponent)
        if (np.abs(mantissa) <= LARGEST_MANTISSA).all():
            return mantissa.astype(np.int64) << exponent
    return None


def _layer(
    weights: NDArray[np.int64],
    bias: NDArray[np.int64],
    scale: float,
    threshold: int,
    dynamics: Dynamics,
) -> Layer:
    rows = len(weights)
    return Layer(
        neuron=LeakyIntegrateAndFire.id,
        weights=weights.astype(np.int8),
        bias=bias.astype(np.int32),
        row_scale=np.full(rows, scale),
        threshold=np.full(rows, threshold, np.int32),
        payload_low=np.zeros(rows, np.int32),
        payload_high=np.ones(rows, np.int32),
        unit=np.ones(rows),
        activation="identity",
        dynamics=dynamics,
    )


LARGEST = 127


def cuba_layer(layer: SpikingLayer, where: str) -> Layer:
    """The layer's integers.

    Raises InputError where they are no whole numbers or do not fit 8 symmetric bits and a common
    power of two.
    """
    scaled = {
        "weight": layer.weight * np.float64(SLAYER_SCALE),
        "bias": layer.bias * np.float64(SLAYER_SCALE),
    }
    registers = {
        "threshold": layer.threshold * SLAYER_SCALE,
        "current_keep": layer.current_keep * 4096,
        "voltage_keep": layer.voltage_keep * 4096,
    }
    problems = [
        f"{name} is no multiple of 1/{SLAYER_SCALE}"
        for name, value in scaled.items()
        if (value != np.rint(value)).any()
    ]
    problems += [
        f"{name} is {value:g} steps, a whole number expected"
        for name, value in registers.items()
        if value != int(value)
    ]
    weights = scaled["weight"].astype(np.int64)
    exponent = 0
    while (
        exponent < LARGEST_WEIGHT_EXPONENT
        and np.abs(weights).max() > LARGEST
        and not (weights % 2).any()
    ):
        weights = weights // 2
        exponent = exponent + 1
    if not problems and (beyond := int((np.abs(weights) > LARGEST).sum())):
        problems.append(
            f"{beyond} weights exceed {LARGEST} << {exponent}, and {int((weights % 2 != 0).sum())}"
            " are odd multiples of it"
        )
    if problems:
        fix = ("clamp the weights above -4 in training (-256 in the file)", "export them again")
        raise violations(
            where,
            problems,
            why="integers are kept as they are, in symmetric 8 bits times a power of two",
            fix=fix,
        )
    rows = layer.outputs
    return Layer(
        neuron=LeakyIntegrateAndFire.id,
        weights=weights.astype(np.int8),
        bias=(scaled["bias"].astype(np.int64) << ACT_SHIFT).astype(np.int32),
        row_scale=np.full(rows, 2.0**exponent / SLAYER_SCALE),
        threshold=np.full(rows, int(registers["threshold"]), np.int32),
        payload_low=np.zeros(rows, np.int32),
        payload_high=np.ones(rows, np.int32),
        unit=np.ones(rows),
        activation="identity",
        dynamics=Dynamics(
            4095 - int(registers["current_keep"]), 4096 - int(registers["voltage_keep"]), exponent
        ),
    )


STATES = 2000  # that silent neurons and the action error are counted on


SYNTHETIC = 1000


OPTION_NAMES = {
    "timesteps": "--timesteps", "alpha": "--alpha", "action_error": "--action-error", "error_shares": "--error-shares", "triggers": "--triggers",
    "allocation": "--allocation", "thrift": "--thrift", "resync_every": "--resync-every", "prune_dead": "--prune-dead", "finetune": "--finetune",
}  # fmt: skip


def refuse_meaningless(policy: SpikingPolicy, options: ConversionOptions) -> None:
    """Raise InputError naming every option that an already spiking policy has no use for."""
    plain = ConversionOptions(neuron="lif")
    problems = []
    for name, option in OPTION_NAMES.items():
        value = getattr(options, name)
        if value == getattr(plain, name) or (name == "timesteps" and value == policy.timesteps):
            continue
        if name == "timesteps":
            reason = f"the checkpoint was trained with T = {policy.timesteps}"
        else:
            reason = "it belongs to the conversion of an ANN"
        problems.append(f"{option} {value}: {reason}")
    if policy.neuron == "cuba" and options.weight_bits != plain.weight_bits:
        problems.append(
            f"--weight-bits {options.weight_bits}: the file's integers are kept as they are"
        )
    if options.neuron != "lif":
        problems.append(
            f"--neuron {options.neuron}: the checkpoint has {policy.neuron} neurons, which run"
            " as lif"
        )
    if problems:
        fix = (
            "leave them away",
            "say another T in the checkpoint's sidecar, if it was trained with it",
        )
        raise violations(
            policy.provenance.file,
            problems,
            why="a spiking checkpoint keeps its own neurons and timesteps",
            fix=fix,
        )


def convert_spiking(
    policy: SpikingPolicy,
    calibration: Calibration,
    environment: EnvironmentRecord | None,
    options: ConversionOptions,
    seed: int = 0,
) -> Artifact:
    """The artifact of a spiking policy.

    Raises InputError for neurons that are no current-based LIF and options without meaning.
    """
    refuse_meaningless(policy, options)
    network = spiking_network(policy, options.weight_bits)
    rows = subset(len(calibration.starts), STATES)
    states = calibration.observations[rows]
    decisions = calibration.decisions[rows]
    counts = policy.counts(policy.observation.apply(states, decisions).astype(np.float32))
    recipe = common_recipe(calibration, network, seed) | {
        "trained_neuron": policy.neuron,
        "weight_bits": options.weight_bits,
        "alpha": 0.0,
        "action_error": None,
        "silent_neurons": [int((count.sum(0) == 0).sum()) for count in counts[1:]],
        "pruned": False,
    }
    artifact = artifact_of(policy, network, calibration, recipe, environment, options.keep_source)
    with FastBackend(artifact) as backend:
        difference = backend.trace(states, np.ones(len(states), np.int64)).actions - policy.act(
            states, decisions
        )
    error = float(np.sqrt(((difference / (policy.action.range / 2)) ** 2).sum(1).mean()))
    return dataclasses.replace(artifact, calibration=recipe | {"measured_action_error": error})


def convert_spiking_policy(
    policy: SpikingPolicy,
    options: ConversionOptions,
    environment: str | None,
    observations: NDArray[Any] | None,
    starts: NDArray[Any] | None,
    steps: int,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> Artifact:
    """Convert on the states of an environment that the user named, on recorded ones, or on
    synthetic rates.
    """
    refuse_meaningless(policy, options)
    if environment is not None:
        return convert_spiking(
            policy,
            *calibrate_in_environment(policy, environment, steps, seed, progress),
            options=options,
            seed=seed,
        )
    if observations is not None:
        calibration = from_arrays(np.asarray(observations), starts, policy.observation.size)
    else:
        calibration = synthetic_calibration(policy)
    return convert_spiking(policy, calibration, None, options, seed)


def calibrate_in_environment(
    policy: SpikingPolicy,
    identifier: str,
    steps: int,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> tuple[Calibration, EnvironmentRecord]:
    """The states that the float policy visits."""
    refuse_foreign_neurons(policy)  # before the episodes, not after
    env = gymnasium_bridge.make(identifier, trusted=True)
    try:
        calibration = from_environment(
            policy, env, steps, seed, lambda done: progress("calibrate", done, steps)
        )
        return calibration, gymnasium_bridge.record(env, identifier)
    finally:
        env.close()


def synthetic_calibration(policy: SpikingPolicy) -> Calibration:
    """States of a rate-coded policy without an environment: its inputs are rates, so they lie in
    0..1.

    Half of them random walks, reflected at the ends, half uniform. Raises InputError for any other
    policy.
    """
    if policy.mean is not None or policy.observation.mean is not None or policy.transform != "none":
        raise InputError(
            "convert",
            "the probe needs the policy's own states",
            got="neither --env nor --observations",
            why="only a rate encoder says by itself where its inputs lie",
            fix=("--env ID", "--observations FILE.npy"),
        )
    rng = np.random.default_rng(0)
    size = policy.observation.size
    walk = np.cumsum(rng.normal(scale=0.05, size=(SYNTHETIC // 2, size)), axis=0) + rng.random(size)
    reflected = np.abs((walk + 1) % 2 - 1)
    values = np.concatenate([reflected, rng.random((SYNTHETIC - len(walk), size))])
    starts = np.arange(SYNTHETIC) % 100 == 0
    return Calibration(values, starts, (), "synthetic rates in 0..1")
