"""Mutants of what the host does: contracts, encode, control words, decode, counting."""

from __future__ import annotations

from tests.mutants.mutant import mutants

ENCODE_AND_DECODE = mutants(
    "host",
    "reference",
    (
        "encode: floor(x / scale + 0.5), not half to even",
        "np.floor(value / host.scale[i] + 0.5)",
        "np.rint(value / host.scale[i])",
    ),
    (
        "encode: floor, not towards zero",
        "np.floor(value / host.scale[i] + 0.5)",
        "np.trunc(value / host.scale[i] + 0.5)",
    ),
    ("encode: + 0.5", "np.floor(value / host.scale[i] + 0.5)", "np.floor(value / host.scale[i])"),
    (
        "encode: divides by the scale",
        "np.floor(value / host.scale[i] + 0.5)",
        "np.floor(value * host.scale[i] + 0.5)",
    ),
    (
        "encode: shift before the divisor",
        "(value - host.shift[i]) / host.observation_divisor[i]",
        "value / host.observation_divisor[i] - host.shift[i]",
    ),
    ("encode: the normaliser clips", "if host.flags & 2:", "if False:"),
    (
        "encode: the normaliser clips below",
        "value = min(max(value, -host.clip), host.clip)",
        "value = min(value, host.clip)",
    ),
    (
        "encode: the normaliser clips after it has divided",
        "if i < size:\n            value = observation[i]",
        "if i < size:\n            value = np.clip(observation[i], -1.5, 1.5)",
    ),
    (
        "encode: clipped at -limit",
        "elif value < -host.limit[i]:",
        "elif value < -host.limit[i] - 1:",
    ),
    (
        "encode: clipped at limit",
        "value = host.limit[i]\n            saturated",
        "value = host.limit[i] - 1\n            saturated",
    ),
    (
        "encode: only what is beyond the limit counts",
        "if value > host.limit[i]:",
        "if value >= host.limit[i]:",
    ),
    (
        "encode: saturations below count",
        "value = -host.limit[i]\n            saturated += 1",
        "value = -host.limit[i]",
    ),
    (
        "encode: the time feature counts from 0",
        "1.0 - decision / host.time_scale",
        "1.0 - (decision + 1) / host.time_scale",
    ),
    (
        "encode: the time feature is what remains",
        "1.0 - decision / host.time_scale",
        "decision / host.time_scale",
    ),
    ("encode: the time feature in test mode", "time is None or time.test_mode", "time is None"),
    (
        "encode: a non-finite channel is refused",
        "if not math.isfinite(value):",
        "if math.isnan(value):",
    ),
    ("decode: times the row's scale", "* host.row_scale[k] / host.divisor", "/ host.divisor"),
    (
        "decode: row scale, then divisor",
        "accumulator[k] * host.row_scale[k] / host.divisor",
        "accumulator[k] / host.divisor * host.row_scale[k]",
    ),
    ("decode: squash", "if host.flags & 4:", "if False:"),
    (
        "decode: squash before scale and offset",
        """        if host.flags & 4:
            value = math.tanh(value)
        value = value * host.action_scale[k] + host.action_offset[k]
""",
        """        value = value * host.action_scale[k] + host.action_offset[k]
        if host.flags & 4:
            value = math.tanh(value)
""",
    ),
    (
        "decode: offset after scale",
        "value * host.action_scale[k] + host.action_offset[k]",
        "(value + host.action_offset[k]) * host.action_scale[k]",
    ),
    ("decode: clipped where the policy clips", "if host.flags & 8:", "if False:"),
    (
        "decode: clipped at high",
        "min(max(value, host.low[k]), host.high[k])",
        "max(value, host.low[k])",
    ),
    (
        "decode: clipped at low",
        "min(max(value, host.low[k]), host.high[k])",
        "min(value, host.high[k])",
    ),
    (
        "decode: not clipped where the policy does not clip",
        "CLIP_ACTION * (action.low is not None)",
        "CLIP_ACTION",
    ),
    ("decode: the lowest of equal choices", "if value > largest:", "if value >= largest:"),
    (
        "decode: the largest output is chosen",
        "best = k\n                largest = value",
        "best = k",
    ),
)

CONTRACTS = mutants(
    "contracts",
    "reference",
    (
        "normaliser: epsilon under the root",
        "np.sqrt(self.variance + self.epsilon)",
        "np.sqrt(self.variance) + self.epsilon",
    ),
    (
        "normaliser: divides by the deviation",
        "np.sqrt(self.variance + self.epsilon)",
        "self.variance + self.epsilon",
    ),
)

CONTROL = mutants(
    "host state",
    "reference",
    ("control: an episode's start is word 2", "self.fresh | self.stale | due", "self.stale | due"),
    ("control: resync is word 2", "self.fresh | self.stale | due", "self.fresh | due"),
    ("control: resync_every", "self.fresh | self.stale | due", "self.fresh | self.stale"),
    (
        "control: resync_every counts from the episode's start",
        "number % period == 0",
        "(number + 1) % period == 0",
    ),
    (
        "control: a resync keeps the decision's number",
        "number = np.where(self.fresh, 0,",
        "number = np.where(self.fresh | self.stale, 0,",
    ),
    (
        "control: an episode starts at decision 0",
        "number = np.where(self.fresh, 0, self.decisions)",
        "number = self.decisions + 0",
    ),
    (
        "control: a start announces q0 whole",
        "np.where((control == START)[:, None], 0, self.announced)",
        "self.announced",
    ),
    ("control: sdn gets q0 - ref0", "if self.network.across_decisions:", "if False:"),
    (
        "control: a pending start waits for an active row",
        "self.fresh &= ~active",
        "self.fresh[:] = False",
    ),
    (
        "control: a pending resync waits for an active row",
        "self.stale &= ~active",
        "self.stale[:] = False",
    ),
    (
        "control: rows that are not active announce nothing",
        "np.where(active[:, None], q, self.announced)",
        "q.astype(np.int64)",
    ),
    (
        "control: rows that are not active do not count",
        "np.where(active, number + 1, self.decisions)",
        "number + 1",
    ),
    (
        "control: a refused observation changes nothing",
        "        saturated = 0\n",
        "        saturated = 0\n        self.decisions = self.decisions + active\n",
    ),
    (
        "control: rows that are not active may hold anything",
        "for row in np.flatnonzero(active):\n            clipped",
        "for row in range(self.rows):\n            clipped",
    ),
    (
        "control: rows that are not active return NaN",
        "np.full((self.rows, self.artifact.action.channels), np.nan)",
        "np.zeros((self.rows, self.artifact.action.channels))",
    ),
    (
        "census: encoder saturations",
        "self.saturations += saturated",
        "self.saturations = saturated",
    ),
)

COUNTING = mutants(
    "recorded",
    "reference",
    ("census: negative payloads count", "(payloads != 0)", "(payloads > 0)"),
    (
        "census: a payload counts once, whatever its size",
        "(payloads != 0).sum(axis=(0, 1))",
        "np.abs(payloads).sum(axis=(0, 1))",
    ),
    (
        "census: the input's synops",
        "code.arriving(inputs, ",
        "code.arriving(0 * inputs, ",
    ),
    (
        "census: synops are payloads times fan-out",
        "int(present @ self.network.layers[index].fan_out)",
        "int(present.sum() * self.network.layers[index].outputs)",
    ),
    (
        "census: a start's synops count",
        "self.counters.saturations += window",
        "self.counters.saturations = window",
    ),
    (
        "census: decisions are those of active rows",
        "self.counters.decisions += decisions",
        "self.counters.decisions += self.rows",
    ),
)

CENSUS = mutants(
    "census",
    "reference",
    (
        "census: neuron updates take T + L steps",
        "layer.outputs * network.chip_steps * self.decisions",
        "layer.outputs * network.timesteps * self.decisions",
    ),
    (
        "census: the readout sends nothing",
        "sent = [*self.messages[1:], self.output_spikes]",
        "sent = [*self.messages[1:], self.output_spikes + 1]",
    ),
    (
        "census: what a layer sends the next receives",
        "sent = [*self.messages[1:], self.output_spikes]",
        "sent = [*self.messages]",
    ),
    (
        "census: chip steps of a decision",
        "Census(self.decisions, network.timesteps, network.chip_steps,",
        "Census(self.decisions, network.timesteps, network.timesteps,",
    ),
    (
        "census: host multiply-adds of a normaliser",
        "(2 if observation.mean is not None else 1)",
        "1",
    ),
)

EXPORTED_HOST = mutants(
    "exported host",
    "exported host",
    (
        "exported host: floor(x / scale + 0.5)",
        'np.floor(values / arrays["encoder.scale"] + 0.5)',
        'np.rint(values / arrays["encoder.scale"])',
    ),
    (
        "exported host: clipped at the limit",
        'arrays["encoder.scale"] + 0.5), -limit, limit)',
        'arrays["encoder.scale"] + 0.5), -limit, limit - 1)',
    ),
    (
        "exported host: the normaliser clips",
        'np.clip(values, -self.facts["clip"], self.facts["clip"])',
        'np.minimum(values, self.facts["clip"])',
    ),
    (
        "exported host: the time feature counts from 0",
        '1.0 - number / time["max_steps"]',
        '1.0 - (number + 1) / time["max_steps"]',
    ),
    (
        "exported host: sdn gets q0 - ref0",
        "if self.across_decisions and (not afresh):",
        "if False:",
    ),
    (
        "exported host: a start announces q0 whole",
        "if self.across_decisions and (not afresh):",
        "if self.across_decisions:",
    ),
    ("exported host: resync_every", "number % period == 0", "number % period == 1"),
    (
        "exported host: a resync keeps the decision's number",
        "if self.fresh:\n            number = 0",
        "if self.stale:\n            number = 0",
    ),
    (
        "exported host: decode divides by T",
        '"action.row_scale"] / self.divisor',
        '"action.row_scale"] / 1.0',
    ),
    (
        "exported host: decode's order",
        'accumulator * arrays["action.row_scale"] / self.divisor',
        'accumulator / self.divisor * arrays["action.row_scale"]',
    ),
    (
        "exported host: decode clips",
        'if "action.low" in arrays:\n            return',
        "if False:\n            return",
    ),
)

HOST = (*ENCODE_AND_DECODE, *CONTRACTS, *CONTROL, *COUNTING, *CENSUS, *EXPORTED_HOST)
