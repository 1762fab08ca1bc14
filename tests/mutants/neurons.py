"""Mutants of the neurons' own integer steps, which the reference executes."""

from __future__ import annotations

from tests.mutants.mutant import mutants

INTEGRATE_AND_FIRE = mutants(
    "toolchain/neurons/integrate_and_fire.py",
    "reference",
    ("if: fires strictly above theta", "(v > layer.threshold)", "(v >= layer.threshold)"),
    ("if: one spike a timestep", "(v > layer.threshold).astype(np.int64)", "np.maximum(v // layer.threshold, 0)"),
    ("if: v_init = theta // 2", "return theta // 2,", "return (theta + 1) // 2,"),
    ("if: v_init is not 0", "return theta // 2,", "return 0 * theta,"),
    ("if: lo = 0", "np.zeros_like(theta), theta", "-theta, theta"),
    ("if: hi = theta", "np.zeros_like(theta), theta", "np.zeros_like(theta), 2 * theta"),
    ("if: hi is not v_init", "np.zeros_like(theta), theta", "np.zeros_like(theta), theta // 2"),
)

SIGNED_MEMORY = mutants(
    "toolchain/neurons/signed_memory.py",
    "reference",
    ("snm: fires at theta", "np.where(v >= theta", "np.where(v > theta"),
    ("snm: takes back strictly below 0", "(v < 0)", "(v <= 0)"),
    ("snm: takes back below 0, not below -theta", "(v < 0)", "(v <= -theta)"),
    ("snm: takes back only what was sent", "(v < 0) & (net >= 1)", "(v < 0)"),
    ("snm: one net spike suffices", "(net >= 1)", "(net >= 2)"),
    ("snm: negative spikes are -1", ", -1, 0))", ", 0, 0))"),
    ("snm: v_init = theta // 2", "return theta // 2,", "return 0 * theta,"),
    ("snm: lo = 0", "np.zeros_like(theta), theta", "-theta, theta"),
    ("snm: hi = theta", "np.zeros_like(theta), theta", "np.zeros_like(theta), theta // 2"),
)

MULTI_THRESHOLD = mutants(
    "toolchain/neurons/multi_threshold.py",
    "reference",
    ("mt: fires at three quarters", "4 * v >= 3 * p * unit", "v >= p * unit"),
    ("mt: the tie fires", "4 * v >= 3 * p * unit", "4 * v > 3 * p * unit"),
    ("mt: the negative tie fires", "4 * v <= -3 * p * unit", "4 * v < -3 * p * unit"),
    ("mt: takes back at three quarters", "4 * v <= -3 * p * unit", "v <= -p * unit"),
    ("mt: takes back only what was sent", " & (sent >= p)", ""),
    ("mt: all that was sent may be taken back", "(sent >= p)", "(sent > p)"),
    ("mt: any unit sent allows one taken back", "(sent >= p)", "(sent >= 1)"),
    ("mt: the largest payload", "PAYLOADS = (1, 2, 4, 8)", "PAYLOADS = (8, 4, 2, 1)"),
    ("mt: four thresholds", "PAYLOADS = (1, 2, 4, 8)", "PAYLOADS = (1, 2, 4)"),
    ("mt: negative payloads", ", -p, payload)", ", 0, payload)"),
    ("mt: v_init = 0", "return np.zeros_like(half),", "return half,"),
    ("mt: theta // 2 = 4 lambda", "half = 4 * layer", "half = 8 * layer"),
    ("mt: lo = -(theta // 2)", ", -half, half", ", 0 * half, half"),
    ("mt: hi = theta // 2", ", -half, half", ", -half, 2 * half"),
)

DIFFERENTIAL_CODING = mutants(
    "toolchain/neurons/differential_coding.py",
    "reference",
    ("dc: D = lcm(1..T)", "half = 4 * units * layer", "half = 4 * layer"),
    ("dc: theta // 2 = 4 D lambda", "half = 4 * units", "half = 8 * units"),
    ("dc: lo = -(theta // 2)", ", -half, half, alpha", ", 0 * half, half, alpha"),
    ("dc: v_init = 0", "v_init = np.zeros_like(half)", "v_init = half"),
    ("dc: a start carries nothing over", "control == CARRY", "control != INACTIVE"),
    ("dc: residual carried over", "np.where((control == CARRY)[:, None], carried, v_init)", "v_init + 0 * carried"),
    ("dc: emitted is c", 'state["v"], state["c"], -half', 'state["v"], 0 * state["c"], -half'),
    ("dc: dv is measured from v_start", '("v_start", start)', '("v_start", v_init)'),
    ("dc: ein = D b at the start", "units * layer.bias.astype(np.int64)", "layer.bias.astype(np.int64)"),
    ("dc: eout = 0 at the start", '("eout", 0), ', ""),
    ("dc: c = 0 at the start", '("c", 0), ', ""),
    ("dc: t counts from the window's start", ', ("elapsed", 0))', ")"),
    ("dc: threshold in units of 1/D", "unit = units * layer.threshold", "unit = layer.threshold"),
    ("dc: v += D I", "units * synaptic", "synaptic"),
    ("dc: v += ein", ' + state["ein"] - state["eout"], state', ' - state["eout"], state'),
    ("dc: v -= eout", ' + state["ein"] - state["eout"], state', ' + state["ein"], state'),
    ("dc: c += eout", 'c = state["c"] + state["eout"]', 'c = state["c"]'),
    ("dc: c in units of D lambda", "v, unit, c // unit", "v, unit, c"),
    ("dc: soft reset", 'state["v"] = np.where(rows, v - payloads * unit, state["v"])', 'state["v"] = np.where(rows, v * (payloads == 0), state["v"])'),
    ("dc: c += p D lambda", "c + payloads * unit", "c + payloads"),
    ("dc: ein += D I / t", "+ per_timestep * synaptic", "+ units * synaptic"),
    ("dc: eout += D p lambda / t", "+ per_timestep * payloads * layer.threshold", "+ units * payloads * layer.threshold"),
    ("dc: the bias is in ein alone", "units * synaptic + ", "units * (synaptic + layer.bias) + "),
    ("dc: rows that are not active are silent", "payloads = np.where(rows, largest", "payloads = np.where(rows | True, largest"),
    ("dc: rows that are not active keep their state", 'np.where(rows, v - payloads * unit, state["v"])', "v - payloads * unit"),
)

WINDOWED = mutants(
    "toolchain/neurons/windowed.py",
    "reference",
    ("window: soft reset", "v - payloads * layer.threshold", "v * (payloads == 0)"),
    ("window: resets by theta", "v - payloads * layer.threshold", "v - payloads"),
    ("window: a start carries nothing over", "control == CARRY", "control != INACTIVE"),
    ("window: residual carried over", "np.where((control == CARRY)[:, None], carried, v_init)", "v_init + 0 * carried"),
    ("window: emitted counts one decision", '("net", "elapsed")', '("elapsed",)'),
    ("window: emitted = n theta", 'state["net"] * layer.threshold', 'state["net"]'),
    ("window: net counts payloads", 'state["net"] += payloads', 'state["net"] += np.abs(payloads)'),
    ("window: dv is measured from v_start", 'state["v_start"] = np.where(active, start,', 'state["v_start"] = np.where(active, v_init,'),
    ("window: the input is latched", 'if layer.hold_input:\n            state["latch"]', 'if False:\n            state["latch"]'),
    ("window: the latch holds the first timestep", '(state["elapsed"] == 0)', '(state["elapsed"] >= 0)'),
    ("window: bias in every timestep", "synaptic + layer.bias", 'synaptic + layer.bias * (state["elapsed"] == 0)'),
    ("window: bias", 'state["v"] + synaptic + layer.bias, state', 'state["v"] + synaptic, state'),
    ("window: saturates with the bias", "synaptic + layer.bias, state, active)", "synaptic, state, active) + layer.bias"),
    (
        "window: saturates before firing",
        """        v = saturate(state["v"] + synaptic + layer.bias, state, active)
        payloads = np.where(rows, self.fire(layer, v, state["net"]), 0)
        state["v"] = np.where(rows, v - payloads * layer.threshold, state["v"])
""",
        """        v = state["v"] + synaptic + layer.bias
        payloads = np.where(rows, self.fire(layer, v, state["net"]), 0)
        state["v"] = np.where(rows, saturate(v - payloads * layer.threshold, state, active), state["v"])
""",
    ),
    ("window: rows that are not active keep their state", 'np.where(rows, v - payloads * layer.threshold, state["v"])', "v - payloads * layer.threshold"),
    ("window: rows that are not active are silent", 'np.where(rows, self.fire(layer, v, state["net"]), 0)', 'self.fire(layer, v, state["net"])'),
)

CARRY_OVER = mutants(
    "toolchain/neurons/neuron.py",
    "reference",
    ("membrane: lowest is -(2^23 - 1)", "np.clip(value, -STATE_LIMIT,", "np.clip(value, -STATE_LIMIT - 1,"),
    ("membrane: highest is 2^23 - 1", "-STATE_LIMIT, STATE_LIMIT)", "-STATE_LIMIT, STATE_LIMIT + 1)"),
    ("membrane: saturates, does not wrap", "np.clip(value, -STATE_LIMIT, STATE_LIMIT)", "(value + 2**23) % 2**24 - 2**23"),
    ("membrane: only active rows count", "(clipped != value) & active[:, None]", "clipped != value"),
    ("carry-over: dv >= -emitted", "np.maximum(v_end - v_start, -emitted)", "v_end - v_start"),
    ("carry-over: dv may be negative", "np.maximum(v_end - v_start, -emitted)", "np.maximum(v_end - v_start, 0)"),
    ("carry-over: dv = v_end - v_start", "np.maximum(v_end - v_start,", "np.maximum(v_end - v_init,"),
    ("carry-over: rounds to the nearest", "alpha * residual + 32", "alpha * residual"),
    ("carry-over: halves go up", "alpha * residual + 32", "alpha * residual + 31"),
    ("carry-over: alpha in 64ths", "+ 32) >> 6), low", "+ 32) >> 7), low"),
    ("carry-over: shift is arithmetic", "((alpha * residual + 32) >> 6)", "np.trunc((alpha * residual + 32) / 64).astype(np.int64)"),
    ("carry-over: clipped at hi", "((alpha * residual + 32) >> 6), low, high)", "((alpha * residual + 32) >> 6), low, None)"),
    ("carry-over: clipped at lo", "((alpha * residual + 32) >> 6), low, high)", "((alpha * residual + 32) >> 6), None, high)"),
    ("carry-over: around v_init", "np.clip(v_init + (", "np.clip(v_start + ("),
)

READOUT = mutants(
    "toolchain/neurons/readout.py",
    "reference",
    ("readout: starts at T * b", "times * layer.bias.astype(np.int64)", "layer.bias.astype(np.int64)"),
    ("readout: starts at D * b (dc)", "denominator(timesteps) if", "timesteps if"),
    ("readout: starts anew in each decision (rate)", "else control != INACTIVE)", "else control == START)"),
    ("readout: never cleared in an episode (sdn)", "(control == START if", "(control != INACTIVE if"),
    ("readout: D / t of what comes (dc)", '// state["elapsed"].clip(1) * synaptic', "* synaptic"),
    ("readout: D / t in differential coding alone", "        if self.coding == Coding.DIFFERENTIAL:", "        if self.coding != Coding.ACROSS:"),
    ("readout: the input is latched", 'if layer.hold_input:\n            state["latch"]', 'if False:\n            state["latch"]'),
    ("readout: the latch holds the first timestep", '(state["elapsed"] == 0)', '(state["elapsed"] >= 0)'),
)

SIGMA_DELTA = mutants(
    "toolchain/neurons/sigma_delta.py",
    "reference",
    ("sdn: q rounds to the nearest", "(2 * rectified + theta) // (2 * theta)", "rectified // theta"),
    ("sdn: halves go up", "(2 * rectified + theta) // (2 * theta)", "(2 * rectified + theta - 1) // (2 * theta)"),
    ("sdn: halves do not go to even", "(2 * rectified + theta) // (2 * theta)", "np.rint(rectified / theta).astype(np.int64)"),
    ("sdn: floor division", "(2 * rectified + theta) // (2 * theta)", "np.trunc((2 * rectified + theta) / (2 * theta)).astype(np.int64)"),
    ("sdn: relu", 'if layer.activation == "relu" else', "if False else"),
    ("sdn: identity is not relu", 'if layer.activation == "relu" else', "if True else"),
    ("sdn: clipped at qmax", "np.clip(unclipped, layer.payload_low, layer.payload_high)", "np.maximum(unclipped, layer.payload_low)"),
    ("sdn: clipped at qmin", "np.clip(unclipped, layer.payload_low, layer.payload_high)", "np.minimum(unclipped, layer.payload_high)"),
    ("sdn: acc never cleared in an episode", "fresh = (control == START)[:, None]", "fresh = (control > 0)[:, None]"),
    ("sdn: a start clears acc", 'np.where(fresh, layer.bias, state["acc"])', 'state["acc"]'),
    ("sdn: acc starts at the bias", 'np.where(fresh, layer.bias, state["acc"])', 'np.where(fresh, 0, state["acc"])'),
    ("sdn: a start clears ref", 'np.where(fresh, 0, state["ref"])', 'state["ref"]'),
    ("sdn: acc integrates", 'np.where(rows, state["acc"] + synaptic, state["acc"])', 'np.where(rows, layer.bias + synaptic, state["acc"])'),
    ("sdn: ref <- q only when sent", 'np.where(send, q, state["ref"])', 'np.where(rows, q, state["ref"])'),
    ("sdn: ref follows what was sent", 'state["ref"] = np.where(send, q, state["ref"])', "pass"),
    ("sdn: sent once |d| >= trigger", "(np.abs(change) >= layer.trigger)", "(np.abs(change) > layer.trigger)"),
    ("sdn: a trigger may be reached downwards", "(np.abs(change) >= layer.trigger)", "(change >= layer.trigger)"),
    ("sdn: a return to 0 is always sent", " | (q == 0))", ")"),
    ("sdn: what is held back is not sent", "return np.where(send, change, 0)", "return np.where(rows, change, 0)"),
    ("sdn: d, not q, is sent", "return np.where(send, change, 0)", "return np.where(send, q, 0)"),
    ("sdn: clipped q are counted", "(q != unclipped) & rows", "rows & False"),
    ("sdn: only active rows count", "(q != unclipped) & rows", "q != unclipped"),
)

NETWORK = mutants(
    "toolchain/network.py",
    "reference",
    ("table: a segment holds its start", "(accumulator[..., None] >= self.start)", "(accumulator[..., None] > self.start)"),
    ("table: the last segment that fits", ".sum(-1) - 1", ".any(-1) - 1"),
    ("table: measured from the segment's start", "((accumulator - start) * multiplier", "(accumulator * multiplier"),
    ("table: rounds to the nearest", " + (np.int64(1) << (shift - 1))", ""),
    ("table: halves go up", "(np.int64(1) << (shift - 1))", "(np.int64(1) << (shift - 1)) - 1"),
    ("table: offset", "return offset + ", "return 0 * offset + "),
    ("time: a decision takes T + L steps", "return self.timesteps + len(self.layers)", "return self.timesteps + len(self.layers) - 1"),
    ("census: a synop needs a non-zero weight", "np.count_nonzero(self.weights, axis=0)", "np.full(self.inputs, self.outputs)"),
    ("decode: divided by T", "else self.timesteps\n\n    @property\n    def widths", "else 1\n\n    @property\n    def widths"),
    ("decode: divided by D (dc)", "return denominator(self.timesteps) if", "return self.timesteps if"),
    ("dc: D is the least common multiple", "math.lcm(*range(1, timesteps + 1))", "math.prod(range(1, timesteps + 1))"),
)

REFERENCE = mutants(
    "toolchain/simulation/reference.py",
    "reference",
    (
        "time: no delay between layers",
        "arriving @ self.weights[index]",
        "(sent[index - 1][:, timestep - 1] if index else arriving) @ self.weights[index]",
    ),
    ("time: T timesteps", "for timestep in range(network.timesteps)", "for timestep in range(max(network.timesteps - 1, 1))"),
    ("census: saturations of one decision", 'state["saturations"][:] = 0', "pass"),
)

NEURONS = (*INTEGRATE_AND_FIRE, *SIGNED_MEMORY, *MULTI_THRESHOLD, *DIFFERENTIAL_CODING, *WINDOWED, *CARRY_OVER, *READOUT, *SIGMA_DELTA, *NETWORK, *REFERENCE)
