"""The oracle that every backend is held to: the contract in plain Python integers.

Contract sections 1-3 and 5 once more, with nothing of ours. It was written from the contract's
words, neuron by neuron and timestep by timestep, with no numpy in the arithmetic, no batches and no
24- or 32-bit types. `events` counts how often each rule mattered, so
that a test can tell whether a set of cases reaches all of them.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.simulation.backend import LayerTrace, Trace
from spikeport.toolchain.simulation.census import Census, LayerCensus
from tests.support.oracle_neurons import Neuron, Row, clip, shares


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
