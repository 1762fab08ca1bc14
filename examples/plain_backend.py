"""A backend in plain Python integers that has one neuron, if@1.

python plain_backend.py VECTORS RESULTS
"""

import json
import pathlib
import sys

LIMIT = 2**23 - 1


def run(case):
    layers = case["layers"]
    T = case["timesteps"]
    alpha = case["alpha"]
    payloads = [[] for _ in layers]
    states = [[] for _ in layers]
    saturations = []
    memory = [None] * len(layers)
    for control, inputs in zip(case["control"], case["inputs"], strict=True):
        clipped = [0] * len(layers)
        for index, layer in enumerate(layers):
            memory[index] = begin(layer, memory[index], control, T, alpha)
            payloads[index].append([])
            states[index].append([])
        for t in range(T):
            if t == 0:
                arriving = inputs
            else:
                arriving = [0] * len(inputs)
            for index, layer in enumerate(layers):
                sums = [
                    sum(w * x for w, x in zip(row, arriving, strict=True))
                    for row in layer["weights"]
                ]
                arriving, clips = step(layer, memory[index], sums, t)
                clipped[index] += clips
                payloads[index][-1].append(arriving)
                states[index][-1].append(list(memory[index]["v"]))
        saturations.append(clipped)
    return {"payloads": payloads, "states": states, "saturations": saturations}


def begin(layer, old, control, T, alpha):
    """Membranes at a window's start; the readout starts with T times its bias."""
    if layer["neuron"] == "readout@1":
        return {"v": [T * b for b in layer["bias"]]}
    start = [theta // 2 for theta in layer["threshold"]]
    if control == 1:  # carry the residual over
        for j, theta in enumerate(layer["threshold"]):
            dv = max(old["v"][j] - old["start"][j], -old["spikes"][j] * theta)
            start[j] = min(max(start[j] + ((alpha * dv + 32) >> 6), 0), theta)
    return {"v": list(start), "start": start, "spikes": [0] * len(start)}


def step(layer, state, sums, t):
    """One timestep: payloads and how many membranes were clipped."""
    if layer["hold_input"]:
        if t == 0:
            state["held"] = sums
        sums = state["held"]
    if layer["neuron"] == "readout@1":
        state["v"] = [v + x for v, x in zip(state["v"], sums, strict=True)]
        return [0] * len(sums), 0
    spikes = []
    clips = 0
    for j, theta in enumerate(layer["threshold"]):
        free = state["v"][j] + sums[j] + layer["bias"][j]
        v = min(max(free, -LIMIT), LIMIT)
        clips += v != free
        spikes.append(int(v > theta))
        state["v"][j] = v - theta * spikes[j]
        state["spikes"][j] += spikes[j]
    return spikes, clips


if __name__ == "__main__":
    vectors, results = map(pathlib.Path, sys.argv[1:])
    for path in vectors.glob("*.json"):
        (results / path.name).write_text(json.dumps(run(json.loads(path.read_text()))))
