"""Mutants of the fast backend's kernels and their plan. They run uncompiled."""

from __future__ import annotations

from tests.mutants.mutant import mutants

FIRE = mutants(
    "toolchain/simulation/fast/kernels.py",
    "fast",
    ("fast if: membrane's lowest", "max(raw, np.int32(-STATE_LIMIT))", "max(raw, np.int32(-STATE_LIMIT - 1))"),
    ("fast if: membrane's highest", "np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))", "np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT + 1))"),
    ("fast if: saturations count", "clipped += np.int32(value != raw)", "clipped += np.int32(value < raw)"),
    ("fast if: fires strictly above theta", "np.int32(value > threshold)", "np.int32(value >= threshold)"),
    ("fast if: soft reset", "state[where + j] = value - threshold * spike", "state[where + j] = value * (np.int32(1) - spike)"),
    ("fast if: saturates before firing", "spike = np.int32(value > threshold)", "spike = np.int32(value > threshold)\n        value = raw"),
    ("fast if: bias in every timestep", "sums[total + j] + neurons[first + j]", "sums[total + j]"),
    ("fast if: net counts spikes", "state[net + j] += spike", "state[net + j] = spike"),
    scope="fire",
)

FIRE_SIGNED = mutants(
    "toolchain/simulation/fast/kernels.py",
    "fast",
    ("fast snm: membrane's lowest", "max(raw, np.int32(-STATE_LIMIT))", "max(raw, np.int32(-STATE_LIMIT - 1))"),
    ("fast snm: membrane's highest", "np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))", "np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT + 1))"),
    ("fast snm: saturations count", "clipped += np.int32(value != raw)", "clipped += np.int32(value < raw)"),
    ("fast snm: fires at theta", "np.int32(value >= threshold)", "np.int32(value > threshold)"),
    ("fast snm: takes back strictly below 0", "(value < 0)", "(value <= 0)"),
    ("fast snm: takes back only what was sent", "(value < 0) & (state[net + j] >= 1)", "value < 0"),
    ("fast snm: one net spike suffices", "state[net + j] >= 1", "state[net + j] >= 2"),
    ("fast snm: soft reset", "value - threshold * spike", "value * (np.int32(1) - abs(spike))"),
    ("fast snm: bias in every timestep", "sums[total + j] + neurons[first + j]", "sums[total + j]"),
    ("fast snm: net counts signs", "state[net + j] += spike", "state[net + j] += abs(spike)"),
    scope="fire_signed",
)

GRADED = mutants(
    "toolchain/simulation/fast/kernels.py",
    "fast",
    ("fast mt: fires at three quarters", "np.int32(3) * unit", "np.int32(4) * unit"),
    ("fast mt: the tie fires", "np.int32(four >= at)", "np.int32(four > at)"),
    ("fast mt: the tie fires at 8", "np.int32(four >= 8 * at)", "np.int32(four > 8 * at)"),
    ("fast mt: the negative tie fires", "(four <= -at)", "(four < -at)"),
    ("fast mt: the negative tie fires at 2", "(four <= -2 * at)", "(four < -2 * at)"),
    ("fast mt: the negative tie fires at 4", "(four <= -4 * at)", "(four < -4 * at)"),
    ("fast mt: the negative tie fires at 8", "(four <= -8 * at)", "(four < -8 * at)"),
    ("fast mt: takes back 1 of 1", "(emitted >= one)", "(emitted > one)"),
    ("fast mt: takes back 2 of 2", "(emitted >= 2 * one)", "(emitted >= one)"),
    ("fast mt: takes back 4 of 4", "(emitted >= 4 * one)", "(emitted >= one)"),
    ("fast mt: takes back 8 of 8", "(emitted >= 8 * one)", "(emitted >= one)"),
    ("fast mt: payloads are powers of two", "((np.int32(1) << up) >> np.int32(1))", "up"),
    ("fast mt: negative payloads are powers of two", "((np.int32(1) << down) >> np.int32(1))", "down"),
    scope="graded_spike",
)

FIRE_GRADED = mutants(
    "toolchain/simulation/fast/kernels.py",
    "fast",
    ("fast mt: membrane's lowest", "max(raw, np.int32(-STATE_LIMIT))", "max(raw, np.int32(-STATE_LIMIT - 1))"),
    ("fast mt: membrane's highest", "np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))", "np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT + 1))"),
    ("fast mt: saturations count", "clipped += np.int32(value != raw)", "clipped += np.int32(value < raw)"),
    ("fast mt: soft reset", "value - unit * payload", "value * np.int32(payload == 0)"),
    ("fast mt: bias in every timestep", "sums[total + j] + neurons[first + j]", "sums[total + j]"),
    ("fast mt: c counts payloads", "state[net + j] += payload", "state[net + j] += abs(payload)"),
    ("fast mt: c in units of lambda", "state[net + j], np.int32(1))", "state[net + j], unit)"),
    scope="fire_graded",
)

FIRE_DIFFERENTIAL = mutants(
    "toolchain/simulation/fast/kernels.py",
    "fast",
    ("fast dc: membrane's lowest", "max(raw, np.int32(-STATE_LIMIT))", "max(raw, np.int32(-STATE_LIMIT - 1))"),
    ("fast dc: membrane's highest", "np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))", "np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT + 1))"),
    ("fast dc: saturations count", "clipped += np.int32(value != raw)", "clipped += np.int32(value < raw)"),
    ("fast dc: v += D I", "units * synaptic + state[mean_in + j]", "synaptic + state[mean_in + j]"),
    ("fast dc: v += ein", " + state[mean_in + j] - state[mean_out + j]", " - state[mean_out + j]"),
    ("fast dc: v -= eout", " + state[mean_in + j] - state[mean_out + j]", " + state[mean_in + j]"),
    ("fast dc: threshold in units of 1/D", "unit, emitted = units * threshold", "unit, emitted = threshold"),
    ("fast dc: c += eout", "emitted = units * threshold, state[net + j] + state[mean_out + j]", "emitted = units * threshold, state[net + j]"),
    ("fast dc: c in units of D lambda", "graded_spike(value, unit, emitted, unit)", "graded_spike(value, unit, emitted, threshold)"),
    ("fast dc: soft reset", "value - unit * payload", "value * np.int32(payload == 0)"),
    ("fast dc: c += p D lambda", "emitted + unit * payload", "emitted + payload"),
    ("fast dc: ein += D I / t", "+= share * synaptic", "+= units * synaptic"),
    ("fast dc: eout += D p lambda / t", "+= share * payload * threshold", "+= units * payload * threshold"),
    ("fast dc: t counts from 1", "denominator // (timestep + 1)", "denominator // max(timestep, 1)"),
    scope="fire_differential",
)

CARRIED = mutants(
    "toolchain/simulation/fast/kernels.py",
    "fast",
    ("fast carry-over: dv >= -emitted", "max(np.int64(v - v_start), -np.int64(emitted))", "np.int64(v - v_start)"),
    ("fast carry-over: dv may be negative", "max(np.int64(v - v_start), -np.int64(emitted))", "max(np.int64(v - v_start), 0)"),
    ("fast carry-over: rounds to the nearest", "residual + 32", "residual"),
    ("fast carry-over: halves go up", "residual + 32", "residual + 31"),
    ("fast carry-over: alpha in 64ths", ">> 6", ">> 5"),
    ("fast carry-over: clipped at lo", ", np.int64(low))", ", np.int64(low - 2**22))"),
    ("fast carry-over: clipped at hi", ", np.int64(high))", ", np.int64(high + 2**22))"),
    ("fast carry-over: around v_init", "max(v_init + (", "max(v_start + ("),
    scope="carried_over",
)

CARRY_OVER = mutants(
    "toolchain/simulation/fast/kernels.py",
    "fast",
    ("fast if: v_init = theta // 2", "start = threshold >> np.int32(1)", "start = (threshold + np.int32(1)) >> np.int32(1)"),
    ("fast if: lo = 0", ", 0, threshold, alpha", ", -threshold, threshold, alpha"),
    ("fast if: hi = theta", ", 0, threshold, alpha", ", 0, start, alpha"),
    ("fast if: a start carries nothing over", "if control == CARRY:", "if True:"),
    ("fast if: residual carried over", "if control == CARRY:", "if False:"),
    ("fast if: emitted = n theta", "np.int64(state[net + j]) * threshold", "np.int64(state[net + j])"),
    ("fast if: dv is measured from v_start", "state[start_at + j] = start", "state[start_at + j] = threshold >> np.int32(1)"),
    ("fast if: emitted counts one decision", "state[net + j] = np.int32(0)", "pass"),
    scope="carry_over",
)

CARRY_OVER_GRADED = mutants(
    "toolchain/simulation/fast/kernels.py",
    "fast",
    ("fast mt: v_init = 0", "unit, start = neurons[thresholds + j], np.int32(0)", "unit, start = neurons[thresholds + j], neurons[thresholds + j]"),
    ("fast mt: lo = -4 lambda", "-4 * unit, 4 * unit", "0, 4 * unit"),
    ("fast mt: hi = 4 lambda", "-4 * unit, 4 * unit", "-4 * unit, 8 * unit"),
    ("fast mt: a start carries nothing over", "if control == CARRY:", "if True:"),
    ("fast mt: residual carried over", "if control == CARRY:", "if False:"),
    ("fast mt: emitted = c lambda", "np.int64(state[net + j]) * unit", "np.int64(state[net + j])"),
    ("fast mt: dv is measured from v_start", "state[start_at + j] = start", "state[start_at + j] = np.int32(0)"),
    ("fast mt: emitted counts one decision", "state[net + j] = np.int32(0)", "pass"),
    scope="carry_over_graded",
)

CARRY_OVER_DIFFERENTIAL = mutants(
    "toolchain/simulation/fast/kernels.py",
    "fast",
    ("fast dc: theta // 2 = 4 D lambda", "half, start = 4 * units", "half, start = 4"),
    ("fast dc: v_init = 0", "start = 4 * units * neurons[thresholds + j], np.int32(0)", "start = 4 * units * neurons[thresholds + j], neurons[thresholds + j]"),
    ("fast dc: lo = -4 D lambda", "-half, half, alpha", "0, half, alpha"),
    ("fast dc: a start carries nothing over", "if control == CARRY:", "if True:"),
    ("fast dc: residual carried over", "if control == CARRY:", "if False:"),
    ("fast dc: dv is measured from v_start", "state[start_at + j] = start", "state[start_at + j] = np.int32(0)"),
    ("fast dc: c = 0 at the start", "state[net + j] = np.int32(0)", "pass"),
    ("fast dc: ein = D b at the start", "units * neurons[first + j]", "neurons[first + j]"),
    ("fast dc: eout = 0 at the start", "state[mean_out + j] = np.int32(0)", "pass"),
    scope="carry_over_differential",
)

SIGMA_DELTA = mutants(
    "toolchain/simulation/fast/kernels.py",
    "fast",
    ("fast sdn: clipped at qmax", "min(max(unclipped, neurons[lows + j]), neurons[highs + j])", "max(unclipped, neurons[lows + j])"),
    ("fast sdn: clipped at qmin", "min(max(unclipped, neurons[lows + j]), neurons[highs + j])", "min(unclipped, neurons[highs + j])"),
    ("fast sdn: clipped q are counted", "clipped += np.int32(value != unclipped)", "clipped += np.int32(value < unclipped)"),
    ("fast sdn: sent once d >= trigger", "(change >= trigger)", "(change > trigger)"),
    ("fast sdn: sent once d <= -trigger", "(change <= -trigger)", "(change < -trigger)"),
    ("fast sdn: a return to 0 is always sent", " | (value == 0)", ""),
    ("fast sdn: ref follows what was sent", "state[reference + j] += payload", "state[reference + j] += change"),
    ("fast sdn: q rounds to the nearest", "np.int32(0)) + neurons[thresholds + j]))", "np.int32(0))))"),
    ("fast sdn: relu", "np.int32(2) * max(state[where + j], np.int32(0))", "np.int32(2) * abs(state[where + j])"),
    ("fast sdn: identity rounds to the nearest", "(2 * np.int64(state[where + j]) + theta) // (2 * theta)", "np.int64(state[where + j]) // theta"),
    ("fast sdn: identity's halves go up", "(2 * np.int64(state[where + j]) + theta) //", "(2 * np.int64(state[where + j]) + theta - 1) //"),
    ("fast table: a segment holds its start", "if tables[0, base + middle] <= value:", "if tables[0, base + middle] < value:"),
    ("fast table: rounds to the nearest", " + (np.int64(1) << (bits - 1))) >> bits", ") >> bits"),
    ("fast table: measured from the segment's start", "np.int64(value - tables[0, k])", "np.int64(value)"),
    ("fast table: what is cut still counts as clipped", "BEYOND = 2**30", "BEYOND = 3"),
    ("fast sdn: acc starts at the bias", "state[where + j] = view.neurons[first + j]\n", "state[where + j] = np.int32(0)\n"),
    ("fast sdn: a start clears ref", "state[where + outputs + j] = np.int32(0)", "pass"),
    ("fast sdn: acc never cleared in an episode", "elif control == START:", "else:"),
)

FLOW = mutants(
    "toolchain/simulation/fast/kernels.py",
    "fast",
    ("fast: every non-zero payload is an event", "np.uint32(value | -value) >> np.uint32(31)", "np.uint32(-value) >> np.uint32(31)"),
    ("fast census: messages", "counts[0, layer] += np.int64(found)", "counts[0, layer] += np.int64(inputs)"),
    ("fast census: synops", "counts[1, layer] += synops", "counts[1, layer] += np.int64(found)"),
    ("fast readout: starts at T * b", "times * view.neurons[first + j]", "view.neurons[first + j]"),
    ("fast readout: starts at D * b (dc)", "view.timesteps if kind == READOUT_RATE else view.denominator)", "view.timesteps)"),
    ("fast readout: D / t of what comes (dc)", "else view.denominator // (timestep + 1))", "else view.denominator)"),
    ("fast: spikes add, four at a time", "low = np.int16(np.int16(weights[a + j]) + np.int16(weights[b + j]))", "low = np.int16(weights[a + j])"),
    ("fast: spikes add, the rest", "        k += ONE\n", "        k += FOUR\n"),
    ("fast: graded payloads multiply", "target[total + j] += np.int32(weights[a + j]) * p\n", "target[total + j] += np.int32(weights[a + j])\n"),
    ("fast: graded payloads multiply, two at a time", "np.int32(weights[b + j]) * q", "np.int32(weights[b + j]) * p"),
    ("fast: the input is held", "held = later and kind != DC", "held = False"),
    ("fast: only the first layer's input is held", "later = layer == 0 and timestep > 0", "later = timestep > 0"),
    ("fast: no delay between layers", "(ZERO, stride) if layer & 1 == 0 else (stride, ZERO)", "(ZERO, stride) if layer == 0 else (ZERO, ZERO)"),
    ("fast: resync_every", "due = view.resync_every > 0 and number > 0 and number % view.resync_every == 0", "due = False"),
    ("fast: resync_every counts from the episode's start", "number % view.resync_every == 0", "(number + 1) % view.resync_every == 0"),
    ("fast: a resync is word 2", "START if rows[row, 0] or rows[row, 1] or due", "START if rows[row, 0] or due"),
    (
        "fast: a resync keeps the decision's number",
        "        number = 0 if rows[row, 0] else rows[row, 2]\n        due",
        "        number = 0 if rows[row, 0] or rows[row, 1] else rows[row, 2]\n        due",
    ),
    ("fast: sdn gets q0 - ref0", "difference = view.across and control == CARRY", "difference = False"),
    ("fast: a start announces q0 whole", "difference = view.across and control == CARRY", "difference = view.across"),
    (
        "fast: rows that are not active wait",
        "        if not active[row]:\n            actions[row, :] = np.nan\n            continue\n",
        "        if not active[row]:\n            actions[row, :] = np.nan\n",
    ),
    ("fast: rows that are not active return NaN", "actions[row, :] = np.nan", "actions[row, :] = 0"),
    ("fast census: decisions", "counts[0, last + 1] += 1", "counts[0, last + 1] = 1"),
    ("fast census: encoder saturations", "counts[2, last + 1] += encoded_saturations", "counts[2, last + 1] = encoded_saturations"),
    (
        "fast: a refused observation changes nothing",
        "                return row * features + bad",
        "                rows[row, 2] += 1\n                return row * features + bad",
    ),
)

PLAN = mutants(
    "toolchain/simulation/fast/plan.py",
    "fast",
    ("fast sdn: division by multiplication", "shifts = [26 + ", "shifts = [20 + "),
    ("fast sdn: the multiplier is rounded up", "-((-(1 << shift)) // divisor)", "(1 << shift) // divisor"),
    ("fast: layers lie behind one another", "at_state += layer.outputs * state_slots(kind)", "at_state += layer.outputs * 2"),
    ("fast: state of dc has five parts", "DC: 5}", "DC: 4}"),
)

FAST = (
    *FIRE,
    *FIRE_SIGNED,
    *GRADED,
    *FIRE_GRADED,
    *FIRE_DIFFERENTIAL,
    *CARRIED,
    *CARRY_OVER,
    *CARRY_OVER_GRADED,
    *CARRY_OVER_DIFFERENTIAL,
    *SIGMA_DELTA,
    *FLOW,
    *PLAN,
)
