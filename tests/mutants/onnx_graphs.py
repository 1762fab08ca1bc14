"""Mutants of the ONNX graphs and of the backend that runs them."""

from __future__ import annotations

from tests.mutants.mutant import mutants
from tests.mutants.onnx_spiking_graphs import LEAKY, SPIKING
from tests.mutants.onnx_windowed_graphs import BLOCKS, DIFFERENTIAL, PART, WINDOWED

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
            '"Where", graph.node("Or", control.active, graph.node("Not", control.active)),'
            " graph.concat(counts)",
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


ONNX = (*BLOCKS, *WINDOWED, *DIFFERENTIAL, *SIGMA_DELTA, *READOUT, *FLOW, *LEAKY, *SPIKING)
