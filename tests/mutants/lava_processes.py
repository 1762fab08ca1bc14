"""Mutants of the Lava processes and of how they are wired."""

from __future__ import annotations

from tests.mutants.lava_windowed_processes import (
    DIFFERENTIAL_CODING,
    INTEGRATE_AND_FIRE,
    MULTI_THRESHOLD,
    SIGNED_MEMORY,
)
from tests.mutants.mutant import mutants

WIRING = mutants(
    "lava network",
    "lava-direct",
    (
        "lava: weights are 2 w",
        '2 * own["weights"].astype(np.int32)',
        'own["weights"].astype(np.int32)',
    ),
    ("lava: weight_exp = -1", "weight_exp=-1", "weight_exp=0"),
    (
        "lava: 8 bits for the weights, whatever the artifact has",
        "num_weight_bits=8",
        "num_weight_bits=6",
    ),
    ("lava: signed weights", "sign_mode=SignMode.MIXED", "sign_mode=SignMode.EXCITATORY"),
    (
        "lava: control words go to every layer",
        "self.source.c_out.connect(neurons.c_in)",
        "index or self.source.c_out.connect(neurons.c_in)",
    ),
    (
        "lava: a decision takes T + L steps",
        "self.period = timesteps + len(layers)",
        "self.period = timesteps + len(layers) - 1",
    ),
)

WINDOW = mutants(
    "lava window",
    "lava-direct",
    (
        "lava: layer l works in steps l + 1 .. l + T",
        "self.step - self.layer - 1",
        "self.step - self.layer",
    ),
    ("lava: every layer has a window of its own", "self.step - self.layer - 1", "self.step - 1"),
    (
        "lava: a window is T timesteps long",
        "0 <= timestep < self.timesteps",
        "0 <= timestep < self.timesteps - 1",
    ),
    (
        "lava: steps count from the control word",
        "self.control = control\n            self.step = 0",
        "self.control = control\n            self.step = 1",
    ),
)

SOURCE = mutants(
    "lava source",
    "lava-direct",
    ("lava: payloads leave with step 0", "if self.step == 0:\n", "if self.step == 1:\n"),
)

SIGMA_DELTA = mutants(
    "lava sigma delta",
    "lava-direct",
    (
        "lava sdn: q rounds to the nearest",
        "(2 * value + self.threshold) // (2 * self.threshold)",
        "value // self.threshold",
    ),
    (
        "lava sdn: halves go up",
        "(2 * value + self.threshold) //",
        "(2 * value + self.threshold - 1) //",
    ),
    ("lava sdn: relu", 'if self.activation == "relu":', "if False:"),
    ("lava sdn: identity is not relu", 'if self.activation == "relu":', "if True:"),
    (
        "lava sdn: clipped at qmax",
        "np.clip(wanted, self.low, self.high)",
        "np.maximum(wanted, self.low)",
    ),
    (
        "lava sdn: clipped at qmin",
        "np.clip(wanted, self.low, self.high)",
        "np.minimum(wanted, self.high)",
    ),
    (
        "lava sdn: sent once |d| >= trigger",
        "(np.abs(change) >= self.trigger)",
        "(np.abs(change) > self.trigger)",
    ),
    ("lava sdn: a return to 0 is always sent", " | (q == 0))", ")"),
    ("lava sdn: ref follows what was sent", "self.ref = self.ref + payloads", "self.ref = q"),
    ("lava sdn: a start clears acc and ref", "if self.window.control == START:", "if False:"),
    ("lava sdn: acc never cleared in an episode", "if self.window.control == START:", "if True:"),
    (
        "lava sdn: clipped q are counted",
        "np.count_nonzero(q != wanted)",
        "np.count_nonzero(q < wanted)",
    ),
    (
        "lava table: a segment holds its start",
        "(self.acc[:, None] >= self.segment_start)",
        "(self.acc[:, None] > self.segment_start)",
    ),
    (
        "lava table: rounds to the nearest",
        "self.multiplier[neuron, segment] + half",
        "self.multiplier[neuron, segment]",
    ),
    (
        "lava table: products need more than 32 bits",
        "[neuron, segment]).astype(np.int64)",
        "[neuron, segment]).astype(np.int32)",
    ),
)

READOUT = mutants(
    "lava readout",
    "lava-direct",
    ("lava readout: starts at T * b", "self.units = self.window.timesteps", "self.units = 1"),
    (
        "lava readout: starts at D * b (dc)",
        "self.units = math.lcm(*range(1, self.window.timesteps + 1))",
        "self.units = self.window.timesteps",
    ),
    (
        "lava readout: starts anew in each decision (rate)",
        'if self.coding != "across decisions" or self.window.control == START:',
        "if self.window.control == START:",
    ),
    (
        "lava readout: never cleared in an episode (sdn)",
        'if self.coding != "across decisions" or self.window.control == START:',
        "if True:",
    ),
    ("lava readout: the input is latched", "self.latch if self.hold_input else arrived", "arrived"),
    ("lava readout: acc += (D / t) I (dc)", "share = self.units // (timestep + 1)", "share = 1"),
    (
        "lava readout: t counts from 1 (dc)",
        "self.units // (timestep + 1)",
        "self.units // max(timestep, 1)",
    ),
)

LAVA = (
    *WIRING,
    *WINDOW,
    *SOURCE,
    *INTEGRATE_AND_FIRE,
    *SIGNED_MEMORY,
    *MULTI_THRESHOLD,
    *DIFFERENTIAL_CODING,
    *SIGMA_DELTA,
    *READOUT,
)
