"""The oracle's neurons: contract sections 1-3 and 5 in plain Python integers."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from spikeport.toolchain.network.integer_network import Layer

LARGEST = 8_388_607  # 24-bit signed
WINDOWED = ("if", "snm", "mt", "dc")
MEMBRANES = (*WINDOWED, "leaky")
Row = list[int]


def clip(value: Any, low: Any, high: Any) -> Any:
    """A value cut to low..high."""
    if value < low:
        return low
    if value > high:
        return high
    return value


def shares(timesteps: int) -> int:
    """D = lcm(1..T)."""
    return math.lcm(*range(1, timesteps + 1))


class Neuron:
    """One neuron of one layer.

    `coding` is how its network speaks: by a rate, by changes of a mean (dc), across decisions
    (sdn).
    """

    def __init__(
        self,
        layer: Layer,
        index: int,
        timesteps: int,
        alpha: int,
        coding: str,
        events: Counter[str],
    ) -> None:
        self.kind = layer.neuron.split("@")[0]
        self.events = events
        self.timesteps = timesteps
        self.alpha = alpha
        self.coding = coding
        self.weights = [int(w) for w in layer.weights[index]]
        self.bias, self.threshold = int(layer.bias[index]), int(layer.threshold[index])
        self.low, self.high = int(layer.payload_low[index]), int(layer.payload_high[index])
        self.activation = layer.activation
        self.trigger = layer.trigger
        self.hold = layer.hold_input
        self.table: list[tuple[int, int, int]] = []
        if layer.table is not None:
            parts = (layer.table.start, layer.table.multiplier, layer.table.offset)
            self.table = [
                (int(a), int(b), int(c))
                for a, b, c in zip(*(part[index] for part in parts), strict=True)
            ]
            self.shift = int(layer.table.shift[index])
        if coding == "differential":
            self.d = shares(timesteps)
        else:
            self.d = 1
        self.one = (
            self.threshold * self.d
        )  # what a payload of 1 is in the membrane: theta (if, snm), lambda (mt), D lambda (dc)
        self.init = self.threshold // 2
        self.lo = 0
        self.hi = self.threshold
        if self.kind in ("mt", "dc"):
            theta = 8 * self.one
            self.init = 0
            self.lo = -(theta // 2)
            self.hi = theta // 2
        self.v = self.v0 = self.emitted = self.acc = self.ref = self.held = self.ein = self.eout = 0
        if layer.leak is not None:
            self.keep = int(layer.leak.keep[index])
            self.finer = 2**layer.leak.shift
        self.saturations = 0

    def open(self, starts: bool) -> None:
        """A decision begins."""
        self.t = 0
        if self.kind in WINDOWED:
            if starts:
                self.v0 = self.init
            else:
                self.v0 = self.carried()
            self.v = self.v0
            self.emitted = 0
            self.ein = self.d * self.bias
            self.eout = 0
        elif self.kind == "leaky":
            if starts:
                self.v = 0
            else:
                self.v = self.v
        elif self.coding == "rate":
            self.acc = self.timesteps * self.bias
        elif self.coding == "differential":
            self.acc = self.d * self.bias
        elif starts:
            self.acc = self.bias
            self.ref = 0

    def carried(self) -> int:
        """1.5.

        Dv = max(v_end - v_start, -emitted); r = (a*dv + 32) >> 6; v_start' = clip(v_init + r, lo,
        hi).
        """
        residual = self.v - self.v0
        if residual < -self.emitted:
            residual = -self.emitted
            self.events[f"{self.kind} carry: dv is cut at -emitted"] += bool(self.alpha)
            self.events[f"{self.kind} carry: dv is cut at -emitted, not at 0"] += (
                bool(self.alpha) and residual < 0
            )
        r = math.floor((self.alpha * residual + 32) / 64)  # exact: below 2^53 and a power of two
        self.events["carry: negative"] += r < 0
        self.events["carry: rounded up"] += (self.alpha * residual) % 64 >= 32
        self.events["carry: at a half"] += (self.alpha * residual) % 64 == 32
        start = self.init + r
        self.events[f"{self.kind} carry: below lo"] += start < self.lo
        self.events[f"{self.kind} carry: above hi"] += start > self.hi
        return clip(start, self.lo, self.hi)

    def step(self, payloads: Row) -> int:
        """One timestep: what arrives in, what is sent out."""
        self.t += 1
        arriving = sum(w * p for w, p in zip(self.weights, payloads, strict=True))
        if self.hold:
            if self.t == 1:
                self.held = arriving
            arriving = self.held
        if self.kind in WINDOWED:
            return self.fire(arriving)
        if self.kind == "leaky":
            return self.leak(arriving)
        if self.coding == "differential":
            self.events["dc readout: something comes after t = 1"] += self.t > 1 and arriving != 0
            arriving *= self.d // self.t
        self.acc += arriving
        if self.kind == "readout":
            return 0
        return self.change()

    def leak(self, arriving: int) -> int:
        """r = [v > theta].

        V = sat(decay(v) + (W x << shift) + b - theta r), the decay towards zero; a spike if v >
        theta.
        """
        kept = abs(self.v) * self.keep // 4096
        late = self.v > self.threshold
        wanted = (
            (kept if self.v > 0 else -kept)
            + arriving * self.finer
            + self.bias
            - (self.threshold if late else 0)
        )
        self.events["leaky: decay of a negative membrane rounds"] += (
            self.v < 0 and self.v * self.keep % 4096 != 0
        )
        self.events["leaky: keeps all"] += self.keep == 4096 and self.v != 0
        self.events["leaky: keeps nothing"] += self.keep == 0 and self.v != 0
        self.events["leaky: reset one step late"] += late and self.threshold > 0
        self.events["leaky: reset by a negative threshold"] += late and self.threshold < 0
        self.events["leaky: threshold 0"] += self.threshold == 0
        self.events["leaky: weights are shifted"] += self.finer > 1 and arriving != 0
        self.events["leaky: membrane at the top"] += wanted > LARGEST
        self.events["leaky: membrane at the bottom"] += wanted < -LARGEST
        self.v = clip(wanted, -LARGEST, LARGEST)
        self.events["leaky: v == theta"] += self.v == self.threshold
        self.saturations += self.v != wanted
        return int(self.v > self.threshold)

    def fire(self, arriving: int) -> int:
        kind = self.kind
        events = self.events
        if kind == "dc":
            wanted = self.v + self.d * arriving + self.ein - self.eout
            events["dc: input at t = 1 only is a mean later"] += (
                self.t > 1 and arriving == 0 and self.ein != self.d * self.bias
            )
            events["dc: something comes after t = 1"] += self.t > 1 and arriving != 0
            events["dc: c grows by eout"] += self.eout > 0
            self.emitted += self.eout
        else:
            wanted = self.v + arriving + self.bias
        self.v = clip(wanted, -LARGEST, LARGEST)
        self.saturations += self.v != wanted
        events[f"{kind}: membrane at the top"] += wanted > LARGEST
        events[f"{kind}: membrane at the bottom"] += wanted < -LARGEST
        payload = {
            "if": self.spike,
            "snm": self.signed_spike,
            "mt": self.graded_spike,
            "dc": self.graded_spike,
        }[kind]()
        events[f"{kind}: saturated and fired"] += payload > 0 and self.v != wanted
        events[f"{kind}: residue left"] += payload != 0 and self.v != payload * self.one
        self.v -= payload * self.one
        self.emitted += payload * self.one
        if kind == "dc":
            share = self.d // self.t
            events["dc: saturated and fired negatively"] += payload < 0 and self.v != wanted
            events["dc: a share that is neither D nor 1"] += 1 < share < self.d and payload != 0
            self.ein += share * arriving
            self.eout += share * payload * self.threshold
        return payload

    def spike(self) -> int:
        self.events["if: v == theta"] += self.v == self.threshold
        return int(self.v > self.threshold)

    def signed_spike(self) -> int:
        """+1 if v >= theta; else -1 if v < 0 and n >= 1, n = net spikes of this decision."""
        net = self.emitted // self.threshold
        self.events["snm: v == theta"] += self.v == self.threshold
        self.events["snm: v == 0 after a spike"] += self.v == 0 and net >= 1
        self.events["snm: negative refused, nothing was sent"] += self.v < 0 and net == 0
        self.events["snm: negative"] += self.v < 0 and net >= 1
        self.events["snm: negative, n == 1"] += self.v < 0 and net == 1
        if self.v >= self.threshold:
            return 1
        if self.v < 0 and net >= 1:
            return -1
        return 0

    def graded_spike(self) -> int:
        """The largest p with 4v >= 3 p lambda.

        Else the largest with 4v <= -3 p lambda and so much sent, negative.
        """
        kind = self.kind
        events = self.events
        one = self.one
        up = [p for p in (8, 4, 2, 1) if 4 * self.v >= 3 * p * one]
        asked = [p for p in (8, 4, 2, 1) if 4 * self.v <= -3 * p * one]
        down = [p for p in asked if self.emitted >= p * one]
        for p in (1, 2, 4, 8):
            events[f"{kind}: +{p}"] += up[:1] == [p]
            events[f"{kind}: -{p}"] += down[:1] == [p]
            events[f"{kind}: 4v == 3 {p} lambda"] += 4 * self.v == 3 * p * one
            events[f"{kind}: 4v == -3 {p} lambda"] += (
                4 * self.v == -3 * p * one and self.emitted >= p * one
            )
            events[f"{kind}: -{p} takes all that was sent"] += (
                down[:1] == [p] and self.emitted == p * one
            )
        events[f"{kind}: negative reduced, less was sent"] += bool(down) and down[0] < asked[0]
        events[f"{kind}: negative refused, nothing was sent"] += bool(asked) and not down
        if kind == "dc":
            events["dc: a part of a unit is not enough"] += (
                bool(asked) and 0 < self.emitted < asked[0] * one and self.emitted % one != 0
            )
        if up:
            return up[0]
        if down:
            return -down[0]
        return 0

    def change(self) -> int:
        wanted = self.wanted()
        q = clip(wanted, self.low, self.high)
        self.saturations += q != wanted
        self.events["sdn: q above its range"] += wanted > self.high
        self.events["sdn: q below its range"] += wanted < self.low
        d = q - self.ref
        self.events["sdn: |d| == trigger > 1"] += abs(d) == self.trigger > 1
        if d != 0 and (abs(d) >= self.trigger or q == 0):
            self.events["sdn: sent because q is 0"] += abs(d) < self.trigger
            self.ref = q
            return d
        self.events["sdn: held back by the trigger"] += d != 0
        return 0

    def wanted(self) -> int:
        """q before clipping."""
        if self.table:
            start, multiplier, offset = [entry for entry in self.table if entry[0] <= self.acc][-1]
            self.events["table: acc on a knot"] += self.acc == start
            product = (self.acc - start) * multiplier + 2 ** (self.shift - 1)
            self.events["table: at a half"] += product % 2**self.shift == 0
            return offset + product // 2**self.shift
        theta = self.threshold
        if self.activation == "relu":
            value = max(self.acc, 0)
        else:
            value = self.acc
        self.events["sdn: relu cuts"] += self.activation == "relu" and self.acc < 0
        self.events["sdn: identity below 0"] += value < 0
        self.events["sdn: at a half"] += (2 * value + theta) % (2 * theta) == 0
        return (2 * value + theta) // (2 * theta)

    @property
    def state(self) -> int:
        if self.kind in MEMBRANES:
            return self.v
        return self.acc
