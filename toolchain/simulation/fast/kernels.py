"""The loop over rows, timesteps and layers of a decision; fast/neurons has the neurons' steps.

Every rule stands in toolchain/neurons and is re-expressed here for speed, never re-decided; the
conformance suite holds these loops to it. int32 is enough: the range proof bounds every sum by
2^23, so a membrane plus one sum stays below 2^24 before it is clipped.
"""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.host.value_code import decode_row, encode_row
from spikeport.toolchain.simulation.fast.neurons.differential_coding import (
    carry_over_differential,
    fire_differential,
)
from spikeport.toolchain.simulation.fast.neurons.events import (
    CARRY,
    START,
    ZERO,
    U,
    add_graded,
    add_spikes,
    compiled,
    gather,
)
from spikeport.toolchain.simulation.fast.neurons.integrate_and_fire import fire
from spikeport.toolchain.simulation.fast.neurons.kernel_layout import (
    DC,
    IF,
    LEAKY,
    MT,
    READOUT_DIFFERENTIAL,
    READOUT_RATE,
    SDN_IDENTITY,
    SDN_RELU,
    SDN_TABLE,
    SNM,
)
from spikeport.toolchain.simulation.fast.neurons.leaky import fire_leaky
from spikeport.toolchain.simulation.fast.neurons.multi_threshold import (
    carry_over_graded,
    fire_graded,
)
from spikeport.toolchain.simulation.fast.neurons.sigma_delta import (
    announce,
    quantise_identity,
    quantise_relu,
    quantise_table,
)
from spikeport.toolchain.simulation.fast.neurons.signed_memory import fire_signed
from spikeport.toolchain.simulation.fast.neurons.window_start import carry_over
from spikeport.toolchain.simulation.fast.plan import unpack


@compiled
def begin(view, state, control):
    """Open the window of every layer of one row."""
    for layer in range(view.layers.shape[1]):
        kind = view.layers[0, layer]
        outputs = U(view.layers[2, layer])
        first = U(view.layers[4, layer])
        where = U(view.layers[9, layer])
        if kind == IF or kind == SNM:
            carry_over(
                state, where, outputs, view.neurons, first, U(view.count), control, view.alpha
            )
        elif kind == MT:
            carry_over_graded(
                state, where, outputs, view.neurons, first, U(view.count), control, view.alpha
            )
        elif kind == DC:
            carry_over_differential(
                state,
                where,
                outputs,
                view.neurons,
                first,
                U(view.count),
                control,
                view.alpha,
                view.denominator,
            )
        elif kind == READOUT_RATE or kind == READOUT_DIFFERENTIAL:
            times = np.int32(view.timesteps if kind == READOUT_RATE else view.denominator)
            for j in range(outputs):
                state[where + j] = times * view.neurons[first + j]
        elif kind == LEAKY:
            if control == START:
                for j in range(outputs):
                    state[where + j] = np.int32(0)
        elif control == START:
            for j in range(outputs):
                state[where + j] = view.neurons[first + j]
            if kind == SDN_RELU or kind == SDN_IDENTITY or kind == SDN_TABLE:
                for j in range(outputs):
                    state[where + outputs + j] = np.int32(0)


@compiled
def window(view, state, scratch, sums, counts, tracing, traced_payloads, traced_states):
    """All timesteps of one decision of one row; `scratch` starts with the input's payloads.

    scratch int32 [3 * stride]: two payload buffers that layers use in turn, events. sums int32 [L *
    stride]. state int32: per layer v | v_start | net (if, snm, mt), v | v_start | c | ein | eout
    (dc), acc | ref (sdn), acc (readout).
    """
    stride = U(view.widest + 1)
    count = U(view.count)
    neurons = view.neurons
    weights = view.weights
    events = stride + stride
    for timestep in range(view.timesteps):
        for layer in range(view.layers.shape[1]):
            kind = view.layers[0, layer]
            inputs = U(view.layers[1, layer])
            outputs = U(view.layers[2, layer])
            matrix = U(view.layers[3, layer])
            first = U(view.layers[4, layer])
            where = U(view.layers[9, layer])
            total = U(layer) * stride
            arriving, leaving = (ZERO, stride) if layer & 1 == 0 else (stride, ZERO)
            later = layer == 0 and timestep > 0  # the input comes once
            # `sums` of layer 0 still holds it; in differential coding the running mean does
            held = later and kind != DC
            found = ZERO
            if not later:
                found = gather(
                    scratch,
                    arriving,
                    inputs,
                    view.fan_out,
                    U(view.layers[5, layer]),
                    counts,
                    layer,
                    events,
                )
            if kind <= DC or kind == READOUT_DIFFERENTIAL or (kind == READOUT_RATE and layer == 0):
                if not held:
                    for j in range(outputs):
                        sums[total + j] = np.int32(0)
                    if layer > 0 and (kind == IF or kind == LEAKY):
                        add_spikes(weights, matrix, scratch, events, found, sums, total, outputs)
                    else:
                        add_graded(
                            weights, matrix, scratch, events, found, arriving, sums, total, outputs
                        )
                if kind == IF:
                    counts[2, layer] += fire(
                        state, where, outputs, sums, total, neurons, first, count, scratch, leaving
                    )
                elif kind == SNM:
                    counts[2, layer] += fire_signed(
                        state, where, outputs, sums, total, neurons, first, count, scratch, leaving
                    )
                elif kind == MT:
                    counts[2, layer] += fire_graded(
                        state, where, outputs, sums, total, neurons, first, count, scratch, leaving
                    )
                elif kind == LEAKY:
                    counts[2, layer] += fire_leaky(
                        state,
                        where,
                        outputs,
                        sums,
                        total,
                        neurons,
                        first,
                        count,
                        view.layers[6, layer],
                        scratch,
                        leaving,
                    )
                elif kind == DC:
                    counts[2, layer] += fire_differential(
                        state,
                        where,
                        outputs,
                        sums,
                        total,
                        neurons,
                        first,
                        count,
                        scratch,
                        leaving,
                        timestep,
                        view.denominator,
                    )
                else:
                    share = np.int32(
                        1 if kind == READOUT_RATE else view.denominator // (timestep + 1)
                    )
                    for j in range(outputs):
                        state[where + j] += share * sums[total + j]
            else:
                add_graded(weights, matrix, scratch, events, found, arriving, state, where, outputs)
            if kind == SDN_RELU or kind == SDN_IDENTITY or kind == SDN_TABLE:
                thresholds = first + count
                lows = first + count + count
                highs = lows + count
                magics = lows + count + count
                if kind == SDN_RELU:
                    quantise_relu(
                        state,
                        where,
                        outputs,
                        neurons,
                        thresholds,
                        magics,
                        magics + count,
                        sums,
                        total,
                    )
                elif kind == SDN_IDENTITY:
                    quantise_identity(state, where, outputs, neurons, thresholds, sums, total)
                else:
                    quantise_table(
                        state,
                        where,
                        outputs,
                        neurons,
                        magics + count + count,
                        view.tables,
                        view.layers[8, layer],
                        view.layers[7, layer],
                        sums,
                        total,
                    )
                counts[2, layer] += announce(
                    state,
                    where + outputs,
                    outputs,
                    sums,
                    total,
                    neurons,
                    lows,
                    highs,
                    view.layers[6, layer],
                    scratch,
                    leaving,
                )
            if tracing:
                for j in range(outputs):
                    if kind < READOUT_RATE:
                        traced_payloads[timestep, first + j] = scratch[leaving + j]
                    else:
                        traced_payloads[timestep, first + j] = np.int32(0)
                    traced_states[timestep, first + j] = state[where + j]


@compiled
def decide(
    header,
    weights,
    constants,
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
    """Decide for every active row.

    Returns -1, or row * features + channel of a non-finite observation; nothing has changed then,
    as all rows are encoded before any runs. rows int64 [n, 3]; announced int32 [n, 2, features];
    state int32 [n, 3 neurons]; traced int32 [2, T, neurons].
    """
    view, host_constants = unpack(header, weights, constants, host)
    features = announced.shape[2]
    last = view.layers.shape[1] - 1
    encoded_saturations = 0
    for row in range(observations.shape[0]):
        if active[row]:
            number = 0 if rows[row, 0] else rows[row, 2]
            saturated, bad = encode_row(
                host_constants, observations[row], number, announced[row, 1]
            )
            if bad >= 0:
                return row * features + bad
            encoded_saturations += saturated
    counts[2, last + 1] += encoded_saturations
    readout = view.layers[9, last]
    for row in range(observations.shape[0]):
        if not active[row]:
            actions[row, :] = np.nan
            continue
        number = 0 if rows[row, 0] else rows[row, 2]
        due = view.resync_every > 0 and number > 0 and number % view.resync_every == 0
        control = START if rows[row, 0] or rows[row, 1] or due else CARRY
        rows[row, 0] = 0
        rows[row, 1] = 0
        rows[row, 2] = number + 1
        difference = view.across and control == CARRY
        for i in range(features):
            new = announced[row, 1, i]
            if difference:
                scratch[i] = new - announced[row, 0, i]
            else:
                scratch[i] = new
            announced[row, 0, i] = new
        if tracing:
            traced_inputs[:] = scratch[:features]
        begin(view, state[row], control)
        window(view, state[row], scratch, sums, counts, tracing, traced[0], traced[1])
        counts[0, last + 1] += 1
        decode_row(
            host_constants,
            state[row, readout : readout + host_constants.row_scale.shape[0]],
            actions[row],
        )
    return -1
