"""Mutants of the fast kernels that integrate and fire."""

from __future__ import annotations

from tests.mutants.mutant import inside, mutants

KERNELS = "fast kernels"
WINDOW_START = "fast window start"
FILES = {
    "if": "fast integrate and fire",
    "snm": "fast signed memory",
    "mt": "fast multi threshold",
    "dc": "fast differential coding",
    "sdn": "fast sigma delta",
}
CLIP = """        value = min(max(raw, np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))
        clipped += np.int32(value != raw)
"""
RAW = "        raw = state[where + j] + sums[total + j] + neurons[first + j]\n"
MEAN_RAW = (
    "        raw = state[where + j] + units * synaptic + state[mean_in + j] - state[mean_out + j]\n"
)
THRESHOLD = "        threshold = neurons[thresholds + j]\n"


# Integration, up to the line that is this neuron's own.
MEMBRANES = {
    "if": RAW + CLIP + THRESHOLD + "        spike = np.int32(value > threshold)\n",
    "snm": RAW + CLIP + THRESHOLD + "        spike = np.int32(value >= threshold) -",
    "mt": RAW + CLIP + "        unit = neurons[thresholds + j]\n",
    "dc": MEAN_RAW + CLIP,
}
RESET = """        state[where + j] = value - threshold * spike
        state[net + j] += spike
"""
RESETS = {
    "if": "        spike = np.int32(value > threshold)\n" + RESET,
    "snm": "(state[net + j] >= 1))\n" + RESET,
    "mt": """        state[where + j] = value - unit * payload
        state[net + j] += payload
""",
}
OPENED = """, alpha)
        state[where + j] = start
        state[start_at + j] = start
        state[net + j] = np.int32(0)
"""
CARRIED = (
    "        if control == CARRY:\n"
    "            start = carried_over(state[where + j], state[start_at + j], "
)
OPENINGS = {
    "if": CARRIED + "start, np.int64(state[net + j]) * threshold, 0, threshold" + OPENED,
    "mt": CARRIED + "0, np.int64(state[net + j]) * unit, -4 * unit, 4 * unit" + OPENED,
    "dc": CARRIED + "0, np.int64(state[net + j]), -half, half" + OPENED,
}


def membrane(kind: str) -> list[tuple[str, str, str]]:
    """Of each neuron: integration, clipping and its count."""
    block = MEMBRANES[kind]
    return [
        inside(f"fast {kind}: membrane's lowest", block, "-STATE_LIMIT)", "-STATE_LIMIT - 1)"),
        inside(
            f"fast {kind}: membrane's highest",
            block,
            "np.int32(STATE_LIMIT)",
            "np.int32(STATE_LIMIT + 1)",
        ),
        inside(
            f"fast {kind}: saturates before firing",
            block,
            "(value != raw)\n",
            "(value != raw)\n        value = raw\n",
        ),
        inside(f"fast {kind}: saturations count", block, "(value != raw)", "(value < raw)"),
        *(
            []
            if kind == "dc"
            else [
                inside(f"fast {kind}: bias in every timestep", block, " + neurons[first + j]", "")
            ]
        ),
    ]


def opening(kind: str) -> list[tuple[str, str, str]]:
    """Of each carry-over: when and from what."""
    block = OPENINGS[kind]
    return [
        inside(
            f"fast {kind}: a start carries nothing over", block, "if control == CARRY:", "if True:"
        ),
        inside(f"fast {kind}: residual carried over", block, "if control == CARRY:", "if False:"),
        inside(
            f"fast {kind}: dv is measured from v_start",
            block,
            "state[start_at + j] = start\n",
            "state[start_at + j] = np.int32(0)\n",
        ),
        inside(
            f"fast {kind}: emitted counts one decision",
            block,
            "state[net + j] = np.int32(0)",
            "pass",
        ),
    ]


FIRE = (
    *mutants(FILES["if"], "fast", *membrane("if")),
    *mutants(FILES["snm"], "fast", *membrane("snm")),
    *mutants(FILES["mt"], "fast", *membrane("mt")),
    *mutants(FILES["dc"], "fast", *membrane("dc")),
    *mutants(WINDOW_START, "fast", *opening("if")),
    *mutants(FILES["mt"], "fast", *opening("mt")),
    *mutants(FILES["dc"], "fast", *opening("dc")),
    *mutants(
        FILES["if"],
        "fast",
        (
            "fast if: fires strictly above theta",
            "np.int32(value > threshold)",
            "np.int32(value >= threshold)",
        ),
        inside(
            "fast if: soft reset",
            RESETS["if"],
            "value - threshold * spike",
            "value * (np.int32(1) - spike)",
        ),
        inside(
            "fast if: emitted += theta",
            RESETS["if"],
            "state[net + j] += spike",
            "state[net + j] += np.int32(0)",
        ),
    ),
    *mutants(
        WINDOW_START,
        "fast",
        inside(
            "fast if: emitted is in membrane units",
            OPENINGS["if"],
            "np.int64(state[net + j]) * threshold",
            "np.int64(state[net + j])",
        ),
        (
            "fast if: v_init = theta // 2",
            "start = threshold >> np.int32(1)",
            "start = (threshold + np.int32(1)) >> np.int32(1)",
        ),
        (
            "fast: dv >= -emitted",
            "max(np.int64(v - v_start), -np.int64(emitted))",
            "np.int64(v - v_start)",
        ),
        (
            "fast: dv may be negative",
            "max(np.int64(v - v_start), -np.int64(emitted))",
            "max(np.int64(v - v_start), np.int64(0))",
        ),
        ("fast: carry-over rounds to the nearest", "residual + 32", "residual"),
        ("fast: carry-over's halves go up", "residual + 32", "residual + 31"),
        ("fast: alpha in 64ths", ">> 6), np.int64(low)", ">> 5), np.int64(low)"),
        inside(
            "fast if: lo = 0",
            OPENINGS["if"],
            "threshold, 0, threshold",
            "threshold, -threshold, threshold",
        ),
        inside(
            "fast if: hi = theta", OPENINGS["if"], "0, threshold, alpha", "0, threshold >> 1, alpha"
        ),
    ),
)
SIGNED = (
    *mutants(
        FILES["snm"],
        "fast",
        ("fast snm: fires at theta", "np.int32(value >= threshold)", "np.int32(value > threshold)"),
        ("fast snm: negative strictly below 0", "(value < 0) &", "(value <= 0) &"),
        (
            "fast snm: nothing is taken back that was not sent",
            "(state[net + j] >= 1)",
            "(state[net + j] >= 0)",
        ),
        (
            "fast snm: the last spike may be taken back",
            "(state[net + j] >= 1)",
            "(state[net + j] > 1)",
        ),
        inside(
            "fast snm: soft reset",
            RESETS["snm"],
            "value - threshold * spike",
            "value * (np.int32(1) - spike)",
        ),
        inside(
            "fast snm: n counts back",
            RESETS["snm"],
            "state[net + j] += spike",
            "state[net + j] += abs(spike)",
        ),
    ),
    *mutants(
        KERNELS,
        "fast",
        (
            "fast snm: payloads have a sign",
            "if layer > 0 and (kind == IF or kind == LEAKY):",
            "if layer > 0 and kind <= SNM:",
        ),
    ),
)
GRADED = mutants(
    FILES["mt"],
    "fast",
    ("fast mt: fires at 3/4 lambda", "np.int32(four >= at)", "np.int32(four > at)"),
    ("fast mt: fires at 3/4 of 2 lambda", "(four >= 2 * at)", "(four > 2 * at)"),
    ("fast mt: fires at 3/4 of 4 lambda", "(four >= 4 * at)", "(four > 4 * at)"),
    ("fast mt: fires at 3/4 of 8 lambda", "(four >= 8 * at)", "(four > 8 * at)"),
    ("fast mt: 3/4, not 1", "np.int32(3) * unit", "np.int32(4) * unit"),
    ("fast mt: negative at -3/4 lambda", "(four <= -at)", "(four < -at)"),
    ("fast mt: negative at -3/4 of 2 lambda", "(four <= -2 * at)", "(four < -2 * at)"),
    ("fast mt: negative at -3/4 of 4 lambda", "(four <= -4 * at)", "(four < -4 * at)"),
    ("fast mt: negative at -3/4 of 8 lambda", "(four <= -8 * at)", "(four < -8 * at)"),
    ("fast mt: nothing is taken back that was not sent", " & (emitted >= one)", ""),
    ("fast mt: 2 must have been sent", " & (emitted >= 2 * one)", " & (emitted >= one)"),
    ("fast mt: 4 must have been sent", " & (emitted >= 4 * one)", " & (emitted >= 2 * one)"),
    ("fast mt: 8 must have been sent", " & (emitted >= 8 * one)", " & (emitted >= 4 * one)"),
    ("fast mt: the last 1 may be taken back", "(emitted >= one)", "(emitted > one)"),
    ("fast mt: the last 2 may be taken back", "(emitted >= 2 * one)", "(emitted > 2 * one)"),
    ("fast mt: the last 4 may be taken back", "(emitted >= 4 * one)", "(emitted > 4 * one)"),
    ("fast mt: the last 8 may be taken back", "(emitted >= 8 * one)", "(emitted > 8 * one)"),
    ("fast mt: spikes are taken back", " - (np.int32(1) << down >> np.int32(1))", ""),
    inside(
        "fast mt: soft reset",
        RESETS["mt"],
        "value - unit * payload",
        "value * np.int32(payload == 0)",
    ),
    inside("fast mt: c counts back", RESETS["mt"], "+= payload", "+= abs(payload)"),
    (
        "fast mt: c counts units",
        "payload = graded_spike(value, unit, state[net + j], np.int32(1))",
        "payload = graded_spike(value, unit, state[net + j], unit)",
    ),
    inside(
        "fast mt: emitted is in membrane units",
        OPENINGS["mt"],
        "np.int64(state[net + j]) * unit",
        "np.int64(state[net + j])",
    ),
    inside("fast mt: lo = -(theta // 2)", OPENINGS["mt"], "-4 * unit", "0"),
    inside("fast mt: hi = theta // 2", OPENINGS["mt"], ", 4 * unit", ", 8 * unit"),
)
DIFFERENTIAL = (
    *mutants(
        FILES["dc"],
        "fast",
        inside("fast dc: v += D I", MEMBRANES["dc"], "units * synaptic", "synaptic"),
        inside("fast dc: v += ein", MEMBRANES["dc"], " + state[mean_in + j]", ""),
        inside("fast dc: v -= eout", MEMBRANES["dc"], " - state[mean_out + j]", ""),
        (
            "fast dc: c += eout",
            "emitted = state[net + j] + state[mean_out + j]",
            "emitted = state[net + j]",
        ),
        (
            "fast dc: c += eout before p is chosen",
            "graded_spike(value, unit, emitted, unit)",
            "graded_spike(value, unit, state[net + j], unit)",
        ),
        (
            "fast dc: c is in units of 1/D",
            "graded_spike(value, unit, emitted, unit)",
            "graded_spike(value, unit, emitted, threshold)",
        ),
        (
            "fast dc: fires by D lambda",
            "graded_spike(value, unit, emitted, unit)",
            "graded_spike(value, threshold, emitted, unit)",
        ),
        (
            "fast dc: v -= p D lambda",
            "value - unit * payload\n        state[net + j] = emitted",
            "value - threshold * payload\n        state[net + j] = emitted",
        ),
        ("fast dc: c += p D lambda", "emitted + unit * payload", "emitted"),
        (
            "fast dc: ein += (D / t) I",
            "state[mean_in + j] += share * synaptic",
            "state[mean_in + j] += units * synaptic",
        ),
        ("fast dc: ein grows", "state[mean_in + j] += share * synaptic", "pass"),
        (
            "fast dc: eout += (D / t) p lambda",
            "+= share * payload * threshold",
            "+= units * payload * threshold",
        ),
        (
            "fast dc: eout falls with a negative p",
            "+= share * payload * threshold",
            "+= share * abs(payload) * threshold",
        ),
        (
            "fast dc: t counts from 1",
            "np.int32(denominator // (timestep + 1))",
            "np.int32(denominator // max(timestep, 1))",
        ),
        (
            "fast dc: theta = 8 D lambda",
            "half = 4 * units * neurons",
            "half = 4 * neurons",
        ),
        inside("fast dc: lo = -(theta // 2)", OPENINGS["dc"], "-half, half", "0, half"),
        inside("fast dc: hi = theta // 2", OPENINGS["dc"], "-half, half", "-half, 2 * half"),
        inside("fast dc: emitted = c", OPENINGS["dc"], "np.int64(state[net + j])", "0"),
        (
            "fast dc: ein starts at D b",
            "state[mean_in + j] = units * neurons[first + j]",
            "state[mean_in + j] = neurons[first + j]",
        ),
        (
            "fast dc: ein starts anew in each decision",
            "state[mean_in + j] = units * neurons[first + j]",
            "pass",
        ),
        ("fast dc: eout = 0 at the start", "state[mean_out + j] = np.int32(0)", "pass"),
    ),
    *mutants(
        KERNELS,
        "fast",
        ("fast dc: the input comes once", "held = later and kind != DC", "held = later"),
        (
            "fast readout: acc += (D / t) I (dc)",
            "view.denominator // (timestep + 1))",
            "view.denominator)",
        ),
        (
            "fast readout: starts at D * b (dc)",
            "kind == READOUT_RATE else view.denominator)\n            for",
            "kind == READOUT_RATE else view.timesteps)\n            for",
        ),
    ),
)
