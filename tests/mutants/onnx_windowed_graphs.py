"""Mutants of the ONNX graphs of the windowed neurons."""

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
