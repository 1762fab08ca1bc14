"""Mutants of the Lava processes of if, snm, mt and dc."""

from __future__ import annotations

from tests.mutants.mutant import mutants

INTEGRATE_AND_FIRE = mutants(
    "lava integrate and fire",
    "lava-direct",
    (
        "lava if: fires strictly above theta",
        "(clipped > self.threshold)",
        "(clipped >= self.threshold)",
    ),
    ("lava if: soft reset", "self.v = clipped - sent", "self.v = clipped * (1 - spikes)"),
    (
        "lava if: v_init = theta // 2",
        "start = self.threshold >> 1",
        "start = (self.threshold + 1) >> 1",
    ),
    (
        "lava if: dv >= -emitted",
        "np.maximum(self.v - self.v_start, -self.emitted)",
        "self.v - self.v_start",
    ),
    (
        "lava if: carry-over rounds to the nearest",
        "self.alpha * residual + 32",
        "self.alpha * residual",
    ),
    (
        "lava if: carry-over's halves go up",
        "self.alpha * residual + 32",
        "self.alpha * residual + 31",
    ),
    ("lava if: alpha in 64ths", ">> 6), 0, self.threshold)", ">> 5), 0, self.threshold)"),
    ("lava if: lo = 0", ">> 6), 0, self.threshold)", ">> 6), -self.threshold, self.threshold)"),
    ("lava if: hi = theta", ">> 6), 0, self.threshold)", ">> 6), 0, 2 * self.threshold)"),
    ("lava if: a start carries nothing over", "if self.window.control == CARRY:", "if True:"),
    ("lava if: residual carried over", "if self.window.control == CARRY:", "if False:"),
    ("lava if: emitted counts one decision", "self.emitted = np.zeros_like(start)", "pass"),
    ("lava if: emitted is bounded without loss", "EMITTED_LIMIT = 2**24", "EMITTED_LIMIT = 2**19"),
    (
        "lava if: membrane's lowest",
        "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)",
        "np.clip(membrane, -STATE_LIMIT - 1, STATE_LIMIT)",
    ),
    (
        "lava if: membrane's highest",
        "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)",
        "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT + 1)",
    ),
    (
        "lava if: saturates before firing",
        "self.v = clipped - sent",
        "self.v = np.clip(membrane - sent, -STATE_LIMIT, STATE_LIMIT)",
    ),
    ("lava if: the input is latched", "self.latch if self.hold_input else arrived", "arrived"),
    (
        "lava if: only the first layer's input is latched",
        "self.latch if self.hold_input else arrived",
        "self.latch",
    ),
    (
        "lava if: bias in every timestep",
        "else arrived) + self.bias",
        "else arrived) + self.bias * (timestep == 0)",
    ),
    (
        "lava if: saturations count",
        "np.count_nonzero(clipped != membrane)",
        "np.count_nonzero(clipped < membrane)",
    ),
)

SIGNED_MEMORY = mutants(
    "lava signed memory",
    "lava-direct",
    (
        "lava snm: fires at theta",
        "np.where(clipped >= self.threshold, 1,",
        "np.where(clipped > self.threshold, 1,",
    ),
    ("lava snm: negative strictly below 0", "(clipped < 0) &", "(clipped <= 0) &"),
    ("lava snm: nothing is taken back that was not sent", "(self.net >= 1)", "(self.net >= 0)"),
    ("lava snm: the last spike may be taken back", "(self.net >= 1)", "(self.net > 1)"),
    ("lava snm: spikes are taken back", "-1, 0))", "0, 0))"),
    (
        "lava snm: soft reset",
        "self.v = clipped - self.threshold * spikes",
        "self.v = clipped * (spikes == 0)",
    ),
    (
        "lava snm: n counts back",
        "self.net = self.net + spikes",
        "self.net = self.net + np.abs(spikes)",
    ),
    (
        "lava snm: v_init = theta // 2",
        "start = self.threshold >> 1",
        "start = (self.threshold + 1) >> 1",
    ),
    (
        "lava snm: dv >= -emitted",
        "np.maximum(self.v - self.v_start, -self.net.astype(np.int64) * self.threshold)",
        "self.v - self.v_start",
    ),
    (
        "lava snm: emitted = n theta",
        "-self.net.astype(np.int64) * self.threshold)",
        "-self.net.astype(np.int64))",
    ),
    (
        "lava snm: carry-over rounds to the nearest",
        "self.alpha * residual + 32",
        "self.alpha * residual",
    ),
    (
        "lava snm: carry-over's halves go up",
        "self.alpha * residual + 32",
        "self.alpha * residual + 31",
    ),
    ("lava snm: alpha in 64ths", ">> 6), 0, self.threshold)", ">> 5), 0, self.threshold)"),
    ("lava snm: lo = 0", ">> 6), 0, self.threshold)", ">> 6), -self.threshold, self.threshold)"),
    ("lava snm: hi = theta", ">> 6), 0, self.threshold)", ">> 6), 0, 2 * self.threshold)"),
    ("lava snm: a start carries nothing over", "if self.window.control == CARRY:", "if True:"),
    ("lava snm: residual carried over", "if self.window.control == CARRY:", "if False:"),
    ("lava snm: dv is measured from v_start", "start, start.copy()", "start, self.threshold >> 1"),
    ("lava snm: emitted counts one decision", "self.net = np.zeros_like(start)", "pass"),
    (
        "lava snm: membrane's lowest",
        "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)",
        "np.clip(membrane, -STATE_LIMIT - 1, STATE_LIMIT)",
    ),
    (
        "lava snm: membrane's highest",
        "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)",
        "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT + 1)",
    ),
    ("lava snm: saturates before firing", "self.v = clipped - self", "self.v = membrane - self"),
    ("lava snm: the input is latched", "self.latch if self.hold_input else arrived", "arrived"),
    (
        "lava snm: only the first layer's input is latched",
        "self.latch if self.hold_input else arrived",
        "self.latch",
    ),
    (
        "lava snm: bias in every timestep",
        "else arrived) + self.bias",
        "else arrived) + self.bias * (timestep == 0)",
    ),
    (
        "lava snm: saturations count",
        "np.count_nonzero(clipped != membrane)",
        "np.count_nonzero(clipped < membrane)",
    ),
)

MULTI_THRESHOLD = mutants(
    "lava multi threshold",
    "lava-direct",
    ("lava mt: fires at 3/4 p lambda", "4 * clipped >= 3 * p", "4 * clipped > 3 * p"),
    (
        "lava mt: fires at 3/4 p lambda, not at p lambda",
        "4 * clipped >= 3 * p",
        "4 * clipped >= 4 * p",
    ),
    ("lava mt: negative at -3/4 p lambda", "(4 * clipped <= -3 * p", "(4 * clipped < -3 * p"),
    ("lava mt: nothing is taken back that was not sent", " & (self.net >= p)", ""),
    ("lava mt: p units must have been sent, not one", "(self.net >= p)", "(self.net >= 1)"),
    ("lava mt: all that was sent may be taken back", "(self.net >= p)", "(self.net > p)"),
    ("lava mt: p is 8 too", "PAYLOADS = (1, 2, 4, 8)", "PAYLOADS = (1, 2, 4)"),
    ("lava mt: the largest p", "PAYLOADS = (1, 2, 4, 8)", "PAYLOADS = (8, 4, 2, 1)"),
    ("lava mt: soft reset", "clipped - payloads * self.threshold", "clipped * (payloads == 0)"),
    (
        "lava mt: c counts back",
        "self.net = self.net + payloads",
        "self.net = self.net + np.abs(payloads)",
    ),
    ("lava mt: v_init = 0", "start = np.zeros_like(self.threshold)", "start = 4 * self.threshold"),
    (
        "lava mt: dv >= -emitted",
        "np.maximum(self.v - self.v_start, -self.net.astype(np.int64) * self.threshold)",
        "self.v - self.v_start",
    ),
    (
        "lava mt: emitted = c lambda",
        "-self.net.astype(np.int64) * self.threshold)",
        "-self.net.astype(np.int64))",
    ),
    (
        "lava mt: carry-over rounds to the nearest",
        "self.alpha * residual + 32",
        "self.alpha * residual",
    ),
    (
        "lava mt: carry-over's halves go up",
        "self.alpha * residual + 32",
        "self.alpha * residual + 31",
    ),
    ("lava mt: alpha in 64ths", ">> 6, -4", ">> 5, -4"),
    (
        "lava mt: lo = -(theta // 2)",
        "-4 * self.threshold, 4 * self.threshold).astype",
        "0, 4 * self.threshold).astype",
    ),
    ("lava mt: hi = theta // 2", ", 4 * self.threshold).astype", ", 8 * self.threshold).astype"),
    ("lava mt: a start carries nothing over", "if self.window.control == CARRY:", "if True:"),
    ("lava mt: residual carried over", "if self.window.control == CARRY:", "if False:"),
    ("lava mt: dv is measured from v_start", "start, start.copy()", "start, np.zeros_like(start)"),
    ("lava mt: emitted counts one decision", "self.net = np.zeros_like(start)", "pass"),
    (
        "lava mt: membrane's lowest",
        "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)",
        "np.clip(membrane, -STATE_LIMIT - 1, STATE_LIMIT)",
    ),
    (
        "lava mt: membrane's highest",
        "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)",
        "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT + 1)",
    ),
    (
        "lava mt: saturates before firing",
        "self.v = clipped - payloads",
        "self.v = membrane - payloads",
    ),
    ("lava mt: the input is latched", "self.latch if self.hold_input else arrived", "arrived"),
    (
        "lava mt: only the first layer's input is latched",
        "self.latch if self.hold_input else arrived",
        "self.latch",
    ),
    (
        "lava mt: bias in every timestep",
        "else arrived) + self.bias",
        "else arrived) + self.bias * (timestep == 0)",
    ),
    (
        "lava mt: saturations count",
        "np.count_nonzero(clipped != membrane)",
        "np.count_nonzero(clipped < membrane)",
    ),
)

DIFFERENTIAL_CODING = mutants(
    "lava differential coding",
    "lava-direct",
    (
        "lava dc: D = lcm(1..T)",
        "math.lcm(*range(1, self.window.timesteps + 1))",
        "math.prod(range(1, self.window.timesteps + 1))",
    ),
    ("lava dc: t counts from 1", "self.units // (timestep + 1)", "self.units // max(timestep, 1)"),
    ("lava dc: v += D I", "self.v + self.units * arrived", "self.v + arrived"),
    ("lava dc: v += ein", " + self.mean_in - self.mean_out", " - self.mean_out"),
    ("lava dc: v -= eout", " + self.mean_in - self.mean_out", " + self.mean_in"),
    ("lava dc: c += eout", "c = self.c + self.mean_out", "c = self.c"),
    ("lava dc: c += eout before p is chosen", "(c >= p * unit)", "(self.c >= p * unit)"),
    ("lava dc: negative only if c >= p D lambda", " & (c >= p * unit)", ""),
    ("lava dc: p units must have been sent, not one", "(c >= p * unit)", "(c >= unit)"),
    ("lava dc: all that was sent may be taken back", "(c >= p * unit)", "(c > p * unit)"),
    ("lava dc: c is in units of 1/D", "(c >= p * unit)", "(c >= p * self.threshold)"),
    ("lava dc: fires at 3/4 p D lambda", "4 * clipped >= 3 * p", "4 * clipped > 3 * p"),
    (
        "lava dc: fires by D lambda",
        "4 * clipped >= 3 * p * unit",
        "4 * clipped >= 3 * p * self.threshold",
    ),
    ("lava dc: negative at -3/4 p D lambda", "(4 * clipped <= -3 * p", "(4 * clipped < -3 * p"),
    ("lava dc: the largest p", "PAYLOADS = (1, 2, 4, 8)", "PAYLOADS = (8, 4, 2, 1)"),
    ("lava dc: p is 8 too", "PAYLOADS = (1, 2, 4, 8)", "PAYLOADS = (1, 2, 4)"),
    (
        "lava dc: v -= p D lambda",
        "clipped - payloads * unit",
        "clipped - payloads * self.threshold",
    ),
    ("lava dc: c += p D lambda", "self.c = c + payloads * unit", "self.c = c"),
    (
        "lava dc: ein += (D / t) I",
        "self.mean_in + share * arrived",
        "self.mean_in + self.units * arrived",
    ),
    ("lava dc: ein grows", "self.mean_in + share * arrived", "self.mean_in"),
    (
        "lava dc: eout += (D / t) p lambda",
        "share * payloads * self.threshold",
        "self.units * payloads * self.threshold",
    ),
    (
        "lava dc: eout falls with a negative p",
        "share * payloads * self.threshold",
        "share * np.abs(payloads) * self.threshold",
    ),
    (
        "lava dc: theta = 8 D lambda",
        "half = 4 * self.units * self.threshold",
        "half = 4 * self.threshold",
    ),
    ("lava dc: a start carries nothing over", "if self.window.control == CARRY:", "if True:"),
    ("lava dc: residual carried over", "if self.window.control == CARRY:", "if False:"),
    (
        "lava dc: membrane's lowest",
        "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)",
        "np.clip(membrane, -STATE_LIMIT - 1, STATE_LIMIT)",
    ),
    (
        "lava dc: membrane's highest",
        "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)",
        "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT + 1)",
    ),
    (
        "lava dc: saturates before firing",
        "self.v = clipped - payloads",
        "self.v = membrane - payloads",
    ),
    (
        "lava dc: saturations count",
        "np.count_nonzero(clipped != membrane)",
        "np.count_nonzero(clipped < membrane)",
    ),
    ("lava dc: dv >= -c", "np.maximum(self.v - self.v_start, -self.c)", "self.v - self.v_start"),
    (
        "lava dc: dv may be negative",
        "np.maximum(self.v - self.v_start, -self.c)",
        "np.maximum(self.v - self.v_start, 0)",
    ),
    (
        "lava dc: carry-over rounds to the nearest",
        "self.alpha * residual + 32",
        "self.alpha * residual",
    ),
    (
        "lava dc: carry-over's halves go up",
        "self.alpha * residual + 32",
        "self.alpha * residual + 31",
    ),
    ("lava dc: alpha in 64ths", ">> 6, -half", ">> 5, -half"),
    ("lava dc: lo = -(theta // 2)", "-half, half)", "0, half)"),
    ("lava dc: hi = theta // 2", "-half, half)", "-half, 2 * half)"),
    ("lava dc: dv is measured from v_start", "start, start.copy()", "start, np.zeros_like(start)"),
    (
        "lava dc: ein starts at D b",
        "self.mean_in = self.units * self.bias",
        "self.mean_in = self.bias.copy()",
    ),
    (
        "lava dc: ein starts anew in each decision",
        "self.mean_in = self.units * self.bias",
        "self.mean_in = self.mean_in + self.units * self.bias",
    ),
    (
        "lava dc: eout = 0 at the start",
        "self.mean_out, self.c = np.zeros_like(start), np.zeros_like(start)",
        "self.c = np.zeros_like(start)",
    ),
    (
        "lava dc: c = 0 at the start",
        "self.mean_out, self.c = np.zeros_like(start), np.zeros_like(start)",
        "self.mean_out = np.zeros_like(start)",
    ),
)
