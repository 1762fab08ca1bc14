"""Mutants of the ONNX graphs and of the backend that runs them."""

from __future__ import annotations

from tests.mutants.mutant import mutants

PART = "onnx"

BLOCKS = (
    *mutants(
        "onnx integers",
        PART,
        (
            "onnx: division rounds down",
            'graph.node("Sub", value, remainder), divisor',
            "value, divisor",
        ),
        ("onnx: membrane's lowest", "membrane, -LIMIT, LIMIT", "membrane, -LIMIT - 1, LIMIT"),
        ("onnx: membrane's highest", "membrane, -LIMIT, LIMIT", "membrane, -LIMIT, LIMIT + 1"),
        (
            "onnx: saturations count at both ends",
            'graph.node("Abs", graph.concat(membranes))',
            "graph.concat(membranes)",
        ),
        (
            "onnx: the limit itself is not clipped",
            '"Greater", graph.node("Abs"',
            '"GreaterOrEqual", graph.node("Abs"',
        ),
        ("onnx: clipped below", 'graph.node("Max", value, low), high', "value, high"),
        (
            "onnx: clipped above",
            'graph.node("Min", graph.node("Max", value, low), high)',
            'graph.node("Max", value, low)',
        ),
        (
            "onnx snm: a negative spike has a sign",
            'graph.node("Sub", graph.cast(up',
            'graph.node("Add", graph.cast(up',
        ),
    ),
    *mutants(
        "onnx carry over",
        PART,
        (
            "onnx: dv >= -emitted",
            'graph.node("Max", graph.node("Sub", v, v_start), graph.node("Mul", what_matters,',
            'graph.node("Max", graph.node("Sub", v, v_start), graph.node("Mul", v,',
        ),
        ("onnx: dv is measured from v_start", 'graph.node("Sub", v, v_start)', "v"),
        (
            "onnx: emitted is in membrane units",
            "(-unit).astype(np.int32)",
            "(-unit // unit).astype(np.int32)",
        ),
        (
            "onnx: carry-over rounds to the nearest",
            "np.array(32, np.int32)",
            "np.array(0, np.int32)",
        ),
        ("onnx: carry-over's halves go up", "np.array(32, np.int32)", "np.array(31, np.int32)"),
        ("onnx: alpha in 64ths", "np.array(6, np.int32)", "np.array(5, np.int32)"),
        ("onnx: carry-over is clipped", "clip(graph, moved, low, high)", "moved"),
        ("onnx: a start carries nothing over", "control.carry, clip", "control.active, clip"),
        ("onnx: residual carried over", "control.carry, clip", "control.start, clip"),
        (
            "onnx: carry-over starts from v_init",
            "np.array(6, np.int32)), v_init)",
            "np.array(6, np.int32)), low)",
        ),
    ),
    *mutants(
        "onnx window",
        PART,
        (
            "onnx: sums are weights times payloads",
            "layer.weights.T, np.int32",
            "abs(layer.weights.T), np.int32",
        ),
    ),
    *mutants(
        "onnx timesteps",
        PART,
        (
            "onnx: what is held arrives in each timestep",
            "arriving * (size.timesteps // size.count)",
            "arriving",
        ),
        (
            "onnx scan: what is held arrives in each timestep",
            "np.ones((size.timesteps, 1), np.int32)",
            "np.eye(size.timesteps, 1, dtype=np.int32)",
        ),
        (
            "onnx scan: the state moves on",
            '"Identity", name) for name in after]',
            '"Identity", name) for name in names[:-1]]',
        ),
        (
            "onnx scan: every timestep has its results",
            "axes=[1]) for name in found)",
            "axes=[1]) for name in found[:1] * len(found))",
        ),
    ),
)

WINDOWED = (
    *mutants(
        "onnx windowed",
        PART,
        (
            "onnx windowed: bias",
            'graph.node("Add", sums.tensor, layer.bias.astype(np.int32))',
            "sums.tensor",
        ),
        (
            "onnx windowed: saturates before firing",
            "self.fire(graph, layer, saturated, net)",
            "self.fire(graph, layer, integrated, net)",
        ),
        (
            "onnx windowed: saturates",
            'graph.node("Sub", saturated, graph.node',
            'graph.node("Sub", integrated, graph.node',
        ),
        ("onnx windowed: soft reset by theta", 'graph.node("Mul", payload, theta)', "payload"),
        (
            "onnx windowed: emitted counts one decision",
            'start, graph.node("Sub", start, start)',
            'start, state["net"]',
        ),
        ("onnx windowed: net grows", 'graph.node("Add", net, payload)', "net"),
        (
            "onnx windowed: emitted is net",
            'graph.node("Add", net, payload)',
            'graph.node("Add", net, graph.node("Abs", payload))',
        ),
        (
            "onnx windowed: v goes on to the next decision",
            '{"v": v, "v_start"',
            '{"v": start, "v_start"',
        ),
        ("onnx windowed: v_start goes on to the next decision", '"v_start": start', '"v_start": v'),
        ("onnx windowed: net goes on to the next decision", '"net": net}', '"net": start}'),
        (
            "onnx windowed: states are those after the spike",
            "[integrated, payload, v]",
            "[integrated, payload, saturated]",
        ),
        (
            "onnx windowed: alpha",
            "residual, network.alpha",
            "residual, 64",
        ),
    ),
    *mutants(
        "onnx integrate and fire",
        PART,
        ("onnx if: fires strictly above theta", '"Greater"', '"GreaterOrEqual"'),
        ("onnx if: v_init = theta // 2", "Range(theta // 2", "Range((theta + 1) // 2"),
        ("onnx if: lo = 0", "np.zeros_like(theta), theta", "-theta, theta"),
        ("onnx if: hi = theta", "np.zeros_like(theta), theta", "np.zeros_like(theta), 2 * theta"),
    ),
    *mutants(
        "onnx signed memory",
        PART,
        ("onnx snm: fires at theta", '"GreaterOrEqual", v,', '"Greater", v,'),
        ("onnx snm: negative strictly below 0", '"Less", v, np', '"LessOrEqual", v, np'),
        (
            "onnx snm: nothing is taken back that was not sent",
            "np.array(1, np.int32)",
            "np.array(0, np.int32)",
        ),
        ("onnx snm: the last spike may be taken back", '"GreaterOrEqual", net', '"Greater", net'),
        ("onnx snm: v_init = theta // 2", "Range(theta // 2", "Range((theta + 1) // 2"),
        ("onnx snm: lo = 0", "np.zeros_like(theta), theta", "-theta, theta"),
        ("onnx snm: hi = theta", "np.zeros_like(theta), theta", "np.zeros_like(theta), 2 * theta"),
    ),
    *mutants(
        "onnx multi threshold",
        PART,
        ("onnx mt: fires at 3/4 p lambda", '"GreaterOrEqual", v, reached', '"Greater", v, reached'),
        ("onnx mt: negative at -3/4 p lambda", '"LessOrEqual", v, -reached', '"Less", v, -reached'),
        ("onnx mt: 3/4, rounded up", "-(-3 * p * unit // 4)", "3 * p * unit // 4"),
        ("onnx mt: 3/4, not 1", "-(-3 * p * unit // 4)", "p * unit"),
        ("onnx mt: p units must have been sent", "(p * enough)", "enough + 0 * p * enough"),
        (
            "onnx mt: all that was sent may be taken back",
            '"GreaterOrEqual", sent',
            '"Greater", sent',
        ),
        ("onnx mt: p is a power of two", "prepend=0)", "prepend=1)"),
        ("onnx mt: p is 8 too", "[1, 2, 4, 8]", "[1, 2, 4, 4]"),
        (
            "onnx mt: spikes are taken back",
            'graph.node("Where", down, steps, nothing)',
            'graph.node("Where", down, nothing, nothing)',
        ),
        ("onnx mt: v_init = 0", "Range(np.zeros_like(half)", "Range(half"),
        ("onnx mt: lo = -(theta // 2)", ", -half, half", ", 0 * half, half"),
        ("onnx mt: hi = theta // 2", ", -half, half", ", -half, 2 * half"),
        ("onnx mt: c counts units", "unit, net, np.ones_like(unit)", "unit, net, unit"),
    ),
)

DIFFERENTIAL = mutants(
    "onnx differential coding",
    PART,
    ("onnx dc: v += D I", 'graph.node("Mul", arriving, np.array(d, np.int32))', "arriving"),
    ("onnx dc: v += ein", 'graph.node("Add", v, ein)', "v"),
    (
        "onnx dc: v -= eout",
        'graph.node("Sub", graph.node("Add", v, ein), eout)',
        'graph.node("Add", v, ein)',
    ),
    ("onnx dc: c += eout", 'c = graph.node("Add", c, eout)', "c = c"),
    ("onnx dc: fires by D lambda", "saturated, unit, c, unit", "saturated, threshold, c, unit"),
    ("onnx dc: c is in units of 1/D", "saturated, unit, c, unit", "saturated, unit, c, threshold"),
    (
        "onnx dc: v -= p D lambda",
        'graph.node("Mul", payloads[-1], unit.astype',
        'graph.node("Mul", payloads[-1], threshold.astype',
    ),
    ("onnx dc: c += p D lambda", 'graph.node("Add", c, sent)', "c"),
    ("onnx dc: ein += (D / t) I", "np.array(share, np.int32)", "np.array(d, np.int32)"),
    ("onnx dc: eout += (D / t) p lambda", "(share * threshold)", "(d * threshold)"),
    (
        "onnx dc: ein starts at D b",
        "(d * layer.bias.astype(np.int64))",
        "(layer.bias.astype(np.int64))",
    ),
    (
        "onnx dc: the input comes once",
        "if timestep <= sums.count:\n                arriving = synaptic[timestep - 1]",
        "if True:\n                arriving = synaptic[min(timestep, sums.count) - 1]",
    ),
    ("onnx dc: t counts from 1", "share = d // timestep", "share = d // max(timestep - 1, 1)"),
    (
        "onnx dc: saturates",
        'graph.node("Sub", saturated, sent)',
        'graph.node("Sub", integrated[-1], sent)',
    ),
    ("onnx dc: lo = -(theta // 2)", "-4 * unit, 4 * unit", "0 * unit, 4 * unit"),
    ("onnx dc: hi = theta // 2", "-4 * unit, 4 * unit", "-4 * unit, 8 * unit"),
    ("onnx dc: emitted = c", 'state["c"], one', 'state["v"], one'),
    ("onnx dc: c goes on to the next decision", '"c": c}', '"c": start}'),
    ("onnx dc: v_start goes on to the next decision", '"v_start": start', '"v_start": v'),
)

SIGMA_DELTA = (
    *mutants(
        "onnx sigma delta",
        PART,
        (
            "onnx sdn: acc starts at the bias",
            "layer.bias.astype(np.int32), state",
            "0 * layer.bias.astype(np.int32), state",
        ),
        (
            "onnx sdn: acc never cleared in an episode",
            '"Where", control.start, layer',
            '"Where", control.active, layer',
        ),
        (
            "onnx sdn: a start clears ref",
            'graph.node("Where", control.start, zero, state["ref"])',
            'state["ref"]',
        ),
        ("onnx sdn: sent once |d| >= trigger", '"GreaterOrEqual"', '"Greater"'),
        ("onnx sdn: a negative d, too", 'graph.node("Abs", payload), np', "payload, np"),
        (
            "onnx sdn: a return to 0 is always sent",
            'graph.node("Or", enough, graph.node("Equal", q, zero))',
            "enough",
        ),
        ("onnx sdn: ref follows what was sent", 'graph.node("Add", reference, payload)', "q"),
        (
            "onnx sdn: q is clipped",
            'graph.node("Sub", q, reference)',
            'graph.node("Sub", unclipped, reference)',
        ),
        (
            "onnx sdn: clipped q are counted",
            'graph.node("Not", graph.node("Equal", q, unclipped))',
            'graph.node("Less", q, unclipped)',
        ),
    ),
    *mutants(
        "onnx activation",
        PART,
        (
            "onnx sdn: relu",
            'graph.node("Max", accumulator, np.array(0, np.int32))',
            'graph.node("Abs", accumulator)',
        ),
        ("onnx sdn: identity is not relu", 'layer.activation == "relu"', "True"),
        (
            "onnx sdn: q rounds to the nearest",
            'graph.node("Add", doubled, theta), 2 * theta',
            "doubled, 2 * theta",
        ),
        (
            "onnx table: a segment holds its start",
            '"GreaterOrEqual", graph.node("Unsqueeze"',
            '"Greater", graph.node("Unsqueeze"',
        ),
        (
            "onnx table: rounds to the nearest",
            "shift_right(graph, rounded, shift)",
            "shift_right(graph, product, shift)",
        ),
        (
            "onnx table: measured from the segment's start",
            'graph.node("Sub", graph.cast(accumulator, np.int64), start)',
            "graph.cast(accumulator, np.int64)",
        ),
        (
            "onnx table: every neuron has its own",
            "np.arange(neurons) * segments",
            "np.arange(neurons) * 0",
        ),
        ("onnx table: what is cut still counts as clipped", "BEYOND = 2**30", "BEYOND = 3"),
    ),
)

READOUT = mutants(
    "onnx readout",
    PART,
    ("onnx readout: starts at T * b", "times = timesteps", "times = 1"),
    ("onnx readout: starts at D * b (dc)", "times = denominator(timesteps)", "times = timesteps"),
    (
        "onnx readout: never cleared in an episode (sdn)",
        "fresh = control.start",
        "fresh = control.active",
    ),
    (
        "onnx readout: starts anew in each decision",
        "fresh = control.active",
        "fresh = control.start",
    ),
    ("onnx readout: acc += (D / t) I (dc)", "[times // timestep for", "[times for"),
    (
        "onnx readout: all timesteps are summed",
        "Size(layer.outputs, timesteps, sums.count)",
        "Size(layer.outputs, sums.count, sums.count)",
    ),
)

FLOW = (
    *mutants(
        "onnx decision",
        PART,
        (
            "onnx: rows that are not active keep their state",
            'graph.node("Where", control.active, after, name, name=',
            'graph.node("Identity", after, name=',
        ),
    ),
    *mutants(
        "onnx codes",
        PART,
        ("onnx: sdn gets q0 - ref0", 'graph.node("Sub", encoded, reference)', "encoded"),
        (
            "onnx: a start announces q0",
            'control.start, np.array(0, np.int32), "input_state"',
            'control.start, encoded, "input_state"',
        ),
    ),
    *mutants(
        "onnx decision",
        PART,
        (
            "onnx census: synops are payloads times fan-out",
            "np.ones_like(layer.fan_out), layer.fan_out]",
            "np.ones_like(layer.fan_out), np.ones_like(layer.fan_out)]",
        ),
        ("onnx census: messages", "[np.ones_like(layer.fan_out),", "[layer.fan_out,"),
        (
            "onnx census: a payload counts once, whatever its size",
            "graph.cast(graph.cast(payloads, np.bool_), np.int64)",
            "graph.cast(payloads, np.int64)",
        ),
        (
            "onnx census: rows that are not active do not count",
            '"Where", control.active, graph.concat(counts)',
            '"Where", graph.node("Or", control.active, graph.node("Not", control.active)), graph.concat(counts)',
        ),
    ),
    *mutants(
        "onnx backend",
        PART,
        (
            "onnx backend: messages add up",
            "self.counters.messages += messages",
            "self.counters.messages[:] = messages",
        ),
        ("onnx backend: saturations add up", "self.counters.saturations += saturations", "pass"),
        ("onnx backend: decisions of active rows", "int(active.sum())", "self.rows"),
        (
            "onnx backend: encode's saturations",
            "self.counters.encode_saturations = self.host.saturations",
            "pass",
        ),
        ("onnx backend: q0 is the sum of its changes", "takes_q0 = True", "takes_q0 = False"),
    ),
    *mutants(
        "onnx session",
        PART,
        (
            "onnx backend: the state moves on",
            'outputs[f"next_{name}"] for name in self.state',
            "self.state[name] for name in self.state",
        ),
    ),
)

LEAKY = (
    *mutants(
        "onnx leaky",
        PART,
        (
            "onnx leaky: fires strictly above theta",
            'graph.cast(graph.node("Greater", v',
            'graph.cast(graph.node("GreaterOrEqual", v',
        ),
        (
            "onnx leaky: resets strictly above theta",
            '"Greater", before',
            '"GreaterOrEqual", before',
        ),
        (
            "onnx leaky: the reset comes one step late",
            '"Greater", before, theta), theta, zero)',
            '"Greater", before, theta), zero, zero)',
        ),
        (
            "onnx leaky: subtracts theta",
            ", theta), theta, zero)",
            ", theta), np.array(1, np.int32), zero)",
        ),
        (
            "onnx leaky: the reset does not decay",
            "decay(graph, before",
            'decay(graph, graph.node("Sub", before, late)',
        ),
        (
            "onnx leaky: every neuron has a decay of its own",
            "leak.keep.astype(np.int64)",
            "leak.keep[:1].astype(np.int64)",
        ),
        (
            "onnx leaky: weights are shifted",
            'graph.node("Mul", sums.tensor, np.array(1 << leak.shift, np.int32))',
            "sums.tensor",
        ),
        (
            "onnx leaky: the bias is not shifted",
            "layer.bias.astype(np.int32)",
            "layer.bias.astype(np.int32) << np.int32(leak.shift)",
        ),
        (
            "onnx leaky: state is carried over",
            '"Where", control.start, zero',
            '"Where", control.active, zero',
        ),
        (
            "onnx leaky: a start clears the membrane",
            'graph.node("Where", control.start, zero, state["v"])',
            'state["v"]',
        ),
        (
            "onnx leaky: saturates before firing",
            "v = saturate(graph, integrated)",
            "v = integrated",
        ),
        (
            "onnx leaky: counts what saturates",
            "beyond_limit(graph, [integrated])",
            "beyond_limit(graph, [v])",
        ),
    ),
    *mutants(
        "onnx integers",
        PART,
        (
            "onnx: decay is towards zero",
            'graph.node("Abs", value), np.int64), kept)',
            "value, np.int64), np.abs(kept))",
        ),
        ("onnx: decay in 4096ths", "np.array(4096, np.int64)", "np.array(4095, np.int64)"),
        (
            "onnx: decay keeps the sign",
            'graph.node("Mul", graph.node("Sign", value), part)',
            "part",
        ),
    ),
)

SPIKING = (
    *mutants(
        "onnx leaky integrate and fire",
        "lif on onnx",
        (
            "onnx lif: fires strictly above theta",
            '"Greater", v, threshold',
            '"GreaterOrEqual", v, threshold',
        ),
        ("onnx lif: the threshold counts 64", "layer.threshold << ACT_SHIFT", "layer.threshold"),
        (
            "onnx lif: hard reset",
            '"Where", fired, zero, v)',
            '"Where", fired, graph.node("Sub", v, threshold), v)',
        ),
        (
            "onnx lif: u goes on after a spike",
            "return [u, v], [graph",
            'return [graph.node("Where", fired, zero, u), v], [graph',
        ),
        (
            "onnx lif: u keeps one part of 4096 less",
            "4095 - dynamics.current_decay",
            "4096 - dynamics.current_decay",
        ),
        (
            "onnx lif: v keeps all where nothing decays",
            "4096 - dynamics.voltage_decay",
            "4095 - dynamics.voltage_decay",
        ),
        (
            "onnx lif: u of this timestep reaches v",
            "decay(graph, state[1], kept_v), u)",
            "decay(graph, state[1], kept_v), state[0])",
        ),
        (
            "onnx lif: the bias goes one way",
            "if dynamics.bias_in_current else (zeros, bias)",
            "if dynamics.bias_in_current else (bias, bias)",
        ),
        (
            "onnx lif: a bias in the current",
            "(bias, zeros) if dynamics",
            "(zeros, zeros) if dynamics",
        ),
        ("onnx lif: weights count 2^exponent", "dynamics.weight_exponent + ACT_SHIFT", "ACT_SHIFT"),
        (
            "onnx lif: u and v count 64",
            "dynamics.weight_exponent + ACT_SHIFT",
            "dynamics.weight_exponent",
        ),
        (
            "onnx lif: runs on after its window",
            "step, after, current(silence)",
            "step, [reset, reset], current(silence)",
        ),
        (
            "onnx lif: idle for L steps",
            "Size(layer.outputs, steps, 1 if",
            "Size(layer.outputs, steps if sums.idle else 1, 1 if",
        ),
    ),
    *mutants(
        "onnx encoder",
        "lif on onnx",
        (
            "onnx lif encoder: fires strictly above its threshold",
            '"Greater", v, theta',
            '"GreaterOrEqual", v, theta',
        ),
        (
            "onnx lif encoder: soft reset",
            '[graph.node("Sub", v, graph.node("Mul", spikes, theta))]',
            '[graph.node("Sub", v, graph.node("Mul", spikes, v))]',
        ),
        (
            "onnx lif encoder: v = 0 at a decision's start",
            'graph.node("Sub", encoded, encoded)',
            "encoded",
        ),
    ),
    *mutants(
        "onnx codes",
        "lif on onnx",
        (
            "onnx lif: spikes of rows that are not active do not count",
            '"Where", control.active, summed',
            '"Where", graph.node("Not", control.start), summed',
        ),
        (
            "onnx lif census: idle synops are spikes times fan-out",
            "synops = network.layers[index + 1].fan_out",
            "synops = np.ones_like(network.layers[index + 1].fan_out)",
        ),
        (
            "onnx lif census: the last layer's idle spikes have no synops",
            "synops = np.zeros(layer.outputs, np.int64)",
            "synops = np.ones(layer.outputs, np.int64)",
        ),
        (
            "onnx lif census: an always-on neuron spikes in every idle step",
            "[steps * (layer.always_on > 0),",
            "[(layer.always_on > 0),",
        ),
        (
            "onnx lif census: an always-on neuron has synops",
            "steps * layer.always_on]",
            "0 * layer.always_on]",
        ),
        (
            "onnx lif census: idle activity of active rows",
            'graph.node("Where", control.active, graph.node("ReduceSum", graph.concat(parts)',
            'graph.node("Where", graph.node("Or", control.active, graph.node("Not", control.active)), graph.node("ReduceSum", graph.concat(parts)',
        ),
    ),
    *mutants(
        "onnx backend",
        "lif on onnx",
        ("onnx lif backend: idle spikes", "self.counters.idle_spikes += idle_spikes", "pass"),
        ("onnx lif backend: idle synops", "self.counters.idle_synops += idle_synops", "pass"),
        ("onnx lif backend: the last layer's spikes", 'int(outputs["spike_counts"].sum())', "0"),
    ),
)

ONNX = (*BLOCKS, *WINDOWED, *DIFFERENTIAL, *SIGMA_DELTA, *READOUT, *FLOW, *LEAKY, *SPIKING)
