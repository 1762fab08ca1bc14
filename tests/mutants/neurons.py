"""Mutants of the neurons' own integer steps, which the reference executes."""

from __future__ import annotations

from tests.mutants.mutant import mutants
from tests.mutants.windowed_neurons import (
    CARRY_OVER,
    DIFFERENTIAL_CODING,
    INTEGRATE_AND_FIRE,
    MULTI_THRESHOLD,
    SIGNED_MEMORY,
    WINDOWED,
)

READOUT = mutants(
    "readout",
    "reference",
    (
        "readout: starts at T * b",
        "else:\n            times = timesteps",
        "else:\n            times = 1",
    ),
    ("readout: starts at D * b (dc)", "times = denominator(timesteps)", "times = timesteps"),
    (
        "readout: starts anew in each decision (rate)",
        "if self.coding == Coding.ACROSS else control != INACTIVE",
        "if self.coding == Coding.ACROSS else control == START",
    ),
    (
        "readout: starts anew in each decision (dc)",
        "control == START if self.coding == Coding.ACROSS",
        "control == START if self.coding != Coding.RATE",
    ),
    (
        "readout: never cleared in an episode (sdn)",
        "control == START if self.coding == Coding.ACROSS else",
        "control != INACTIVE if self.coding == Coding.ACROSS else",
    ),
    (
        "readout: the input is latched",
        'if layer.hold_input:\n            state["latch"]',
        'if False:\n            state["latch"]',
    ),
    (
        "readout: the latch holds the first timestep",
        '(state["elapsed"] == 0)',
        '(state["elapsed"] >= 0)',
    ),
    ("readout: acc += (D / t) I (dc)", ' // state["elapsed"].clip(1) * synaptic', " * synaptic"),
    (
        "readout: t counts from 1 (dc)",
        'state["elapsed"].clip(1) *',
        '(state["elapsed"] - 1).clip(1) *',
    ),
    (
        "readout: t starts anew in each decision (dc)",
        'np.where((control != INACTIVE)[:, None], 0, state["elapsed"])',
        'state["elapsed"]',
    ),
)

SIGMA_DELTA = mutants(
    "sigma delta",
    "reference",
    (
        "sdn: q rounds to the nearest",
        "(2 * rectified + theta) // (2 * theta)",
        "rectified // theta",
    ),
    (
        "sdn: halves go up",
        "(2 * rectified + theta) // (2 * theta)",
        "(2 * rectified + theta - 1) // (2 * theta)",
    ),
    (
        "sdn: halves do not go to even",
        "(2 * rectified + theta) // (2 * theta)",
        "np.rint(rectified / theta).astype(np.int64)",
    ),
    (
        "sdn: floor division",
        "(2 * rectified + theta) // (2 * theta)",
        "np.trunc((2 * rectified + theta) / (2 * theta)).astype(np.int64)",
    ),
    (
        "sdn: relu",
        'if layer.activation == "relu":\n        rectified',
        "if False:\n        rectified",
    ),
    (
        "sdn: identity is not relu",
        'if layer.activation == "relu":\n        rectified',
        "if True:\n        rectified",
    ),
    (
        "sdn: clipped at qmax",
        "np.clip(unclipped, layer.payload_low, layer.payload_high)",
        "np.maximum(unclipped, layer.payload_low)",
    ),
    (
        "sdn: clipped at qmin",
        "np.clip(unclipped, layer.payload_low, layer.payload_high)",
        "np.minimum(unclipped, layer.payload_high)",
    ),
    (
        "sdn: acc never cleared in an episode",
        "fresh = (control == START)[:, None]",
        "fresh = (control > 0)[:, None]",
    ),
    ("sdn: a start clears acc", 'np.where(fresh, layer.bias, state["acc"])', 'state["acc"]'),
    (
        "sdn: acc starts at the bias",
        'np.where(fresh, layer.bias, state["acc"])',
        'np.where(fresh, 0, state["acc"])',
    ),
    ("sdn: a start clears ref", 'np.where(fresh, 0, state["ref"])', 'state["ref"]'),
    (
        "sdn: acc integrates",
        'np.where(rows, state["acc"] + synaptic, state["acc"])',
        'np.where(rows, layer.bias + synaptic, state["acc"])',
    ),
    (
        "sdn: ref <- q only when sent",
        'np.where(send, q, state["ref"])',
        'np.where(rows, q, state["ref"])',
    ),
    ("sdn: ref follows what was sent", 'state["ref"] = np.where(send, q, state["ref"])', "pass"),
    (
        "sdn: sent once |d| >= trigger",
        "(np.abs(change) >= layer.trigger)",
        "(np.abs(change) > layer.trigger)",
    ),
    (
        "sdn: a trigger may be reached downwards",
        "(np.abs(change) >= layer.trigger)",
        "(change >= layer.trigger)",
    ),
    ("sdn: a return to 0 is always sent", " | (q == 0))", ")"),
    (
        "sdn: what is held back is not sent",
        "return np.where(send, change, 0)",
        "return np.where(rows, change, 0)",
    ),
    ("sdn: d, not q, is sent", "return np.where(send, change, 0)", "return np.where(send, q, 0)"),
    ("sdn: clipped q are counted", "(q != unclipped) & rows", "rows & False"),
    ("sdn: only active rows count", "(q != unclipped) & rows", "q != unclipped"),
)

TABLES = mutants(
    "parameters",
    "reference",
    (
        "table: a segment holds its start",
        "(accumulator[..., None] >= self.start)",
        "(accumulator[..., None] > self.start)",
    ),
    ("table: the last segment that fits", ".sum(-1) - 1", ".any(-1) - 1"),
    (
        "table: measured from the segment's start",
        "((accumulator - start) * multiplier",
        "(accumulator * multiplier",
    ),
    ("table: rounds to the nearest", " + (np.int64(1) << shift - 1)", ""),
    ("table: halves go up", "(np.int64(1) << shift - 1)", "(np.int64(1) << shift - 1) - 1"),
    ("table: offset", "return offset + ", "return 0 * offset + "),
)

NETWORK = mutants(
    "network",
    "reference",
    (
        "time: a decision takes T + L steps",
        "return self.timesteps + len(self.layers)",
        "return self.timesteps + len(self.layers) - 1",
    ),
    (
        "decode: divided by T",
        "(self.timesteps)\n        return self.timesteps",
        "(self.timesteps)\n        return 1",
    ),
    ("decode: divided by D (dc)", "return denominator(self.timesteps)", "return self.timesteps"),
    ("dc: D = lcm(1..T)", "math.lcm(*range(1, timesteps + 1))", "math.lcm(*range(1, timesteps))"),
    (
        "dc: D is the least common multiple",
        "math.lcm(*range(1, timesteps + 1))",
        "math.prod(range(1, timesteps + 1))",
    ),
)

SYNAPSES = mutants(
    "synapses",
    "reference",
    (
        "census: a synop needs a non-zero weight",
        "np.count_nonzero(self.weights, axis=0)",
        "np.full(self.inputs, self.outputs)",
    ),
)

REFERENCE = mutants(
    "reference",
    "reference",
    (
        "time: no delay between layers",
        "layer.synapses.sum(arriving)",
        "layer.synapses.sum(sent[index - 1][:, timestep - 1] if index else arriving)",
    ),
    (
        "time: T timesteps",
        "for timestep in range(network.timesteps + idle)",
        "for timestep in range(max(network.timesteps - 1, 1) + idle)",
    ),
    ("census: saturations of one decision", 'state["saturations"][:] = 0', "pass"),
)

NEURONS = (
    *INTEGRATE_AND_FIRE,
    *WINDOWED,
    *SIGNED_MEMORY,
    *MULTI_THRESHOLD,
    *DIFFERENTIAL_CODING,
    *CARRY_OVER,
    *READOUT,
    *SIGMA_DELTA,
    *TABLES,
    *NETWORK,
    *SYNAPSES,
    *REFERENCE,
)
