"""Compiled decision of `lif@1`; toolchain/neurons/leaky_integrate_and_fire.py has the rule.

A decision runs T timesteps and then the L steps that pass on a chip until the next reset, for the
census of idle activity. Nothing is carried over, so `state` is room to work in: the encoder's v
[inputs], then u | v of each layer.
"""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.host.population_code import decode_counts, encode_spiking
from spikeport.toolchain.simulation.fast.neurons.events import (
    DECISIONS,
    FRESH,
    STALE,
    ZERO,
    U,
    add_spikes,
    compiled,
    gather,
)

# Rows of the counts beside those of events.py, int64 [5, L + 1]: of the steps outside the windows.
# The last column counts the last layer's spikes, in row 1 (windows) and row 3 (idle).
IDLE_MESSAGES = 3
IDLE_SYNOPS = 4


@compiled
def decayed(value, kept):
    """Keep kept / 4096 of a value, rounded towards zero."""
    part = np.int32((np.int64(abs(value)) * kept) >> 12)
    if value < 0:
        return -part
    return part


@compiled
def encoder_spikes(state, scratch, inputs, activation, threshold):
    """One timestep of the encoder's soft-reset neurons.

    Their activations lie in scratch[activation:], spikes go to scratch[0:].
    """
    for i in range(inputs):
        v = state[i] + scratch[activation + i]
        spike = np.int32(v > threshold)
        state[i] = v - np.int32(threshold) * spike
        scratch[i] = spike


@compiled
def fire_leaky(
    state,
    at_u,
    at_v,
    outputs,
    sums,
    total,
    bias,
    first,
    kept_u,
    kept_v,
    shift,
    threshold,
    in_current,
    scratch,
    leaving,
):
    """lif@1, one timestep of one layer."""
    for j in range(outputs):
        to_current = bias[first + j] if in_current else np.int32(0)
        to_voltage = np.int32(0) if in_current else bias[first + j]
        u = decayed(state[at_u + j], kept_u) + ((sums[total + j] + to_current) << np.int32(shift))
        v = decayed(state[at_v + j], kept_v) + u + to_voltage
        spike = np.int32(v > threshold)
        state[at_u + j] = u
        state[at_v + j] = v * (np.int32(1) - spike)
        scratch[leaving + j] = spike


@compiled
def run(plan, state, scratch, sums, counts, tracing, traced_payloads, traced_states, spikes):
    """The window and what follows it.

    `spikes` [last layer's neurons] counts its spikes in the window.
    """
    stride = U(plan.widest + 1)
    layers = plan.layers.shape[1]
    events = stride + stride
    activation = stride + stride + stride
    inputs = U(plan.layers[0, 0])
    idle = counts[3:5]
    state[:] = np.int32(0)
    for step in range(plan.timesteps + layers):
        inside = step < plan.timesteps
        if inside:
            tally = counts
        else:
            tally = idle
        if inside:
            encoder_spikes(state, scratch, inputs, activation, plan.encoder_threshold)
        else:
            for i in range(inputs):
                scratch[i] = np.int32(0)
        for layer in range(layers):
            wide = U(plan.layers[0, layer])
            outputs = U(plan.layers[1, layer])
            first = U(plan.layers[3, layer])
            arriving, leaving = (ZERO, stride) if layer & 1 == 0 else (stride, ZERO)
            found = gather(
                scratch,
                arriving,
                wide,
                plan.fan_out,
                U(plan.layers[4, layer]),
                tally,
                layer,
                events,
            )
            for j in range(outputs):
                sums[j] = np.int32(0)
            add_spikes(
                plan.weights, U(plan.layers[2, layer]), scratch, events, found, sums, ZERO, outputs
            )
            at_u = inputs + first + first
            fire_leaky(
                state,
                at_u,
                at_u + outputs,
                outputs,
                sums,
                ZERO,
                plan.bias,
                first,
                plan.layers[5, layer],
                plan.layers[6, layer],
                plan.layers[7, layer],
                plan.layers[8, layer],
                plan.layers[9, layer],
                scratch,
                leaving,
            )
            if inside and tracing:
                for j in range(outputs):
                    traced_payloads[step, first + j] = scratch[leaving + j]
                    traced_states[step, first + j] = state[at_u + outputs + j]
            if layer == layers - 1:
                total = np.int64(0)
                for j in range(outputs):
                    total += scratch[leaving + j]
                    if inside:
                        spikes[j] += scratch[leaving + j]
                counts[1 if inside else 3, layers] += total


@compiled
def decide_spiking(
    plan,
    host,
    observations,
    active,
    rows,
    announced,
    state,
    scratch,
    sums,
    counts,
    tracing,
    traced_inputs,
    traced,
    actions,
):
    """Decide for every active row; the arguments are those of kernels.decide.

    Returns -1, or row * inputs + channel of a non-finite observation; nothing has changed then.
    """
    inputs = announced.shape[2]
    last = plan.layers.shape[1] - 1
    saturated = 0
    activation = U(3 * (plan.widest + 1))
    for row in range(observations.shape[0]):
        if active[row]:
            number = 0 if rows[row, FRESH] else rows[row, DECISIONS]
            found, bad = encode_spiking(host, observations[row], number, announced[row, 1])
            if bad >= 0:
                return row * inputs + bad
            saturated += found
    counts[2, last + 1] += saturated
    spikes = np.empty(plan.layers[1, last], np.int32)
    for row in range(observations.shape[0]):
        if not active[row]:
            actions[row, :] = np.nan
            continue
        number = 0 if rows[row, FRESH] else rows[row, DECISIONS]
        rows[row, FRESH] = 0
        rows[row, STALE] = 0
        rows[row, DECISIONS] = number + 1
        for i in range(inputs):
            scratch[activation + U(i)] = announced[row, 1, i]
        if tracing:
            traced_inputs[:] = announced[row, 1]
        spikes[:] = np.int32(0)
        run(plan, state[row], scratch, sums, counts, tracing, traced[0], traced[1], spikes)
        counts[0, last + 1] += 1
        decode_counts(host, spikes, actions[row])
    return -1
