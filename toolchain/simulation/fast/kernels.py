"""Compiled kernels: the neurons' integer steps re-expressed for speed, never re-decided.

Every rule stands in toolchain/neurons; the conformance suite holds these loops to it. int32 is enough: the
range proof bounds every sum by 2^23, so a membrane plus one sum stays below 2^24 before it is clipped.
"""

from __future__ import annotations

import numba
import numpy as np

from toolchain.network import STATE_LIMIT
from toolchain.simulation.fast.plan import unpack
from toolchain.simulation.host import decode_row, encode_row

OPTIONS = {"cache": True, "boundscheck": False, "nogil": True}
CARRY, START = 1, 2
BEYOND = 2**30  # outside every payload range, so it still counts as clipped
# Columns of the host's record of a row, int64 [rows, 3].
FRESH, STALE, DECISIONS = 0, 1, 2
# Rows of the counts, int64 [3, L + 1]; the last column counts decisions (row 0) and encoder saturations (row 2).
MESSAGES, SYNOPS, SATURATIONS = 0, 1, 2


@numba.njit(**OPTIONS)
def gather(payloads, fan_out, counts, layer, events):
    """Indices of the non-zero payloads into `events`; counts messages and synops. Returns their number."""
    found, synops = 0, 0
    for i in range(payloads.shape[0]):
        events[found] = i
        if payloads[i] != 0:
            found += 1
            synops += fan_out[i]
    counts[0, layer] += found
    counts[1, layer] += synops
    return found


@numba.njit(**OPTIONS)
def add_spikes(weights, events, found, total):
    """total[j] += sum of the columns of `events`; four columns at a time keep `total` in registers longer."""
    outputs, k = total.shape[0], 0
    while k + 4 <= found:
        a, b, c, d = (events[k] * outputs, events[k + 1] * outputs, events[k + 2] * outputs, events[k + 3] * outputs)
        one, two, three, four = weights[a : a + outputs], weights[b : b + outputs], weights[c : c + outputs], weights[d : d + outputs]
        for j in range(outputs):
            total[j] += np.int32(np.int16(np.int16(one[j]) + np.int16(two[j])) + np.int16(np.int16(three[j]) + np.int16(four[j])))
        k += 4
    while k < found:
        column = weights[events[k] * outputs : (events[k] + 1) * outputs]
        for j in range(outputs):
            total[j] += np.int32(column[j])
        k += 1


@numba.njit(**OPTIONS)
def add_graded(weights, events, found, payloads, total):
    """total[j] += sum of the columns of `events`, each times its payload."""
    outputs, k = total.shape[0], 0
    while k + 2 <= found:
        a, b = events[k] * outputs, events[k + 1] * outputs
        one, two, p, q = weights[a : a + outputs], weights[b : b + outputs], payloads[events[k]], payloads[events[k + 1]]
        for j in range(outputs):
            total[j] += np.int32(one[j]) * p + np.int32(two[j]) * q
        k += 2
    if k < found:
        column, p = weights[events[k] * outputs : (events[k] + 1) * outputs], payloads[events[k]]
        for j in range(outputs):
            total[j] += np.int32(column[j]) * p


@numba.njit(**OPTIONS)
def fire(v, total, bias, threshold, emitted, spikes):
    """if@1, one timestep of one layer. Returns how many membranes were clipped."""
    clipped = np.int32(0)
    for j in range(v.shape[0]):
        raw = v[j] + total[j] + bias[j]
        value = min(max(raw, np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))
        clipped += np.int32(value != raw)
        spike = np.int32(value > threshold[j])
        v[j] = value - threshold[j] * spike
        emitted[j] += threshold[j] * spike
        spikes[j] = spike
    return clipped


@numba.njit(**OPTIONS)
def carry_over(v, v_start, emitted, threshold, control, alpha):
    """if@1, a window's start (contract section 1.5)."""
    for j in range(v.shape[0]):
        v_init = threshold[j] >> 1
        residual = max(v[j] - v_start[j], -emitted[j])
        carried = min(max(v_init + ((np.int32(alpha) * residual + np.int32(32)) >> np.int32(6)), np.int32(0)), threshold[j])
        start = carried if control == CARRY else v_init
        v[j] = start
        v_start[j] = start
        emitted[j] = 0


@numba.njit(**OPTIONS)
def announce(reference, low, high, q, trigger, payloads):
    """sdn@1: what is sent when the activation is q. Returns how many q were clipped."""
    clipped, trigger = np.int32(0), np.int32(trigger)
    for j in range(q.shape[0]):
        value = min(max(q[j], low[j]), high[j])
        clipped += np.int32(value != q[j])
        change = value - reference[j]
        send = (change >= trigger) | (change <= -trigger) | (value == 0)
        payload = change if send else np.int32(0)
        payloads[j] = payload
        reference[j] += payload
    return clipped


@numba.njit(**OPTIONS)
def quantise_relu(acc, threshold, magic, shift, q):
    """floor((2 relu(acc) + theta) / (2 theta)) by multiplication."""
    for j in range(acc.shape[0]):
        numerator = np.uint64(np.uint32(2 * max(acc[j], np.int32(0)) + threshold[j]))
        q[j] = np.int32((numerator * np.uint64(np.uint32(magic[j]))) >> np.uint64(shift[j]))


@numba.njit(**OPTIONS)
def quantise_identity(acc, threshold, q):
    for j in range(acc.shape[0]):
        q[j] = np.int32((2 * np.int64(acc[j]) + threshold[j]) // (2 * np.int64(threshold[j])))


@numba.njit(**OPTIONS)
def quantise_table(acc, tables, first, segments, shift, q):
    """The piecewise-linear map of ActivationTable; what no payload can be is cut to fit int32."""
    for j in range(acc.shape[0]):
        base, value = first + j * segments, acc[j]
        low, high = 0, segments
        while high - low > 1:
            middle = (low + high) >> 1
            if tables[0, base + middle] <= value:
                low = middle
            else:
                high = middle
        k = base + low
        bits = np.int64(shift[j])
        rounded = (np.int64(value - tables[0, k]) * np.int64(tables[1, k]) + (np.int64(1) << (bits - 1))) >> bits
        q[j] = np.int32(min(max(np.int64(tables[2, k]) + rounded, -BEYOND), BEYOND))


@numba.njit(**OPTIONS)
def begin(view, state, control):
    """Open the window of every layer of one row."""
    for layer in range(view.layers.shape[1]):
        kind, outputs, first, where = view.layers[0, layer], view.layers[2, layer], view.layers[4, layer], view.layers[9, layer]
        bias = view.neurons[0, first : first + outputs]
        one, two, three = state[where : where + outputs], state[where + outputs : where + 2 * outputs], state[where + 2 * outputs : where + 3 * outputs]
        if kind == 0:
            carry_over(one, two, three, view.neurons[1, first : first + outputs], control, view.alpha)
        elif kind == 4:
            for j in range(outputs):
                one[j] = view.timesteps * bias[j]
        elif control == START:
            for j in range(outputs):
                one[j] = bias[j]
                two[j] = 0


@numba.njit(**OPTIONS)
def window(view, state, scratch, counts, tracing, traced_payloads, traced_states):
    """All timesteps of one decision of one row; the input's payloads wait in scratch[0].

    scratch int32 [3 + L, widest]: two payload buffers that layers use in turn, events, one sum per layer.
    state int32: per layer v | v_start | emitted (if), acc | ref (sdn), acc (readout).
    """
    events = scratch[2]
    for timestep in range(view.timesteps):
        for layer in range(view.layers.shape[1]):
            kind, inputs, outputs, first, where = view.layers[0, layer], view.layers[1, layer], view.layers[2, layer], view.layers[4, layer], view.layers[9, layer]
            neurons = view.neurons[:, first : first + outputs]
            one, two, three = state[where : where + outputs], state[where + outputs : where + 2 * outputs], state[where + 2 * outputs : where + 3 * outputs]
            weights = view.weights[view.layers[3, layer] : view.layers[3, layer] + inputs * outputs]
            arriving, leaving, total = scratch[layer & 1, :inputs], scratch[(layer + 1) & 1, :outputs], scratch[3 + layer, :outputs]
            held = layer == 0 and timestep > 0  # the input comes once; `total` of layer 0 still holds its sum
            found = 0 if held else gather(arriving, view.fan_out[view.layers[5, layer] :], counts, layer, events)
            if kind == 0:
                if not held:
                    total[:] = 0
                    if layer == 0:
                        add_graded(weights, events, found, arriving, total)
                    else:
                        add_spikes(weights, events, found, total)
                counts[2, layer] += fire(one, total, neurons[0], neurons[1], three, leaving)
            elif kind >= 4:
                if kind == 4 and layer == 0:
                    if not held:
                        total[:] = 0
                        add_graded(weights, events, found, arriving, total)
                    for j in range(outputs):
                        one[j] += total[j]
                else:
                    add_graded(weights, events, found, arriving, one)
                leaving[:] = 0
            else:
                add_graded(weights, events, found, arriving, one)
                if kind == 1:
                    quantise_relu(one, neurons[1], neurons[4], neurons[5], total)
                elif kind == 2:
                    quantise_identity(one, neurons[1], total)
                else:
                    quantise_table(one, view.tables, view.layers[8, layer], view.layers[7, layer], neurons[6], total)
                counts[2, layer] += announce(two, neurons[2], neurons[3], total, view.layers[6, layer], leaving)
            if tracing:
                for j in range(outputs):
                    traced_payloads[timestep, first + j] = leaving[j]
                    traced_states[timestep, first + j] = one[j]


@numba.njit(**OPTIONS)
def decide(header, weights, constants, host, observations, active, rows, announced, state, scratch, counts, tracing, traced_inputs, traced, actions):
    """One decision of every active row. Returns -1, or row * features + channel of a non-finite observation.

    Nothing has changed when an observation is refused: all rows are encoded before any runs.
    rows int64 [n, 3]; announced int32 [n, 2, features]; state int32 [n, 3 neurons]; traced int32 [2, T, neurons].
    """
    view, host_constants = unpack(header, weights, constants, host)
    features, last, encoded_saturations = announced.shape[2], view.layers.shape[1] - 1, 0
    for row in range(observations.shape[0]):
        if active[row]:
            number = 0 if rows[row, 0] else rows[row, 2]
            saturated, bad = encode_row(host_constants, observations[row], number, announced[row, 1])
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
        rows[row, 0], rows[row, 1], rows[row, 2] = 0, 0, number + 1
        difference = view.across and control == CARRY
        for i in range(features):
            new = announced[row, 1, i]
            scratch[0, i] = new - announced[row, 0, i] if difference else new
            announced[row, 0, i] = new
        if tracing:
            traced_inputs[:] = scratch[0, :features]
        begin(view, state[row], control)
        window(view, state[row], scratch, counts, tracing, traced[0], traced[1])
        counts[0, last + 1] += 1
        decode_row(host_constants, state[row, readout : readout + actions.shape[1]], actions[row])
    return -1
