"""Mutants of `leaky@1`: the neuron, its kernel and its Lava process."""

from __future__ import annotations

from tests.mutants.mutant import mutants

NEURON = mutants(
    "leaky",
    "reference",
    ("leaky: fires strictly above theta", "((v > theta) & rows)", "((v >= theta) & rows)"),
    (
        "leaky: the reset comes one step late",
        'np.where(rows, v, state["v"])',
        'np.where(rows, v - theta * (v > theta), state["v"])',
    ),
    (
        "leaky: resets strictly above theta",
        '(state["v"] > theta), state',
        '(state["v"] >= theta), state',
    ),
    ("leaky: subtracts theta", "- theta * (state", "- (state"),
    (
        "leaky: the reset does not decay",
        'decay(state["v"], leak',
        'decay(state["v"] - theta * (state["v"] > theta), leak',
    ),
    (
        "leaky: every neuron has a decay of its own",
        "leak.keep.astype(np.int64)",
        "leak.keep[:1].astype(np.int64)",
    ),
    ("leaky: weights are shifted", "(synaptic << leak.shift)", "synaptic"),
    (
        "leaky: the bias is not shifted",
        "(synaptic << leak.shift) + layer.bias",
        "((synaptic + layer.bias) << leak.shift)",
    ),
    ("leaky: state is carried over", "control == START", "control >= 1"),
    ("leaky: a start clears the membrane", "control == START", "control > START"),
    ("leaky: rows that are not active keep their state", 'np.where(rows, v, state["v"])', "v"),
    (
        "leaky: saturates before firing",
        "        v = saturate(kept",
        "        v = (lambda value, *_: value)(kept",
    ),
)

KERNEL = (
    *mutants(
        "fast leaky",
        "fast",
        (
            "fast leaky: fires strictly above theta",
            "np.int32(threshold < value)",
            "np.int32(threshold <= value)",
        ),
        (
            "fast leaky: decays towards zero",
            "(kept if v >= 0 else -kept)",
            "np.int32((np.int64(v) * np.int64(neurons[keeps + j])) >> 12)",
        ),
        (
            "fast leaky: resets strictly above theta",
            "raw -= threshold if v > threshold",
            "raw -= threshold if v >= threshold",
        ),
        ("fast leaky: weights are shifted", "(sums[total + j] << shift)", "sums[total + j]"),
    ),
    *mutants(
        "fast kernels",
        "fast",
        (
            "fast leaky: a start clears the membrane",
            "kind == LEAKY:\n            if control == START:",
            "kind == LEAKY:\n            if control > START:",
        ),
        (
            "fast leaky: state is carried over",
            "kind == LEAKY:\n            if control == START:",
            "kind == LEAKY:\n            if control >= CARRY:",
        ),
    ),
)

PROCESS = mutants(
    "lava leaky",
    "lava-direct",
    (
        "lava leaky: fires strictly above theta",
        "spikes = (self.v > self.threshold)",
        "spikes = (self.v >= self.threshold)",
    ),
    (
        "lava leaky: decays towards zero",
        "np.sign(self.v) * (np.abs(self.v).astype(np.int64) *",
        "(self.v.astype(np.int64) *",
    ),
    ("lava leaky: the product needs 64 bits", ".astype(np.int64)", ""),
    (
        "lava leaky: resets strictly above theta",
        "self.threshold * (self.v > self.threshold)",
        "self.threshold * (self.v >= self.threshold)",
    ),
    ("lava leaky: weights are shifted", "(arrived << self.shift)", "arrived"),
    (
        "lava leaky: a start clears the membrane",
        "self.window.control == START",
        "self.window.control > START",
    ),
    (
        "lava leaky: state is carried over",
        "self.window.control == START",
        "self.window.control >= 1",
    ),
    ("lava leaky: silent outside its window", "if timestep < 0:", "if timestep < -1:"),
    ("lava leaky: counts what saturates", "np.count_nonzero(self.v != membrane)", "0"),
)

LEAKY = (*NEURON, *KERNEL, *PROCESS)
