"""Mutants of the neurons that start anew in every decision: if, snm, mt and dc."""

from __future__ import annotations

from tests.mutants.mutant import mutants

INTEGRATE_AND_FIRE = mutants(
    "integrate and fire",
    "reference",
    ("if: fires strictly above theta", "(v > layer.threshold)", "(v >= layer.threshold)"),
    ("if: v_init = theta // 2", "return theta // 2,", "return (theta + 1) // 2,"),
    ("if: v_init is not 0", "return theta // 2,", "return 0 * theta,"),
    ("if: lo = 0", "np.zeros_like(theta), theta", "-theta, theta"),
    ("if: hi = theta", "np.zeros_like(theta), theta", "np.zeros_like(theta), 2 * theta"),
    ("if: hi is not v_init", "np.zeros_like(theta), theta", "np.zeros_like(theta), theta // 2"),
)

WINDOWED = mutants(
    "windowed",
    "reference",
    (
        "windowed: soft reset",
        'v - payloads * layer.threshold, state["v"]',
        'v * (payloads == 0), state["v"]',
    ),
    (
        "windowed: resets by theta",
        'v - payloads * layer.threshold, state["v"]',
        'v - payloads, state["v"]',
    ),
    (
        "windowed: a negative spike gives back",
        'v - payloads * layer.threshold, state["v"]',
        'v - abs(payloads) * layer.threshold, state["v"]',
    ),
    ("windowed: a start carries nothing over", "control == CARRY", "control != INACTIVE"),
    (
        "windowed: residual carried over",
        "np.where((control == CARRY)[:, None], carried, v_init)",
        "v_init + 0 * carried",
    ),
    ("windowed: emitted counts one decision", '("net", "elapsed")', '("elapsed",)'),
    ("windowed: emitted is in membrane units", 'state["net"] * layer.threshold', 'state["net"]'),
    ("windowed: emitted is net", 'state["net"] += payloads', 'state["net"] += abs(payloads)'),
    (
        "windowed: dv is measured from v_start",
        'state["v_start"] = np.where(active, start,',
        'state["v_start"] = np.where(active, v_init,',
    ),
    (
        "windowed: the input is latched",
        'if layer.hold_input:\n            state["latch"]',
        'if False:\n            state["latch"]',
    ),
    (
        "windowed: only the first layer's input is latched",
        'if layer.hold_input:\n            state["latch"]',
        'if True:\n            state["latch"]',
    ),
    (
        "windowed: the latch holds the first timestep",
        '(state["elapsed"] == 0)',
        '(state["elapsed"] >= 0)',
    ),
    (
        "windowed: bias in every timestep",
        "synaptic + layer.bias",
        'synaptic + layer.bias * (state["elapsed"] == 0)',
    ),
    ("windowed: bias", 'state["v"] + synaptic + layer.bias, state', 'state["v"] + synaptic, state'),
    (
        "windowed: saturates with the bias",
        "synaptic + layer.bias, state, active)",
        "synaptic, state, active) + layer.bias",
    ),
    (
        "windowed: saturates before firing",
        """        v = saturate(state["v"] + synaptic + layer.bias, state, active)
        payloads = np.where(rows, self.fire(layer, v, state["net"]), 0)
        state["v"] = np.where(rows, v - payloads * layer.threshold, state["v"])
""",
        """        v = state["v"] + synaptic + layer.bias
        payloads = np.where(rows, self.fire(layer, v, state["net"]), 0)
        state["v"] = np.where(
            rows, saturate(v - payloads * layer.threshold, state, active), state["v"]
        )
""",
    ),
    (
        "windowed: rows that are not active keep their state",
        'np.where(rows, v - payloads * layer.threshold, state["v"])',
        "v - payloads * layer.threshold",
    ),
    (
        "windowed: rows that are not active are silent",
        'np.where(rows, self.fire(layer, v, state["net"]), 0)',
        'self.fire(layer, v, state["net"])',
    ),
)

SIGNED_MEMORY = mutants(
    "signed memory",
    "reference",
    ("snm: fires at theta", "np.where(v >= theta, 1,", "np.where(v > theta, 1,"),
    ("snm: negative strictly below 0", "(v < 0) &", "(v <= 0) &"),
    ("snm: negative below 0, not below -theta", "(v < 0) &", "(v <= -theta) &"),
    ("snm: nothing is taken back that was not sent", "(net >= 1)", "(net >= 0)"),
    ("snm: the last spike may be taken back", "(net >= 1)", "(net > 1)"),
    ("snm: spikes are taken back", "-1, 0))", "0, 0))"),
    ("snm: v_init = theta // 2", "return theta // 2,", "return (theta + 1) // 2,"),
    ("snm: v_init is not 0", "return theta // 2,", "return 0 * theta,"),
    ("snm: lo = 0", "np.zeros_like(theta), theta", "-theta, theta"),
    ("snm: hi = theta", "np.zeros_like(theta), theta", "np.zeros_like(theta), 2 * theta"),
)

MULTI_THRESHOLD = mutants(
    "multi threshold",
    "reference",
    ("mt: fires at 3/4 p lambda", "4 * v >= 3 * p * unit", "4 * v > 3 * p * unit"),
    ("mt: fires at 3/4 p lambda, not at p lambda", "4 * v >= 3 * p * unit", "v >= p * unit"),
    ("mt: fires at 3/4 p lambda, not at 1/2", "4 * v >= 3 * p * unit", "4 * v >= 2 * p * unit"),
    ("mt: negative at -3/4 p lambda", "(4 * v <= -3 * p * unit)", "(4 * v < -3 * p * unit)"),
    (
        "mt: negative at -3/4 p lambda, not at -p lambda",
        "(4 * v <= -3 * p * unit)",
        "(v <= -p * unit)",
    ),
    ("mt: nothing is taken back that was not sent", " & (sent >= p)", ""),
    ("mt: p units must have been sent, not one", "(sent >= p)", "(sent >= 1)"),
    ("mt: all that was sent may be taken back", "(sent >= p)", "(sent > p)"),
    (
        "mt: less was sent, so less is taken back",
        "(sent >= p), -p",
        "(sent >= p) & ((p == 8) | (4 * v > -6 * p * unit)), -p",
    ),
    ("mt: spikes are taken back", ", -p, payload)", ", 0, payload)"),
    (
        "mt: the largest p",
        "in PAYLOADS:\n        payload = np.where((4 * v <=",
        "in PAYLOADS[::-1]:\n        payload = np.where((4 * v <=",
    ),
    (
        "mt: the largest p that is sent",
        "in PAYLOADS:\n        payload = np.where(4 * v >=",
        "in PAYLOADS[::-1]:\n        payload = np.where(4 * v >=",
    ),
    ("mt: p is 8 too", "PAYLOADS = (1, 2, 4, 8)", "PAYLOADS = (1, 2, 4)"),
    ("mt: p is a power of two", "PAYLOADS = (1, 2, 4, 8)", "PAYLOADS = (1, 2, 3, 4, 5, 6, 7, 8)"),
    ("mt: v_init = 0", "return np.zeros_like(half), -half", "return half, -half"),
    ("mt: lo = -(theta // 2)", ", -half, half", ", 0 * half, half"),
    ("mt: hi = theta // 2", ", -half, half", ", -half, 2 * half"),
    ("mt: theta = 8 lambda", "half = 4 *", "half = 2 *"),
)

DIFFERENTIAL_CODING = mutants(
    "differential coding",
    "reference",
    ("dc: theta = 8 D lambda", "half = 4 * units * layer", "half = 4 * layer"),
    ("dc: v_init = 0", "v_init = np.zeros_like(half)", "v_init = half"),
    ("dc: lo = -(theta // 2)", "-half, half, alpha", "0 * half, half, alpha"),
    ("dc: hi = theta // 2", "-half, half, alpha", "-half, 2 * half, alpha"),
    ("dc: emitted = c", 'state["c"], -half', '0 * state["c"], -half'),
    ("dc: dv >= -c", 'state["c"], -half', 'state["c"] + 2**30, -half'),
    ("dc: a start carries nothing over", "control == CARRY", "control != INACTIVE"),
    (
        "dc: residual carried over",
        "np.where((control == CARRY)[:, None], carried, v_init)",
        "v_init + 0 * carried",
    ),
    ("dc: dv is measured from v_start", '("v_start", start)', '("v_start", v_init)'),
    ("dc: ein starts at D b", "units * layer.bias.astype(np.int64)", "layer.bias.astype(np.int64)"),
    (
        "dc: ein starts anew in each decision",
        "units * layer.bias.astype(np.int64)",
        'units * layer.bias + state["ein"]',
    ),
    ("dc: eout = 0 at the start", '("eout", 0)', '("eout", state["eout"])'),
    ("dc: c = 0 at the start", '("c", 0)', '("c", state["c"])'),
    ("dc: t starts anew in each decision", ', ("elapsed", 0)', ""),
    ("dc: v += D I", 'state["v"] + units * synaptic', 'state["v"] + synaptic'),
    ("dc: v += ein", ' + state["ein"] - state["eout"]', ' - state["eout"]'),
    ("dc: v -= eout", ' - state["eout"], state', ", state"),
    ("dc: c += eout", 'c = state["c"] + state["eout"]', 'c = state["c"]'),
    ("dc: c += eout before p is chosen", "c // unit), 0)", 'state["c"] // unit), 0)'),
    (
        "dc: c += eout takes the old eout",
        'c = state["c"] + state["eout"]',
        'c = state["c"] + 2 * state["eout"]',
    ),
    ("dc: negative only if c >= p D lambda", "c // unit), 0)", "c + 0 * unit), 0)"),
    ("dc: a part of a unit is not enough", "c // unit), 0)", "-(-c // unit)), 0)"),
    ("dc: v -= p D lambda", "v - payloads * unit", "v - payloads * layer.threshold"),
    ("dc: soft reset", "v - payloads * unit", "v * (payloads == 0)"),
    ("dc: c += p D lambda", "c + payloads * unit", "c"),
    ("dc: c += p D lambda, not p lambda", "c + payloads * unit", "c + payloads * layer.threshold"),
    ("dc: ein += (D / t) I", '["ein"] + per_timestep * synaptic', '["ein"]'),
    (
        "dc: ein += (D / t) I, not D I",
        '["ein"] + per_timestep * synaptic',
        '["ein"] + units * synaptic',
    ),
    (
        "dc: ein does not grow by the bias",
        '["ein"] + per_timestep * synaptic',
        '["ein"] + per_timestep * (synaptic + layer.bias)',
    ),
    (
        "dc: ein takes what came after v",
        '+ state["ein"] - state',
        '+ state["ein"] + per_timestep * synaptic - state',
    ),
    (
        "dc: eout += (D / t) p lambda",
        '["eout"] + per_timestep * payloads * layer.threshold',
        '["eout"]',
    ),
    (
        "dc: eout += (D / t) p lambda, not D p lambda",
        '["eout"] + per_timestep * payloads',
        '["eout"] + units * payloads',
    ),
    (
        "dc: eout falls with a negative p",
        '["eout"] + per_timestep * payloads',
        '["eout"] + per_timestep * abs(payloads)',
    ),
    ("dc: t counts from 1", '(state["elapsed"] + rows).clip(1)', 'state["elapsed"].clip(1)'),
    (
        "dc: saturates before firing",
        'saturate(state["v"] + units * synaptic + state["ein"] - state["eout"], state, active)',
        'state["v"] + units * synaptic + state["ein"] - state["eout"]',
    ),
    (
        "dc: rows that are not active keep v",
        'np.where(rows, v - payloads * unit, state["v"])',
        "v - payloads * unit",
    ),
    (
        "dc: rows that are not active keep c",
        'np.where(rows, c + payloads * unit, state["c"])',
        "c + payloads * unit",
    ),
    (
        "dc: rows that are not active are silent",
        "np.where(rows, largest_payload(v, unit, c // unit), 0)",
        "largest_payload(v, unit, c // unit)",
    ),
)

CARRY_OVER = mutants(
    "neuron",
    "reference",
    (
        "membrane: lowest is -(2^23 - 1)",
        "np.clip(value, -STATE_LIMIT,",
        "np.clip(value, -STATE_LIMIT - 1,",
    ),
    (
        "membrane: highest is 2^23 - 1",
        "-STATE_LIMIT, STATE_LIMIT)",
        "-STATE_LIMIT, STATE_LIMIT + 1)",
    ),
    (
        "membrane: saturates, does not wrap",
        "np.clip(value, -STATE_LIMIT, STATE_LIMIT)",
        "(value + 2**23) % 2**24 - 2**23",
    ),
    (
        "membrane: only active rows count",
        "(clipped != value) & active[:, None]",
        "clipped != value",
    ),
    ("carry-over: dv >= -emitted", "np.maximum(v_end - v_start, -emitted)", "v_end - v_start"),
    (
        "carry-over: dv may be negative",
        "np.maximum(v_end - v_start, -emitted)",
        "np.maximum(v_end - v_start, 0)",
    ),
    (
        "carry-over: dv = v_end - v_start",
        "np.maximum(v_end - v_start,",
        "np.maximum(v_end - v_init,",
    ),
    ("carry-over: rounds to the nearest", "alpha * residual + 32", "alpha * residual"),
    ("carry-over: halves go up", "alpha * residual + 32", "alpha * residual + 31"),
    ("carry-over: alpha in 64ths", "+ 32 >> 6), low", "+ 32 >> 7), low"),
    (
        "carry-over: shift is arithmetic",
        "(alpha * residual + 32 >> 6)",
        "np.trunc((alpha * residual + 32) / 64).astype(np.int64)",
    ),
    ("carry-over: clipped at hi", "+ 32 >> 6), low, high)", "+ 32 >> 6), low, None)"),
    ("carry-over: clipped at lo", "+ 32 >> 6), low, high)", "+ 32 >> 6), None, high)"),
    ("carry-over: around v_init", "np.clip(v_init + (", "np.clip(v_start + ("),
)
