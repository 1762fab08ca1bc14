"""Mutants of the ONNX graphs of lif and leaky."""

from __future__ import annotations

from tests.mutants.mutant import mutants
from tests.mutants.onnx_windowed_graphs import PART

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
            'graph.node("Where", graph.node("Or", control.active, graph.node("Not",'
            ' control.active)), graph.node("ReduceSum", graph.concat(parts)',
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
