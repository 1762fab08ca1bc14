"""Contract sections 1-3 and 5 once more, in plain Python integers and nothing of ours: what every
backend is held to.

Written from the contract's words, neuron by neuron and timestep by timestep, with no numpy in the
arithmetic, no batches and no 24- or 32-bit types. `events` counts how often each rule mattered, so
that a test can tell whether a set of cases reaches all of them.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.network.integer_network import Layer
from spikeport.toolchain.simulation.backend import LayerTrace, Trace
from spikeport.toolchain.simulation.census import Census, LayerCensus

LARGEST = 8_388_607  # 24-bit signed
WINDOWED = ("if", "snm", "mt", "dc")
MEMBRANES = (*WINDOWED, "leaky")
Row = list[int]


def clip(value: Any, low: Any, high: Any) -> Any:
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
        """The largest p with 4v >= 3 p lambda, else the largest with 4v <= -3 p lambda and so much
        sent, negative.
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


class Oracle:
    """One environment.

    `decide` takes the flag of a decision: 0 carry, 1 episode start, 2 resync.
    """

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        network = artifact.network
        self.events: Counter[str] = Counter()
        hidden = {layer.neuron for layer in network.layers[:-1]}
        self.changes = network.timesteps == 1 and hidden <= {"sdn@1"}
        if self.changes:
            coding = "across"
        elif "dc@1" in hidden:
            coding = "differential"
        else:
            coding = "rate"
        if coding == "differential":
            self.divisor = shares(network.timesteps)
        else:
            self.divisor = network.timesteps
        self.layers = [
            [
                Neuron(layer, index, network.timesteps, network.alpha, coding, self.events)
                for index in range(layer.outputs)
            ]
            for layer in network.layers
        ]
        self.fan_out = [
            [int(np.count_nonzero(layer.weights[:, i])) for i in range(layer.inputs)]
            for layer in network.layers
        ]
        self.messages, self.synops = [0] * len(self.layers), [0] * len(self.layers)
        self.encoded_saturations = self.decisions = 0
        self.number = 0
        self.announced = [0] * network.layers[0].inputs
        self.started: list[bool] = []  # of each decision: whether state started afresh

    def decide(
        self, observation: Any, flag: int = 0
    ) -> tuple[Row, list[list[Row]], list[list[Row]], list[float]]:
        """Input payloads [in], payloads and states per layer [T][neurons], action [act]."""
        network = self.artifact.network
        if flag == 1:
            self.number = 0
        due = (
            network.resync_every > 0 and self.number > 0 and self.number % network.resync_every == 0
        )
        starts = flag != 0 or self.number == 0 or due
        self.events["resync asked for"] += flag == 2 and self.number > 0
        self.events["resync due"] += due
        self.events["episode start"] += self.number == 0
        self.started.append(starts)
        q = self.encode([float(x) for x in observation])
        sent = [
            new - (0 if starts or not self.changes else old)
            for new, old in zip(q, self.announced, strict=True)
        ]
        self.announced = q
        self.number = self.number + 1
        self.decisions = self.decisions + 1
        for neurons in self.layers:
            for neuron in neurons:
                neuron.open(starts)
        payloads: list[list[Row]] = [[] for _ in self.layers]
        states: list[list[Row]] = [[] for _ in self.layers]
        for t in range(network.timesteps):
            if t == 0:
                arriving = sent
            else:
                arriving = [0] * len(sent)
            for index, neurons in enumerate(self.layers):
                self.messages[index] += sum(p != 0 for p in arriving)
                self.synops[index] += sum(
                    fan for p, fan in zip(arriving, self.fan_out[index], strict=True) if p != 0
                )
                arriving = [neuron.step(arriving) for neuron in neurons]
                payloads[index].append(arriving)
                states[index].append([neuron.state for neuron in neurons])
        return sent, payloads, states, self.decode([neuron.state for neuron in self.layers[-1]])

    def encode(self, values: list[float]) -> Row:
        """1.3: q0 = clip(floor(x / scale + 0.5), -limit, limit) after the observation contract."""
        contract = self.artifact.observation
        encoder = self.artifact.network.encoder
        result = []
        if contract.time_feature is not None:
            values = [
                *values,
                1.0
                if contract.time_feature.test_mode
                else 1.0 - self.number / contract.time_feature.max_steps,
            ]
        for index, x in enumerate(values):
            if contract.mean is not None and contract.variance is not None:
                x = (x - float(contract.mean[index])) / math.sqrt(
                    float(contract.variance[index]) + contract.epsilon
                )
            if contract.clip is not None:
                self.events["encode: normaliser clips"] += abs(x) > contract.clip
                x = clip(x, -contract.clip, contract.clip)
            steps = x / float(encoder.scale[index]) + 0.5
            limit = int(encoder.limit[index])
            self.events["encode: negative half"] += (
                steps == math.floor(clip(steps, -1e9, 1e9)) and steps <= 0
            )
            q = clip(steps if math.isinf(steps) else math.floor(steps), -limit, limit)
            saturated = math.isinf(steps) or math.floor(steps) != q
            self.events[f"encode: saturates {'above' if q > 0 else 'below'}"] += saturated
            self.encoded_saturations += saturated
            result.append(q)
        return result

    def decode(self, accumulators: Row) -> list[float]:
        """1.3.

        Action = squash(acc * row_scale / divisor) * scale + offset, clipped if the policy clips; or
        the number of the largest.
        """
        action = self.artifact.action
        result = []
        if action.discrete:
            values = [
                acc * float(scale) / self.divisor
                for acc, scale in zip(
                    accumulators, self.artifact.network.layers[-1].row_scale, strict=True
                )
            ]
            self.events["decode: equal choices"] += values.count(max(values)) > 1
            return [float(values.index(max(values)))]
        for k, acc in enumerate(accumulators):
            y = acc * float(self.artifact.network.layers[-1].row_scale[k]) / self.divisor
            if action.squash == "tanh":
                y = math.tanh(y)
            else:
                y = y
            y = y * float(action.scale[k]) + float(action.offset[k])
            if action.low is not None and action.high is not None:
                self.events["decode: clipped at low"] += y < action.low[k]
                self.events["decode: clipped at high"] += y > action.high[k]
                y = clip(y, float(action.low[k]), float(action.high[k]))
            result.append(y)
        return result

    def census(self) -> Census:
        """Contract section 5."""
        network = self.artifact.network
        observation = self.artifact.observation
        steps = network.timesteps + len(network.layers)
        layers = []
        for index, layer in enumerate(network.layers):
            last = index == len(network.layers) - 1
            layers.append(
                LayerCensus(
                    neurons=layer.outputs,
                    inputs=layer.inputs,
                    synapses=sum(self.fan_out[index]),
                    messages_in=self.messages[index],
                    synops=self.synops[index],
                    spikes=0 if last else self.messages[index + 1],
                    neuron_updates=layer.outputs * steps * self.decisions,
                    saturations=sum(neuron.saturations for neuron in self.layers[index]),
                )
            )
        features = len(self.announced)
        host = (
            features * (1 if observation.mean is None else 2)
            + (1 if self.artifact.action.discrete else 2) * self.artifact.action.size
        )
        return Census(
            self.decisions,
            network.timesteps,
            steps,
            tuple(layers),
            self.encoded_saturations,
            self.artifact.source_macs,
            host,
        )

    def trace(self, observations: Any, flags: Any) -> Trace:
        """A stream of decisions, as a backend's `trace` gives it."""
        inputs = []
        actions = []
        payloads: list[list[list[Row]]] = [[] for _ in self.layers]
        states: list[list[list[Row]]] = [[] for _ in self.layers]
        for observation, flag in zip(observations, flags, strict=True):
            sent, spoken, after, action = self.decide(observation, int(flag))
            inputs.append(sent)
            actions.append(action)
            for index in range(len(self.layers)):
                payloads[index].append(spoken[index])
                states[index].append(after[index])
        layers = tuple(
            LayerTrace(np.array(p, np.int32), np.array(s, np.int32))
            for p, s in zip(payloads, states, strict=True)
        )
        return Trace(np.array(inputs, np.int32), layers, np.array(actions), self.census())
