"""Mutants of the neurons' own integer steps, which the reference executes."""

from __future__ import annotations

from tests.mutants.mutant import mutants

INTEGRATE_AND_FIRE = mutants(
    "toolchain/neurons/integrate_and_fire.py",
    "reference",
    ("if: fires strictly above theta", "(v > theta)", "(v >= theta)"),
    ("if: soft reset", "v - theta * spikes", "v * (1 - spikes)"),
    ("if: resets by theta", "v - theta * spikes", "v - spikes"),
    ("if: v_init = theta // 2", "v_init = theta // 2\n        carried", "v_init = (theta + 1) // 2\n        carried"),
    ("if: v_init is not 0", "v_init = theta // 2\n        carried", "v_init = 0 * theta\n        carried"),
    ("if: lo = 0", "np.zeros_like(theta), theta, alpha", "-theta, theta, alpha"),
    ("if: hi = theta", "np.zeros_like(theta), theta, alpha", "np.zeros_like(theta), 2 * theta, alpha"),
    ("if: hi is not v_init", "np.zeros_like(theta), theta, alpha", "np.zeros_like(theta), v_init, alpha"),
    ("if: a start carries nothing over", "control == CARRY", "control != INACTIVE"),
    ("if: residual carried over", "np.where((control == CARRY)[:, None], carried, v_init)", "v_init + 0 * carried"),
    ("if: emitted counts one decision", '("emitted", "elapsed")', '("elapsed",)'),
    ("if: emitted += theta", '["emitted"] += theta * spikes', '["emitted"] += spikes'),
    ("if: dv is measured from v_start", 'state["v_start"] = np.where(active, start,', 'state["v_start"] = np.where(active, v_init,'),
    ("if: the input is latched", 'if layer.hold_input:\n            state["latch"]', 'if False:\n            state["latch"]'),
    ("if: the latch holds the first timestep", '(state["elapsed"] == 0)', '(state["elapsed"] >= 0)'),
    ("if: bias in every timestep", "synaptic + layer.bias", 'synaptic + layer.bias * (state["elapsed"] == 0)'),
    ("if: bias", 'state["v"] + synaptic + layer.bias, state', 'state["v"] + synaptic, state'),
    ("if: saturates with the bias", "synaptic + layer.bias, state, active)", "synaptic, state, active) + layer.bias"),
    (
        "if: saturates before firing",
        """        v = saturate(state["v"] + synaptic + layer.bias, state, active)
        spikes = ((v > theta) & rows).astype(np.int64)
        state["v"] = np.where(rows, v - theta * spikes, state["v"])
""",
        """        v = state["v"] + synaptic + layer.bias
        spikes = ((v > theta) & rows).astype(np.int64)
        state["v"] = np.where(rows, saturate(v - theta * spikes, state, active), state["v"])
""",
    ),
    ("if: rows that are not active keep their state", 'np.where(rows, v - theta * spikes, state["v"])', "v - theta * spikes"),
    ("if: rows that are not active are silent", "((v > theta) & rows)", "(v > theta)"),
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
    ("readout: starts at T * b", "timesteps * layer.bias.astype(np.int64)", "layer.bias.astype(np.int64)"),
    ("readout: starts anew in each decision (rate)", "if self.across_decisions else control != INACTIVE", "if self.across_decisions else control == START"),
    ("readout: never cleared in an episode (sdn)", "control == START if self.across_decisions else", "control != INACTIVE if self.across_decisions else"),
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
    ("decode: divided by T", "return self.timesteps\n\n    @property\n    def widths", "return 1\n\n    @property\n    def widths"),
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

NEURONS = (*INTEGRATE_AND_FIRE, *CARRY_OVER, *READOUT, *SIGMA_DELTA, *NETWORK, *REFERENCE)
