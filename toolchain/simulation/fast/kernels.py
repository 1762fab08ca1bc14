"""Compiled kernels: the neurons' integer steps re-expressed for speed, never re-decided.

Every rule stands in toolchain/neurons; the conformance suite holds these loops to it. int32 is enough: the
range proof bounds every sum by 2^23, so a membrane plus one sum stays below 2^24 before it is clipped.
"""

from __future__ import annotations

import numba
import numpy as np

from toolchain.network import STATE_LIMIT
from toolchain.simulation.host import decode_row, encode_row

OPTIONS = {"cache": True, "boundscheck": False, "nogil": True}
CARRY, START = 1, 2
# Columns of the per-row host record, int64.
FRESH, STALE, DECISIONS = 0, 1, 2
# Rows of the counts, int64 [3, L]; the column behind the last layer counts decisions and encoder saturations.
MESSAGES, SYNOPS, SATURATIONS = 0, 1, 2


@numba.njit(inline="always", **OPTIONS)
def add_events(weights, payloads, total):
    """total[j] += sum_i weights[i, j] * payloads[i] over the non-zero payloads; weights input-major, flat."""
    outputs = total.shape[0]
    for i in range(payloads.shape[0]):
        payload = payloads[i]
        if payload != 0:
            column = weights[i * outputs : (i + 1) * outputs]
            if payload == 1:
                for j in range(outputs):
                    total[j] += np.int32(column[j])
            else:
                for j in range(outputs):
                    total[j] += np.int32(column[j]) * payload


@numba.njit(inline="always", **OPTIONS)
def count_events(payloads, fan_out, counts, layer):
    """Messages and synops of the payloads that arrive at a layer."""
    messages, synops = 0, 0
    for i in range(payloads.shape[0]):
        if payloads[i] != 0:
            messages += 1
            synops += fan_out[i]
    counts[0, layer] += messages
    counts[1, layer] += synops


@numba.njit(**OPTIONS)
def fire(v, total, bias, threshold, emitted, spikes):
    """if@1, one timestep of one layer. Returns how many membranes were clipped."""
    clipped = 0
    for j in range(v.shape[0]):
        raw = v[j] + total[j] + bias[j]
        value = min(max(raw, -STATE_LIMIT), STATE_LIMIT)
        clipped += value != raw
        spike = np.int32(value > threshold[j])
        v[j] = value - threshold[j] * spike
        emitted[j] += threshold[j] * spike
        spikes[j] = spike
    return clipped


@numba.njit(**OPTIONS)
def carry_over(v, v_start, emitted, threshold, control, alpha):
    """if@1, a window's start (contract section 1.5)."""
    for j in range(v.shape[0]):
        v_init = threshold[j] // 2
        start = v_init
        if control == CARRY:
            residual = max(np.int64(v[j]) - v_start[j], -np.int64(emitted[j]))
            start = np.int32(min(max(v_init + ((alpha * residual + 32) >> 6), 0), threshold[j]))
        v[j] = start
        v_start[j] = start
        emitted[j] = 0


@numba.njit(**OPTIONS)
def announce(acc, reference, low, high, q, trigger, payloads):
    """sdn@1: what is sent when the activation is q. Returns how many q were clipped."""
    clipped = 0
    for j in range(acc.shape[0]):
        value = min(max(q[j], low[j]), high[j])
        clipped += value != q[j]
        change = value - reference[j]
        send = (change >= trigger) | (change <= -trigger) | (value == 0)
        payloads[j] = change if send else np.int32(0)
        reference[j] += payloads[j]
    return clipped


@numba.njit(**OPTIONS)
def quantise_relu(acc, threshold, magic, shift, q):
    """floor((2 relu(acc) + theta) / (2 theta)) by multiplication."""
    for j in range(acc.shape[0]):
        numerator = np.uint64(2 * max(acc[j], 0) + threshold[j])
        q[j] = np.int32((numerator * np.uint64(magic[j])) >> np.uint64(shift[j]))


@numba.njit(**OPTIONS)
def quantise_identity(acc, threshold, q):
    for j in range(acc.shape[0]):
        q[j] = np.int32((2 * np.int64(acc[j]) + threshold[j]) // (2 * np.int64(threshold[j])))


@numba.njit(**OPTIONS)
def quantise_table(acc, tables, first, segments, shift, q):
    """The piecewise-linear activation of ActivationTable."""
    for j in range(acc.shape[0]):
        base, value = first + j * segments, np.int64(acc[j])
        low, high = 0, segments
        while high - low > 1:
            middle = (low + high) >> 1
            if tables[0, base + middle] <= value:
                low = middle
            else:
                high = middle
        k = base + low
        rounded = ((value - tables[0, k]) * tables[1, k] + (np.int64(1) << (shift[j] - 1))) >> shift[j]
        q[j] = np.int32(tables[2, k] + rounded)


@numba.njit(**OPTIONS)
def window(plan, neurons, state, control, payloads, sums, counts, tracing, traced_payloads, traced_states):
    """One decision of one row. payloads [widest + 1 buffers] carry a timestep's events from layer to layer.

    neurons: int32 copy of Plan.neurons' first four rows; state: int32 flat. Returns nothing; the readout's
    accumulator is left in the state.
    """
    last = plan.layers.shape[1] - 1
    for layer in range(last + 1):
        kind, outputs, first, where = plan.layers[0, layer], plan.layers[2, layer], plan.layers[4, layer], plan.layers[9, layer]
        bias = neurons[0, first : first + outputs]
        one, two, three = state[where : where + outputs], state[where + outputs : where + 2 * outputs], state[where + 2 * outputs : where + 3 * outputs]
        if kind == 0:
            carry_over(one, two, three, neurons[1, first : first + outputs], control, plan.alpha)
        elif kind == 4:
            for j in range(outputs):
                one[j] = plan.timesteps * bias[j]
        elif control == START:
            for j in range(outputs):
                one[j] = bias[j]
                two[j] = 0
    for timestep in range(plan.timesteps):
        for layer in range(last + 1):
            kind, inputs, outputs, first, where = plan.layers[0, layer], plan.layers[1, layer], plan.layers[2, layer], plan.layers[4, layer], plan.layers[9, layer]
            one, two, three = state[where : where + outputs], state[where + outputs : where + 2 * outputs], state[where + 2 * outputs : where + 3 * outputs]
            bias, threshold, low, high = (neurons[0, first : first + outputs], neurons[1, first : first + outputs], neurons[2, first : first + outputs], neurons[3, first : first + outputs])
            weights = plan.weights[plan.layers[3, layer] : plan.layers[3, layer] + inputs * outputs]
            arriving, leaving = payloads[layer & 1, :inputs], payloads[(layer + 1) & 1, :outputs]
            if layer > 0 or timestep == 0:
                count_events(arriving, plan.fan_out[plan.layers[5, layer] :], counts, layer)
            if kind == 0:
                total = sums[layer, :outputs]
                if layer > 0 or timestep == 0:
                    total[:] = 0
                    add_events(weights, arriving, total)
                counts[2, layer] += fire(one, total, bias, threshold, three, leaving)
            elif kind >= 4:
                if kind == 4 and layer == 0:
                    total = sums[layer, :outputs]
                    if timestep == 0:
                        total[:] = 0
                        add_events(weights, arriving, total)
                    for j in range(outputs):
                        one[j] += total[j]
                else:
                    add_events(weights, arriving, one)
                leaving[:] = 0
            else:
                add_events(weights, arriving, one)
                q = sums[layer, :outputs]
                if kind == 1:
                    quantise_relu(one, threshold, plan.neurons[4, first : first + outputs], plan.neurons[5, first : first + outputs], q)
                elif kind == 2:
                    quantise_identity(one, threshold, q)
                else:
                    quantise_table(one, plan.tables, plan.layers[8, layer], plan.layers[7, layer], plan.neurons[6, first : first + outputs], q)
                counts[2, layer] += announce(one, two, low, high, q, plan.layers[6, layer], leaving)
            if tracing:
                for j in range(outputs):
                    traced_payloads[timestep, first + j] = leaving[j]
                    traced_states[timestep, first + j] = one[j]


@numba.njit(**OPTIONS)
def decide(plan, host, neurons, observations, active, rows, announced, state, payloads, sums, counts, tracing, traced_inputs, traced_payloads, traced_states, actions):
    """One decision of every active row. Returns (-1, -1), or (row, channel) of a non-finite observation.

    Nothing has changed when an observation is refused: all rows are encoded before any runs.
    """
    features, total = announced.shape[2], observations.shape[0]
    encoded_saturations = 0
    for row in range(total):
        if active[row]:
            number = 0 if rows[row, 0] else rows[row, 2]
            saturated, bad = encode_row(host, observations[row], number, announced[row, 1])
            if bad >= 0:
                return row, bad
            encoded_saturations += saturated
    counts[2, counts.shape[1] - 1] += encoded_saturations
    last = plan.layers.shape[1] - 1
    readout = plan.layers[9, last]
    for row in range(total):
        if not active[row]:
            for k in range(actions.shape[1]):
                actions[row, k] = np.nan
            continue
        number = 0 if rows[row, 0] else rows[row, 2]
        due = plan.resync_every > 0 and number > 0 and number % plan.resync_every == 0
        control = START if rows[row, 0] or rows[row, 1] or due else CARRY
        rows[row, 0], rows[row, 1], rows[row, 2] = 0, 0, number + 1
        for i in range(features):
            new = announced[row, 1, i]
            before = announced[row, 0, i] if plan.across and control == CARRY else np.int32(0)
            payloads[0, i] = new - before
            announced[row, 0, i] = new
            if tracing:
                traced_inputs[i] = payloads[0, i]
        window(plan, neurons, state[row], control, payloads, sums, counts, tracing, traced_payloads, traced_states)
        counts[0, counts.shape[1] - 1] += 1
        decode_row(host, state[row, readout : readout + actions.shape[1]], actions[row])
    return -1, -1
