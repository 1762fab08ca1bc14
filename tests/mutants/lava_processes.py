"""Mutants of the Lava processes and of how they are wired."""

from __future__ import annotations

from tests.mutants.mutant import mutants

WIRING = mutants(
    "export/lava/network.py",
    "lava-direct",
    ("lava: weights are 2 w", '2 * own["weights"].astype(np.int32)', 'own["weights"].astype(np.int32)'),
    ("lava: weight_exp = -1", "weight_exp=-1", "weight_exp=0"),
    ("lava: 8 bits for the weights, whatever the artifact has", "num_weight_bits=8", "num_weight_bits=6"),
    ("lava: signed weights", "sign_mode=SignMode.MIXED", "sign_mode=SignMode.EXCITATORY"),
    ("lava: control words go to every layer", "self.source.c_out.connect(neurons.c_in)", "index or self.source.c_out.connect(neurons.c_in)"),
    ("lava: a decision takes T + L steps", "self.period = timesteps + len(layers)", "self.period = timesteps + len(layers) - 1"),
)

WINDOW = mutants(
    "export/lava/window.py",
    "lava-direct",
    ("lava: layer l works in steps l + 1 .. l + T", "self.step - self.layer - 1", "self.step - self.layer"),
    ("lava: every layer has a window of its own", "self.step - self.layer - 1", "self.step - 1"),
    ("lava: a window is T timesteps long", "0 <= timestep < self.timesteps", "0 <= timestep < self.timesteps - 1"),
    ("lava: steps count from the control word", "self.control, self.step = control, 0", "self.control, self.step = control, 1"),
)

SOURCE = mutants(
    "export/lava/processes/source/process.py",
    "lava-direct",
    ("lava: payloads leave with step 0", "if self.step == 0:\n", "if self.step == 1:\n"),
)

INTEGRATE_AND_FIRE = mutants(
    "export/lava/processes/integrate_and_fire/process.py",
    "lava-direct",
    ("lava if: fires strictly above theta", "(clipped > self.threshold)", "(clipped >= self.threshold)"),
    ("lava if: soft reset", "self.v = clipped - sent", "self.v = clipped * (1 - spikes)"),
    ("lava if: v_init = theta // 2", "start = self.threshold >> 1", "start = (self.threshold + 1) >> 1"),
    ("lava if: dv >= -emitted", "np.maximum(self.v - self.v_start, -self.emitted)", "self.v - self.v_start"),
    ("lava if: carry-over rounds to the nearest", "self.alpha * residual + 32", "self.alpha * residual"),
    ("lava if: carry-over's halves go up", "self.alpha * residual + 32", "self.alpha * residual + 31"),
    ("lava if: alpha in 64ths", ">> 6), 0, self.threshold)", ">> 5), 0, self.threshold)"),
    ("lava if: lo = 0", ">> 6), 0, self.threshold)", ">> 6), -self.threshold, self.threshold)"),
    ("lava if: hi = theta", ">> 6), 0, self.threshold)", ">> 6), 0, 2 * self.threshold)"),
    ("lava if: a start carries nothing over", "if self.window.control == CARRY:", "if True:"),
    ("lava if: residual carried over", "if self.window.control == CARRY:", "if False:"),
    ("lava if: emitted counts one decision", "self.emitted = np.zeros_like(start)", "pass"),
    ("lava if: emitted is bounded without loss", "EMITTED_LIMIT = 2**24", "EMITTED_LIMIT = 2**19"),
    ("lava if: membrane's lowest", "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)", "np.clip(membrane, -STATE_LIMIT - 1, STATE_LIMIT)"),
    ("lava if: membrane's highest", "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)", "np.clip(membrane, -STATE_LIMIT, STATE_LIMIT + 1)"),
    ("lava if: saturates before firing", "self.v = clipped - sent", "self.v = np.clip(membrane - sent, -STATE_LIMIT, STATE_LIMIT)"),
    ("lava if: the input is latched", "self.latch if self.hold_input else arrived", "arrived"),
    ("lava if: only the first layer's input is latched", "self.latch if self.hold_input else arrived", "self.latch"),
    ("lava if: bias in every timestep", "else arrived) + self.bias", "else arrived) + self.bias * (timestep == 0)"),
    ("lava if: saturations count", "np.count_nonzero(clipped != membrane)", "np.count_nonzero(clipped < membrane)"),
)

SIGMA_DELTA = mutants(
    "export/lava/processes/sigma_delta/process.py",
    "lava-direct",
    ("lava sdn: q rounds to the nearest", "(2 * value + self.threshold) // (2 * self.threshold)", "value // self.threshold"),
    ("lava sdn: halves go up", "(2 * value + self.threshold) //", "(2 * value + self.threshold - 1) //"),
    ("lava sdn: relu", 'if self.activation == "relu" else self.acc', "if False else self.acc"),
    ("lava sdn: identity is not relu", 'if self.activation == "relu" else self.acc', "if True else self.acc"),
    ("lava sdn: clipped at qmax", "np.clip(wanted, self.low, self.high)", "np.maximum(wanted, self.low)"),
    ("lava sdn: clipped at qmin", "np.clip(wanted, self.low, self.high)", "np.minimum(wanted, self.high)"),
    ("lava sdn: sent once |d| >= trigger", "(np.abs(change) >= self.trigger)", "(np.abs(change) > self.trigger)"),
    ("lava sdn: a return to 0 is always sent", " | (q == 0))", ")"),
    ("lava sdn: ref follows what was sent", "self.ref = self.ref + payloads", "self.ref = q"),
    ("lava sdn: a start clears acc and ref", "if self.window.control == START:", "if False:"),
    ("lava sdn: acc never cleared in an episode", "if self.window.control == START:", "if True:"),
    ("lava sdn: clipped q are counted", "np.count_nonzero(q != wanted)", "np.count_nonzero(q < wanted)"),
    ("lava table: a segment holds its start", "(self.acc[:, None] >= self.segment_start)", "(self.acc[:, None] > self.segment_start)"),
    ("lava table: rounds to the nearest", "self.multiplier[neuron, segment] + half)", "self.multiplier[neuron, segment])"),
    ("lava table: products need more than 32 bits", ".astype(np.int64)  # the product", ".astype(np.int32)  # the product"),
)

READOUT = mutants(
    "export/lava/processes/readout/process.py",
    "lava-direct",
    ("lava readout: starts at T * b", "self.window.timesteps * self.bias", "self.bias.copy()"),
    ("lava readout: starts anew in each decision (rate)", "if not self.across_decisions or self.window.control == START:", "if self.window.control == START:"),
    ("lava readout: never cleared in an episode (sdn)", "if not self.across_decisions or self.window.control == START:", "if True:"),
    ("lava readout: the input is latched", "self.latch if self.hold_input else arrived", "arrived"),
)

LAVA = (*WIRING, *WINDOW, *SOURCE, *INTEGRATE_AND_FIRE, *SIGMA_DELTA, *READOUT)
