"""Mutants of the fast backend's kernels and their plan. They run uncompiled."""

from __future__ import annotations

from tests.mutants.fast_membranes import DIFFERENTIAL, FILES, FIRE, GRADED, KERNELS, SIGNED
from tests.mutants.mutant import mutants

EVENTS = "fast events"


SIGMA_DELTA = (
    *mutants(
        FILES["sdn"],
        "fast",
        (
            "fast sdn: clipped at qmax",
            "min(max(unclipped, neurons[lows + j]), neurons[highs + j])",
            "max(unclipped, neurons[lows + j])",
        ),
        (
            "fast sdn: clipped at qmin",
            "min(max(unclipped, neurons[lows + j]), neurons[highs + j])",
            "min(unclipped, neurons[highs + j])",
        ),
        (
            "fast sdn: clipped q are counted",
            "clipped += np.int32(value != unclipped)",
            "clipped += np.int32(value < unclipped)",
        ),
        ("fast sdn: sent once d >= trigger", "(change >= trigger)", "(change > trigger)"),
        ("fast sdn: sent once d <= -trigger", "(change <= -trigger)", "(change < -trigger)"),
        ("fast sdn: a return to 0 is always sent", " | (value == 0)", ""),
        (
            "fast sdn: ref follows what was sent",
            "state[reference + j] += payload",
            "state[reference + j] += change",
        ),
        (
            "fast sdn: q rounds to the nearest",
            "np.int32(0)) + neurons[thresholds + j]))",
            "np.int32(0))))",
        ),
        (
            "fast sdn: relu",
            "np.int32(2) * max(state[where + j], np.int32(0))",
            "np.int32(2) * abs(state[where + j])",
        ),
        (
            "fast sdn: identity rounds to the nearest",
            "(2 * np.int64(state[where + j]) + theta) // (2 * theta)",
            "np.int64(state[where + j]) // theta",
        ),
        (
            "fast sdn: identity's halves go up",
            "(2 * np.int64(state[where + j]) + theta) //",
            "(2 * np.int64(state[where + j]) + theta - 1) //",
        ),
        (
            "fast table: a segment holds its start",
            "if tables[0, base + middle] <= value:",
            "if tables[0, base + middle] < value:",
        ),
        ("fast table: rounds to the nearest", " + (np.int64(1) << bits - 1) >> bits", " >> bits"),
        (
            "fast table: measured from the segment's start",
            "np.int64(value - tables[0, k])",
            "np.int64(value)",
        ),
        ("fast table: what is cut still counts as clipped", "BEYOND = 2**30", "BEYOND = 3"),
    ),
    *mutants(
        KERNELS,
        "fast",
        (
            "fast sdn: acc starts at the bias",
            "state[where + j] = view.neurons[first + j]\n",
            "state[where + j] = np.int32(0)\n",
        ),
        ("fast sdn: a start clears ref", "state[where + outputs + j] = np.int32(0)", "pass"),
        ("fast sdn: acc never cleared in an episode", "elif control == START:", "else:"),
    ),
)

FLOW = (
    *mutants(
        EVENTS,
        "fast",
        (
            "fast: every non-zero payload is an event",
            "np.uint32(value | -value) >> np.uint32(31)",
            "np.uint32(-value) >> np.uint32(31)",
        ),
        (
            "fast census: messages",
            "counts[0, layer] += np.int64(found)",
            "counts[0, layer] += np.int64(inputs)",
        ),
        (
            "fast census: synops",
            "counts[1, layer] += synops",
            "counts[1, layer] += np.int64(found)",
        ),
    ),
    *mutants(
        KERNELS,
        "fast",
        (
            "fast readout: starts at T * b",
            "view.timesteps if kind == READOUT_RATE else",
            "1 if kind == READOUT_RATE else",
        ),
    ),
    *mutants(
        EVENTS,
        "fast",
        (
            "fast: spikes add, four at a time",
            "low = np.int16(np.int16(weights[a + j]) + np.int16(weights[b + j]))",
            "low = np.int16(weights[a + j])",
        ),
        ("fast: spikes add, the rest", "        k += ONE\n", "        k += FOUR\n"),
        (
            "fast: graded payloads multiply",
            "target[total + j] += np.int32(weights[a + j]) * p\n",
            "target[total + j] += np.int32(weights[a + j])\n",
        ),
        (
            "fast: graded payloads multiply, two at a time",
            "np.int32(weights[b + j]) * q",
            "np.int32(weights[b + j]) * p",
        ),
    ),
    *mutants(
        KERNELS,
        "fast",
        ("fast: the input is held", "held = later and kind != DC", "held = False"),
        ("fast: the input comes once", "later = layer == 0 and timestep > 0", "later = False"),
        (
            "fast: only the first layer's input is held",
            "later = layer == 0 and timestep > 0",
            "later = timestep > 0",
        ),
        ("fast: a readout alone holds the input", " or (kind == READOUT_RATE and layer == 0)", ""),
        (
            "fast: no delay between layers",
            "(ZERO, stride) if layer & 1 == 0 else (stride, ZERO)",
            "(ZERO, stride) if layer == 0 else (ZERO, ZERO)",
        ),
        (
            "fast: resync_every",
            "due = view.resync_every > 0 and number > 0 and (number % view.resync_every == 0)",
            "due = False",
        ),
        (
            "fast: resync_every counts from the episode's start",
            "number % view.resync_every == 0",
            "(number + 1) % view.resync_every == 0",
        ),
        (
            "fast: a resync is word 2",
            "START if rows[row, 0] or rows[row, 1] or due",
            "START if rows[row, 0] or due",
        ),
        (
            "fast: a resync keeps the decision's number",
            "        number = 0 if rows[row, 0] else rows[row, 2]\n        due",
            "        number = 0 if rows[row, 0] or rows[row, 1] else rows[row, 2]\n        due",
        ),
        (
            "fast: sdn gets q0 - ref0",
            "difference = view.across and control == CARRY",
            "difference = False",
        ),
        (
            "fast: a start announces q0 whole",
            "difference = view.across and control == CARRY",
            "difference = view.across",
        ),
        (
            "fast: rows that are not active wait",
            "        if not active[row]:\n            actions[row, :] = np.nan\n"
            "            continue\n",
            "        if not active[row]:\n            actions[row, :] = np.nan\n",
        ),
        (
            "fast: rows that are not active return NaN",
            "actions[row, :] = np.nan",
            "actions[row, :] = 0",
        ),
        ("fast census: decisions", "counts[0, last + 1] += 1", "counts[0, last + 1] = 1"),
        (
            "fast census: encoder saturations",
            "counts[2, last + 1] += encoded_saturations",
            "counts[2, last + 1] = encoded_saturations",
        ),
        (
            "fast: a refused observation changes nothing",
            "                return row * features + bad",
            "                rows[row, 2] += 1\n                return row * features + bad",
        ),
    ),
)

PLAN = (
    *mutants(
        FILES["sdn"],
        "fast",
        ("fast sdn: division by multiplication", "shifts = [26 + ", "shifts = [20 + "),
        (
            "fast sdn: the multiplier is rounded up",
            "-(-(1 << shift) // divisor)",
            "(1 << shift) // divisor",
        ),
    ),
    *mutants(
        "fast plan",
        "fast",
        (
            "fast: layers lie behind one another",
            "at_state += layer.outputs * layout.state",
            "at_state += layer.outputs",
        ),
    ),
    *mutants(FILES["dc"], "fast", ("fast dc: five integers of state", "state=5", "state=4")),
    *mutants(
        "fast plan",
        "fast",
        (
            "fast dc: D = lcm(1..T)",
            "denominator(network.timesteps) if network.coding",
            "network.timesteps if network.coding",
        ),
    ),
)

FAST = (*FIRE, *SIGNED, *GRADED, *DIFFERENTIAL, *SIGMA_DELTA, *FLOW, *PLAN)
