"""Compiled kernels: the neurons' integer steps re-expressed for speed, never re-decided.

Every rule stands in toolchain/neurons; the conformance suite holds these loops to it. int32 is
enough: the range proof bounds every sum by 2^23, so a membrane plus one sum stays below 2^24 before
it is clipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeport.toolchain.compilation import njit
from spikeport.toolchain.host.value_code import decode_row, encode_row
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.simulation.fast.plan import (
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
    unpack,
)

compiled: Any = njit(boundscheck=False, nogil=True)
CARRY = 1
START = 2
BEYOND = 2**30  # outside every payload range, so it still counts as clipped
# Columns of the host's record of a row, int64 [rows, 3].
FRESH = 0
STALE = 1
DECISIONS = 2
# Rows of the counts, int64 [3, L + 1]; the last column counts decisions (row 0) and encoder
# saturations (row 2).
MESSAGES = 0
SYNOPS = 1
SATURATIONS = 2


# Arrays are passed whole with offsets: a slice costs compiled code two atomic counts, and there
# would be hundreds of
# them in a decision. Offsets are unsigned (U), so that no index needs a test for wrapping around
# from the end.
U = np.uintp
ZERO = U(0)
ONE = U(1)
TWO = U(2)
FOUR = U(4)


@compiled
def gather(scratch, payloads, inputs, fan_out, fans, counts, layer, events):
    """Indices of the non-zero payloads to scratch[events:]; counts messages and synops. Returns
    their number.

    Which payloads are zero cannot be predicted, so the loop has no branch: (v | -v) has its sign
    bit set unless v is 0, and a place that was written in vain is written again.
    """
    end = events
    synops = np.int64(0)
    for i in range(inputs):
        value = scratch[payloads + i]
        scratch[end] = np.int32(i)
        end += U(np.uint32(value | -value) >> np.uint32(31))
    found = end - events
    for k in range(found):
        synops += fan_out[fans + U(scratch[events + k])]
    counts[0, layer] += np.int64(found)
    counts[1, layer] += synops
    return found


@compiled
def add_spikes(weights, matrix, scratch, events, found, target, total, outputs):
    """target[total + j] += the columns of the events.

    Four at a time, so that the sum stays in registers longer.
    """
    k = ZERO
    while k + FOUR <= found:
        at = events + k
        a = matrix + U(scratch[at]) * outputs
        b = matrix + U(scratch[at + ONE]) * outputs
        c = matrix + U(scratch[at + TWO]) * outputs
        d = matrix + U(scratch[at + TWO + ONE]) * outputs
        for j in range(outputs):
            low = np.int16(np.int16(weights[a + j]) + np.int16(weights[b + j]))
            high = np.int16(np.int16(weights[c + j]) + np.int16(weights[d + j]))
            target[total + j] += np.int32(np.int16(low + high))
        k += FOUR
    while k < found:
        a = matrix + U(scratch[events + k]) * outputs
        for j in range(outputs):
            target[total + j] += np.int32(weights[a + j])
        k += ONE


@compiled
def add_graded(weights, matrix, scratch, events, found, payloads, target, total, outputs):
    """target[total + j] += the columns of the events, each times its payload."""
    k = ZERO
    while k + TWO <= found:
        first = U(scratch[events + k])
        second = U(scratch[events + k + ONE])
        a = matrix + first * outputs
        b = matrix + second * outputs
        p = scratch[payloads + first]
        q = scratch[payloads + second]
        for j in range(outputs):
            target[total + j] += np.int32(weights[a + j]) * p + np.int32(weights[b + j]) * q
        k += TWO
    if k < found:
        first = U(scratch[events + k])
        a = matrix + first * outputs
        p = scratch[payloads + first]
        for j in range(outputs):
            target[total + j] += np.int32(weights[a + j]) * p


@compiled
def fire(state, where, outputs, sums, total, neurons, first, count, scratch, leaving):
    """if@1, one timestep of one layer. Returns how many membranes were clipped."""
    clipped = np.int32(0)
    net = where + outputs + outputs
    thresholds = first + count
    for j in range(outputs):
        raw = state[where + j] + sums[total + j] + neurons[first + j]
        value = min(max(raw, np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))
        clipped += np.int32(value != raw)
        threshold = neurons[thresholds + j]
        spike = np.int32(value > threshold)
        state[where + j] = value - threshold * spike
        state[net + j] += spike
        scratch[leaving + j] = spike
    return clipped


@compiled
def fire_signed(state, where, outputs, sums, total, neurons, first, count, scratch, leaving):
    """snm@1, one timestep of one layer. Returns how many membranes were clipped."""
    clipped = np.int32(0)
    net = where + outputs + outputs
    thresholds = first + count
    for j in range(outputs):
        raw = state[where + j] + sums[total + j] + neurons[first + j]
        value = min(max(raw, np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))
        clipped += np.int32(value != raw)
        threshold = neurons[thresholds + j]
        spike = np.int32(value >= threshold) - np.int32((value < 0) & (state[net + j] >= 1))
        state[where + j] = value - threshold * spike
        state[net + j] += spike
        scratch[leaving + j] = spike
    return clipped


@compiled
def fire_leaky(state, where, outputs, sums, total, neurons, first, count, shift, scratch, leaving):
    """leaky@1, one timestep of one layer. Returns how many membranes were clipped."""
    clipped = np.int32(0)
    thresholds = first + count
    keeps = first + FOUR * count
    shift = np.int32(shift)
    for j in range(outputs):
        v = state[where + j]
        threshold = neurons[thresholds + j]
        kept = np.int32((np.int64(abs(v)) * np.int64(neurons[keeps + j])) >> 12)
        raw = (kept if v >= 0 else -kept) + (sums[total + j] << shift) + neurons[first + j]
        raw -= threshold if v > threshold else np.int32(0)
        value = min(max(raw, np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))
        clipped += np.int32(value != raw)
        state[where + j] = value
        scratch[leaving + j] = np.int32(threshold < value)
    return clipped


@compiled
def graded_spike(value, unit, emitted, one):
    """p of mt@1 and dc@1: the largest power of two that the membrane asks for, negative only where
    `emitted` >= p * `one`.

    Counting the thresholds passed leaves no branch: p = 2^(count - 1).
    """
    four = np.int32(4) * value
    at = np.int32(3) * unit
    up = (
        np.int32(four >= at)
        + np.int32(four >= 2 * at)
        + np.int32(four >= 4 * at)
        + np.int32(four >= 8 * at)
    )
    down = np.int32((four <= -at) & (emitted >= one)) + np.int32(
        (four <= -2 * at) & (emitted >= 2 * one)
    )
    down += np.int32((four <= -4 * at) & (emitted >= 4 * one)) + np.int32(
        (four <= -8 * at) & (emitted >= 8 * one)
    )
    return ((np.int32(1) << up) >> np.int32(1)) - ((np.int32(1) << down) >> np.int32(1))


@compiled
def fire_graded(state, where, outputs, sums, total, neurons, first, count, scratch, leaving):
    """mt@1, one timestep of one layer. Returns how many membranes were clipped."""
    clipped = np.int32(0)
    net = where + outputs + outputs
    thresholds = first + count
    for j in range(outputs):
        raw = state[where + j] + sums[total + j] + neurons[first + j]
        value = min(max(raw, np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))
        clipped += np.int32(value != raw)
        unit = neurons[thresholds + j]
        payload = graded_spike(value, unit, state[net + j], np.int32(1))
        state[where + j] = value - unit * payload
        state[net + j] += payload
        scratch[leaving + j] = payload
    return clipped


@compiled
def fire_differential(
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
    denominator,
):
    """dc@1, one timestep of one layer, all state in units of 1/D.

    Returns how many membranes were clipped.
    """
    clipped = np.int32(0)
    thresholds = first + count
    net = where + TWO * outputs
    mean_in = where + (TWO + ONE) * outputs
    mean_out = where + FOUR * outputs
    units = np.int32(denominator)
    share = np.int32(denominator // (timestep + 1))
    for j in range(outputs):
        synaptic = sums[total + j]
        raw = state[where + j] + units * synaptic + state[mean_in + j] - state[mean_out + j]
        value = min(max(raw, np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))
        clipped += np.int32(value != raw)
        threshold = neurons[thresholds + j]
        unit = units * threshold
        emitted = state[net + j] + state[mean_out + j]
        payload = graded_spike(value, unit, emitted, unit)
        state[where + j] = value - unit * payload
        state[net + j] = emitted + unit * payload
        state[mean_in + j] += share * synaptic
        state[mean_out + j] += share * payload * threshold
        scratch[leaving + j] = payload
    return clipped


@compiled
def carried_over(v, v_start, v_init, emitted, low, high, alpha):
    """Where a window starts when the last one's residual is carried over (contract section 1.5).

    64 bits: a long window may have emitted more than 2^31, and nothing of v_init + r is near the
    limit.
    """
    residual = max(np.int64(v - v_start), -np.int64(emitted))
    return np.int32(
        min(max(v_init + ((alpha * residual + 32) >> 6), np.int64(low)), np.int64(high))
    )


@compiled
def carry_over(state, where, outputs, neurons, first, count, control, alpha):
    """if@1 and snm@1, a window's start."""
    start_at = where + outputs
    net = where + outputs + outputs
    thresholds = first + count
    for j in range(outputs):
        threshold = neurons[thresholds + j]
        start = threshold >> np.int32(1)
        if control == CARRY:
            start = carried_over(
                state[where + j],
                state[start_at + j],
                start,
                np.int64(state[net + j]) * threshold,
                0,
                threshold,
                alpha,
            )
        state[where + j] = start
        state[start_at + j] = start
        state[net + j] = np.int32(0)


@compiled
def carry_over_graded(state, where, outputs, neurons, first, count, control, alpha):
    """mt@1, a window's start."""
    start_at = where + outputs
    net = where + outputs + outputs
    thresholds = first + count
    for j in range(outputs):
        unit = neurons[thresholds + j]
        start = np.int32(0)
        if control == CARRY:
            start = carried_over(
                state[where + j],
                state[start_at + j],
                0,
                np.int64(state[net + j]) * unit,
                -4 * unit,
                4 * unit,
                alpha,
            )
        state[where + j] = start
        state[start_at + j] = start
        state[net + j] = np.int32(0)


@compiled
def carry_over_differential(
    state, where, outputs, neurons, first, count, control, alpha, denominator
):
    """dc@1, a window's start."""
    start_at = where + outputs
    thresholds = first + count
    units = np.int32(denominator)
    net = where + TWO * outputs
    mean_in = where + (TWO + ONE) * outputs
    mean_out = where + FOUR * outputs
    for j in range(outputs):
        half = 4 * units * neurons[thresholds + j]
        start = np.int32(0)
        if control == CARRY:
            start = carried_over(
                state[where + j],
                state[start_at + j],
                0,
                np.int64(state[net + j]),
                -half,
                half,
                alpha,
            )
        state[where + j] = start
        state[start_at + j] = start
        state[net + j] = np.int32(0)
        state[mean_in + j] = units * neurons[first + j]
        state[mean_out + j] = np.int32(0)


@compiled
def announce(state, reference, outputs, sums, q, neurons, lows, highs, trigger, scratch, leaving):
    """sdn@1: what is sent when the activation is q. Returns how many q were clipped."""
    clipped = np.int32(0)
    trigger = np.int32(trigger)
    for j in range(outputs):
        unclipped = sums[q + j]
        value = min(max(unclipped, neurons[lows + j]), neurons[highs + j])
        clipped += np.int32(value != unclipped)
        change = value - state[reference + j]
        send = (change >= trigger) | (change <= -trigger) | (value == 0)
        if send:
            payload = change
        else:
            payload = np.int32(0)
        scratch[leaving + j] = payload
        state[reference + j] += payload
    return clipped


@compiled
def quantise_relu(state, where, outputs, neurons, thresholds, magics, shifts, sums, q):
    """floor((2 relu(acc) + theta) / (2 theta)) by multiplication."""
    for j in range(outputs):
        numerator = np.uint64(
            np.uint32(np.int32(2) * max(state[where + j], np.int32(0)) + neurons[thresholds + j])
        )
        sums[q + j] = np.int32(
            (numerator * np.uint64(np.uint32(neurons[magics + j])))
            >> np.uint64(neurons[shifts + j])
        )


@compiled
def quantise_identity(state, where, outputs, neurons, thresholds, sums, q):
    for j in range(outputs):
        theta = np.int64(neurons[thresholds + j])
        sums[q + j] = np.int32((2 * np.int64(state[where + j]) + theta) // (2 * theta))


@compiled
def quantise_table(state, where, outputs, neurons, shifts, tables, table, segments, sums, q):
    """The piecewise-linear map of ActivationTable; what no payload can be is cut to fit int32."""
    for j in range(outputs):
        base = table + np.int64(j) * segments
        value = state[where + j]
        low = 0
        high = segments
        while high - low > 1:
            middle = (low + high) >> 1
            if tables[0, base + middle] <= value:
                low = middle
            else:
                high = middle
        k = base + low
        bits = np.int64(neurons[shifts + j])
        rounded = (
            np.int64(value - tables[0, k]) * np.int64(tables[1, k]) + (np.int64(1) << (bits - 1))
        ) >> bits
        sums[q + j] = np.int32(min(max(np.int64(tables[2, k]) + rounded, -BEYOND), BEYOND))


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
    """All timesteps of one decision of one row; the input's payloads wait at the start of
    `scratch`.

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
            held = (
                later and kind != DC
            )  # `sums` of layer 0 still holds it; in differential coding the running mean does
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
    """One decision of every active row. Returns -1, or row * features + channel of a non-finite
    observation.

    Nothing has changed when an observation is refused: all rows are encoded before any runs.
    rows int64 [n, 3]; announced int32 [n, 2, features]; state int32 [n, 3 neurons]; traced int32
    [2, T, neurons].
    """
    view, host_constants = unpack(header, weights, constants, host)
    features = announced.shape[2]
    last = view.layers.shape[1] - 1
    encoded_saturations = 0
    for row in range(observations.shape[0]):
        if active[row]:
            if rows[row, 0]:
                number = 0
            else:
                number = rows[row, 2]
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
        if rows[row, 0]:
            number = 0
        else:
            number = rows[row, 2]
        due = view.resync_every > 0 and number > 0 and number % view.resync_every == 0
        if rows[row, 0] or rows[row, 1] or due:
            control = START
        else:
            control = CARRY
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
