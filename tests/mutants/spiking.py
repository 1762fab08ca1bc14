"""Mutants of `lif@1`: neuron, encoder, decoder, kernel, and how stock Lava processes are wired."""

from __future__ import annotations

from tests.mutants.mutant import mutants

NEURON = mutants(
    "leaky integrate and fire",
    "lif on reference",
    (
        "lif: fires strictly above theta",
        "(v > layer.threshold.astype",
        "(v >= layer.threshold.astype",
    ),
    ("lif: the threshold counts 64", "astype(np.int64) << ACT_SHIFT)", "astype(np.int64))"),
    (
        "lif: hard reset",
        "np.where(spikes, 0, v)",
        "np.where(spikes, v - (layer.threshold.astype(np.int64) << ACT_SHIFT), v)",
    ),
    (
        "lif: the current survives a spike",
        'np.where(rows, u, state["u"])',
        'np.where(rows, np.where(spikes, 0, u), state["u"])',
    ),
    (
        "lif: the current's decay is off by one",
        'decay(state["u"], 4095 - dynamics.current_decay)',
        'decay(state["u"], 4096 - dynamics.current_decay)',
    ),
    (
        "lif: the membrane's decay is not",
        'decay(state["v"], 4096 - dynamics.voltage_decay)',
        'decay(state["v"], 4095 - dynamics.voltage_decay)',
    ),
    ("lif: weights count 2^exponent", "<< dynamics.weight_exponent + ACT_SHIFT", "<< ACT_SHIFT"),
    ("lif: u and v start at 0", 'for name in ("u", "v"):', 'for name in ("v",):'),
    ("lif: v starts at 0", 'for name in ("u", "v"):', 'for name in ("u",):'),
    (
        "lif: the bias in the current is a weight",
        "(synaptic + in_current <<",
        "(synaptic + 0 * in_current <<",
    ),
    (
        "lif: the bias in the membrane",
        'decay(state["v"], 4096 - dynamics.voltage_decay) + u + in_voltage',
        'decay(state["v"], 4096 - dynamics.voltage_decay) + u',
    ),
    (
        "lif: u goes into v in the same step",
        'decay(state["v"], 4096 - dynamics.voltage_decay) + u + in_voltage',
        'decay(state["v"], 4096 - dynamics.voltage_decay) + state["u"] + in_voltage',
    ),
    ("lif: rows that are not active are silent", "<< ACT_SHIFT) & rows", "<< ACT_SHIFT)"),
)

DECAY = mutants(
    "parameters",
    "lif on reference",
    (
        "lif: decay is towards zero",
        "np.sign(value) * (np.abs(value) * kept >> 12)",
        "value * kept >> 12",
    ),
)

CODING = mutants(
    "spike coding",
    "lif on reference",
    (
        "lif encoder: fires strictly above its threshold",
        "fired = v > threshold",
        "fired = v >= threshold",
    ),
    ("lif encoder: soft reset", "v -= threshold * fired", "v *= ~fired"),
    ("lif encoder: integrates in every timestep", "v += q", "v += q * (timestep == 0)"),
)

REFERENCE = mutants(
    "reference",
    "lif on reference",
    (
        "lif: the encoder spikes in the window only",
        "received[:, timestep] if timestep < received.shape[1] else silence",
        "received[:, min(timestep, received.shape[1] - 1)]",
    ),
    (
        "lif census: the chip runs on for L steps",
        "range(network.timesteps + idle)",
        "range(network.timesteps)",
    ),
    (
        "lif census: idle spikes cost their fan-out",
        "(arriving @ layers[index + 1].fan_out)",
        "(arriving @ layers[index + 1].fan_out * 0)",
    ),
    (
        "lif census: the always-on neuron is idle too",
        "+ rows * (layer.always_on > 0)",
        "",
    ),
)

COUNTS = mutants(
    "census",
    "lif on reference",
    ("lif census: always-on synops", "+ on[index] * layer.always_on", ""),
    (
        "lif census: always-on messages",
        "int(self.messages[index]) + on[index]",
        "int(self.messages[index])",
    ),
    (
        "lif census: always-on synapses",
        "int(layer.fan_out.sum()) + layer.always_on",
        "int(layer.fan_out.sum())",
    ),
    (
        "lif census: the last layer spikes",
        "[*self.messages[1:], self.output_spikes]",
        "[*self.messages[1:], 0]",
    ),
)

HOST_WORK = mutants(
    "spike coding",
    "lif on reference",
    ("lif census: the encoder's work", "0 if self.mean is None else 3", "0"),
    ("lif census: the decoder's work", " + self.decoded", ""),
)

HOST = mutants(
    "spike host",
    "lif on reference",
    ("lif encode: half the squared distance", "math.exp(-0.5 *", "math.exp(-1.0 *"),
    ("lif encode: in units of std", "/ (std * std)", "/ std"),
    (
        "lif encode: tanh after the normaliser",
        "value = math.tanh(value)\n        for",
        "value = value\n        for",
    ),
    ("lif encode: the normaliser clips", "value = min(max(value, -host.clip), host.clip)", "pass"),
    (
        "lif encode: neurons of a feature stand together",
        "at = i * per_feature + j",
        "at = j * host.shift.shape[0] + i",
    ),
    (
        "lif encode: saturations count",
        "steps = host.limit[at]\n                saturated += 1",
        "steps = host.limit[at]",
    ),
    (
        "lif decode: counts are divided by T",
        "value / host.timesteps + host.decoder_bias[k]",
        "value + host.decoder_bias[k]",
    ),
    ("lif decode: bias", "value / host.timesteps + host.decoder_bias[k]", "value / host.timesteps"),
    ("lif decode: each action has its neurons", "counts[k * per_action + j]", "counts[j]"),
    (
        "lif decode: squash",
        "value = math.tanh(value)\n        value = value * host.action_scale",
        "value = value * host.action_scale",
    ),
)

KERNEL = mutants(
    "fast spiking kernels",
    "lif on fast",
    (
        "fast lif: fires strictly above theta",
        "spike = np.int32(v > threshold)\n        state[at_u",
        "spike = np.int32(v >= threshold)\n        state[at_u",
    ),
    ("fast lif: hard reset", "v * (np.int32(1) - spike)", "v - np.int32(threshold) * spike"),
    (
        "fast lif: decay is towards zero",
        "if value < 0:\n        return -part\n    return part",
        "return np.int32((np.int64(value) * kept) >> 12)",
    ),
    ("fast lif: the bias goes one way", "to_voltage = np.int32(0)", "to_voltage = bias[first + j]"),
    (
        "fast lif: the bias in the current",
        "to_current = bias[first + j]",
        "to_current = np.int32(0)",
    ),
    ("fast lif: u and v start at 0", "state[:] = np.int32(0)\n", "state[0] = np.int32(0)\n"),
    (
        "fast lif encoder: fires strictly above its threshold",
        "(v > threshold)\n        state[i]",
        "(v >= threshold)\n        state[i]",
    ),
    (
        "fast lif encoder: soft reset",
        "v - np.int32(threshold) * spike\n        scratch",
        "v * (1 - spike)\n        scratch",
    ),
    (
        "fast lif: the encoder is silent after the window",
        "scratch[i] = np.int32(0)",
        "scratch[i] = scratch[i]",
    ),
    (
        "fast lif: counts of the window only",
        "if inside:\n                        spikes[j]",
        "if True:\n                        spikes[j]",
    ),
    ("fast lif census: idle is apart", "tally = idle", "tally = counts"),
    (
        "fast lif census: idle spikes of the last layer",
        "counts[1 if inside else 3, layers]",
        "counts[1, layers]",
    ),
    ("fast lif: T + L steps", "range(plan.timesteps + layers)", "range(plan.timesteps)"),
)

PLAN = mutants(
    "fast spiking plan",
    "lif on fast",
    (
        "fast lif: the current's decay is off by one",
        "4095 - dynamics.current_decay",
        "4096 - dynamics.current_decay",
    ),
    (
        "fast lif: the membrane's decay is not",
        "4096 - dynamics.voltage_decay",
        "4095 - dynamics.voltage_decay",
    ),
    (
        "fast lif: weights count 2^exponent",
        "shift = dynamics.weight_exponent + ACT_SHIFT",
        "shift = ACT_SHIFT",
    ),
)

WIRING = mutants(
    "lava spiking network",
    "lif on lava-direct",
    ("lava lif: weights are 2 w", "weights=2 * weights", "weights=weights"),
    ("lava lif: weight_exp", '["weight_exponent"]) - 1', '["weight_exponent"])'),
    ("lava lif: signed weights", "sign_mode=SignMode.MIXED", "sign_mode=SignMode.EXCITATORY"),
    ("lava lif: resets when its window begins", "(index + 2) % period", "(index + 1) % period"),
    ("lava lif: every layer resets at its own step", "(index + 2) % period", "2 % period"),
    (
        "lava lif: resets once per decision",
        "period = timesteps + len(layers)",
        "period = timesteps + len(layers) + 1",
    ),
    (
        "lava lif: an always-on neuron's bias is above its threshold",
        "np.append(mantissa, threshold + 1)",
        "np.append(mantissa, threshold)",
    ),
    (
        "lava lif: a bias in the current is no bias of the membrane",
        "mantissa = np.zeros_like(mantissa)",
        "mantissa = mantissa + 0",
    ),
    (
        "lava lif: a bias in the current is a column",
        'own["bias"].astype(np.int32)[:, None]]',
        '0 * own["bias"].astype(np.int32)[:, None]]',
    ),
    ("lava lif: the current decays", 'du=int(dynamics["current_decay"])', "du=4095"),
    ("lava lif: the membrane decays", 'dv=int(dynamics["voltage_decay"])', "dv=0"),
)

PROCESSES = (
    *mutants(
        "lava spike source",
        "lif on lava-direct",
        (
            "lava lif source: fires strictly above its threshold",
            "self.v > self.threshold",
            "self.v >= self.threshold",
        ),
        ("lava lif source: soft reset", "self.v - self.threshold * fired", "self.v * ~fired"),
        ("lava lif source: v = 0 at a decision's start", "self.v = np.zeros_like(self.v)", "pass"),
        (
            "lava lif source: T steps of spikes",
            "if self.step < self.timesteps:",
            "if self.step < self.timesteps - 1:",
        ),
        (
            "lava lif source: a channel always spikes",
            "self.nothing[inputs:] = 1",
            "self.nothing[inputs:] = 0",
        ),
    ),
    *mutants(
        "lava recorder",
        "lif on lava-direct",
        (
            "lava lif recorder: layer l works in steps l + 1 .. l + T",
            "self.step - self.layer - 1",
            "self.step - self.layer",
        ),
        (
            "lava lif recorder: a decision takes T + L steps",
            "if self.step == self.period:",
            "if self.step == self.period + 1:",
        ),
    ),
)

EXPORTED = mutants(
    "exported host",
    "lif on exported host",
    ("exported host lif: half the squared distance", "math.exp(-0.5 *", "math.exp(-1.0 *"),
    (
        "exported host lif: tanh",
        'if self.facts["transform"] == "tanh":\n            value = math.tanh(value)',
        "pass",
    ),
    ("exported host lif: counts are divided by T", "sums / self.divisor + bias", "sums + bias"),
    ("exported host lif: decoder's bias", "sums / self.divisor + bias", "sums / self.divisor"),
)

SPIKING = (
    *NEURON,
    *DECAY,
    *CODING,
    *REFERENCE,
    *COUNTS,
    *HOST_WORK,
    *HOST,
    *KERNEL,
    *PLAN,
    *WIRING,
    *PROCESSES,
    *EXPORTED,
)
