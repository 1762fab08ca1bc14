"""The page that is written beside the vectors.

It holds their layout and every equation, as the neurons themselves state it.
"""

from __future__ import annotations

import inspect

from spikeport.toolchain.neurons import HIDDEN_NEURONS
from spikeport.toolchain.neurons.neuron import carry_residual
from spikeport.toolchain.neurons.readout import Readout

INTRODUCTION = """# Golden vectors

Each `CASE.json` holds one small integer network, what the host sends to it, and what Lava's CPU
fixed-point models computed from it, timestep by timestep. All numbers are whole numbers of at most
32 bits with sign; sums of products need 64. Keys stand in the order given here, without line
breaks.

| key | meaning |
|---|---|
"""

KEYS = {
    "`format`, `version`": "`spikeport-vector`, 1",
    "`name`, `neuron`": "the case, and the id of its hidden neurons",
    "`timesteps`": "T, timesteps of one decision",
    "`alpha`": "share of the residual that is carried over, in 64ths",
    "`encoder_threshold`": "lif only, see below",
    "`layers`": "the weight layers in order",
    "`control`": "per decision 1: state carries over, 2: state starts afresh",
    "`inputs`": (
        "`[decision][input]`: what the host sends in the first timestep of a decision; nothing"
        " comes in the others"
    ),
    "`expected`": ("what a backend must return (see Results); absent where a backend is checked"),
}

LAYOUT = """
A layer: `neuron`, `outputs`, `inputs`, `activation`, `trigger`, `hold_input`, `weights`
`[output][input]`, `bias`, `threshold`, `payload_low`, `payload_high` (`[output]` each), then, where
the neuron has one, `table` (`start`, `multiplier`, `offset`: `[output][segment]`; `shift`:
`[output]`), `leak` (`keep`: `[output]`; `shift`) and `dynamics` (`current_decay`, `voltage_decay`,
`weight_exponent`, `bias_in_current`).

Within a timestep layer l + 1 sees the payloads that layer l sent in that same timestep. A layer's
synaptic sum is `sum over input of weights[output][input] * payload[input]`.

## Results

`{"payloads": ..., "states": ..., "saturations": ...}`: `payloads` and `states` are
`[layer][decision][timestep][output]`, what each neuron sent in a timestep and its state after it
(v; acc of sdn and of the readout, which sends 0). `saturations` is `[decision][layer]`: how often a
neuron of the layer was clipped in the decision: the membrane at 24 bits (if, snm, mt, dc, leaky), q
at its payload range (sdn); 0 for the readout and for lif.

`spikeport check --backend-command CMD` calls `CMD VECTORS RESULTS`. VECTORS is a folder of cases
without `expected`; for each `VECTORS/CASE.json` the command writes `RESULTS/CASE.json` and then
ends with exit code 0. `--neurons if,mt` gives only those.

## Neurons

`>>` is the arithmetic shift (towards minus infinity), `//` the floor division, `sat(x)` clips to
-8388607..8388607 and counts what it clipped. A rate neuron (if, snm, mt) adds `W x` in each
timestep and the bias in every one.
"""

ENCODER = """### Input of lif

`inputs` is what the encoder's neurons integrate, in each of the T timesteps. v = 0 at a decision's
start:

    v <- v + input;  spike if v > encoder_threshold;  v <- v - encoder_threshold

The spikes (0 or 1) are the payloads that reach layer 0. There is no readout: the last layer is of
lif too.
"""

CARRY = "### Residual carry-over (if, snm, mt, dc)"

TABLE = """### Table (sdn with other activations than relu and identity)

    k = the last segment with start[j][k] <= acc;  start[j][0] = -8388608
    table(acc) = offset[j][k] + ((way * multiplier[j][k] + (1 << (shift[j] - 1))) >> shift[j])
    way = acc - start[j][k]
"""


def readme() -> str:
    """The whole page."""
    keys = "".join(f"| {key} | {meaning} |\n" for key, meaning in KEYS.items())
    parts = [INTRODUCTION + keys + LAYOUT, _equations(CARRY, inspect.getdoc(carry_residual))]
    for neuron in HIDDEN_NEURONS.values():
        parts.append(
            _equations(f"### {neuron.id}", inspect.getdoc(inspect.getmodule(type(neuron))))
        )
        if neuron.id == "sdn@1":
            parts.append(TABLE)
        if neuron.id == "lif@1":
            parts.append(ENCODER)
    parts.append(_equations("### readout@1", inspect.getdoc(inspect.getmodule(Readout))))
    return "\n".join(parts)


def _equations(title: str, text: str | None) -> str:
    return f"{title}\n\n{(text or '').strip()}\n"
