"""The oracle of `lif@1` networks: plain Python integers, one environment.

It has the methods of oracle.Oracle. Written from the words of the contract (sections 2 and 5) and
of Lava's PyLifModelBitAcc. `events` counts how often each rule mattered.
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

Row = list[int]


def towards_zero(value: int, kept: int) -> int:
    """kept / 4096 of a value, its fraction dropped."""
    part = abs(value) * kept // 4096
    if value >= 0:
        return part
    return -part


class LeakyNeuron:
    """One neuron of `lif@1`."""

    def __init__(self, layer: Layer, index: int, events: Counter[str]) -> None:
        dynamics = layer.dynamics
        assert dynamics is not None
        self.events, self.weights, self.bias = (
            events,
            [int(w) for w in layer.weights[index]],
            int(layer.bias[index]),
        )
        self.u_kept = 4096 - (dynamics.current_decay + 1)
        self.v_kept = 4096 - dynamics.voltage_decay
        self.times, self.in_current, self.threshold = (
            2**dynamics.weight_exponent,
            dynamics.bias_in_current,
            int(layer.threshold[index]),
        )
        self.open()

    def open(self) -> None:
        self.u = self.v = 0

    def step(self, spikes: Row) -> int:
        arriving = sum(w for w, spike in zip(self.weights, spikes, strict=True) if spike) + (
            self.bias if self.in_current else 0
        )
        kept_u = towards_zero(self.u, self.u_kept)
        kept_v = towards_zero(self.v, self.v_kept)
        self.events["lif: a negative current decays towards zero"] += (
            self.u < 0 and kept_u * 4096 != self.u * self.u_kept
        )
        self.events["lif: a negative membrane decays towards zero"] += (
            self.v < 0 and kept_v * 4096 != self.v * self.v_kept
        )
        self.events["lif: the bias is in the current"] += self.in_current and self.bias != 0
        self.events["lif: the bias is in the membrane"] += not self.in_current and self.bias != 0
        self.events["lif: weights count more than once"] += self.times > 1 and arriving != 0
        self.u = kept_u + 64 * self.times * arriving
        self.v = kept_v + self.u + (0 if self.in_current else self.bias)
        assert abs(self.u) < 2**23 and abs(self.v) < 2**23
        self.events["lif: more than half of 24 bits"] += max(abs(self.u), abs(self.v)) > 2**22
        self.events["lif: v == theta"] += self.v == 64 * self.threshold
        if self.v > 64 * self.threshold:
            self.events["lif: hard reset loses something"] += self.v != 64 * self.threshold + 1
            self.events["lif: the current survives a spike"] += self.u != 0 and self.u_kept > 0
            self.v = 0
            return 1
        return 0


class SpikingOracle:
    """One environment.

    `decide` takes the flag of a decision, which changes nothing but the decision's number.
    """

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        network = artifact.network
        coding = artifact.network.spike_coding
        assert coding is not None
        self.coding, self.events = coding, Counter[str]()
        self.layers = [
            [LeakyNeuron(layer, index, self.events) for index in range(layer.outputs)]
            for layer in network.layers
        ]
        self.fan_out = [
            [int(np.count_nonzero(layer.weights[:, i])) for i in range(layer.inputs)]
            for layer in network.layers
        ]
        self.fan_out.append([0] * network.layers[-1].outputs)
        self.on = [
            sum(b != 0 for b in layer.bias.tolist())
            if layer.dynamics and layer.dynamics.bias_in_current
            else 0
            for layer in network.layers
        ]
        self.messages, self.synops = [0] * (len(self.layers) + 1), [0] * (len(self.layers) + 1)
        self.idle_spikes = self.idle_synops = self.encoded_saturations = self.decisions = (
            self.number
        ) = 0
        self.started: list[bool] = []

    def decide(
        self, observation: Any, flag: int = 0
    ) -> tuple[Row, list[list[Row]], list[list[Row]], list[float]]:
        """One decision.

        Returns:
            Activations of the input neurons, spikes and membranes per layer [T][neurons], and the
            action [act].
        """
        network = self.artifact.network
        if flag == 1:
            self.number = 0
        self.started.append(flag != 0 or self.number == 0)
        q = self.encode([float(x) for x in observation])
        self.number = self.number + 1
        self.decisions = self.decisions + 1
        for neurons in self.layers:
            for neuron in neurons:
                neuron.open()
        encoder = [0] * len(q)
        spikes: list[list[Row]] = [[] for _ in self.layers]
        states: list[list[Row]] = [[] for _ in self.layers]
        for t in range(network.timesteps + len(self.layers)):
            if t < network.timesteps:
                arriving = self.encoder_step(encoder, q)
            else:
                arriving = [0] * len(q)
            for index, neurons in enumerate(self.layers):
                self.arrive(index, arriving, t < network.timesteps)
                self.always_on(index, t < network.timesteps)
                arriving = [neuron.step(arriving) for neuron in neurons]
                if t < network.timesteps:
                    spikes[index].append(arriving)
                    states[index].append([neuron.v for neuron in neurons])
            self.arrive(len(self.layers), arriving, t < network.timesteps)
        return (
            q,
            spikes,
            states,
            self.decode(
                [sum(step[index] for step in spikes[-1]) for index in range(len(self.layers[-1]))]
            ),
        )

    def arrive(self, index: int, spikes: Row, inside: bool) -> None:
        synops = sum(fan for spike, fan in zip(spikes, self.fan_out[index], strict=True) if spike)
        if inside:
            self.messages[index] += sum(spikes)
            self.synops[index] += synops
        else:
            self.events["lif: idle spikes"] += sum(spikes)
            self.idle_spikes = self.idle_spikes + sum(spikes)
            self.idle_synops = self.idle_synops + synops

    def always_on(self, index: int, inside: bool) -> None:
        if not self.on[index]:
            return
        if inside:
            self.messages[index] = self.messages[index] + 1
            self.synops[index] = self.synops[index] + self.on[index]
        else:
            self.idle_spikes = self.idle_spikes + 1
            self.idle_synops = self.idle_synops + self.on[index]

    def encoder_step(self, v: Row, q: Row) -> Row:
        """Soft reset: v grows by q, a spike above the threshold takes it away once."""
        spikes = []
        for index, activation in enumerate(q):
            v[index] += activation
            self.events["lif encoder: v == threshold"] += v[index] == self.coding.threshold
            spike = int(v[index] > self.coding.threshold)
            v[index] -= spike * self.coding.threshold
            self.events["lif encoder: residue left"] += spike and v[index] > 0
            spikes.append(spike)
        return spikes

    def encode(self, values: list[float]) -> Row:
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
        activations = []
        for index, x in enumerate(values):
            if contract.mean is not None and contract.variance is not None:
                x = (x - float(contract.mean[index])) / math.sqrt(
                    float(contract.variance[index]) + contract.epsilon
                )
            if contract.clip is not None:
                x = min(max(x, -contract.clip), contract.clip)
            if self.coding.transform == "tanh":
                z = math.tanh(x)
            else:
                z = x
            self.events["lif encode: tanh"] += self.coding.transform == "tanh" and z != x
            if self.coding.mean is None or self.coding.std is None:
                activations.append(z)
                continue
            for mean, std in zip(
                self.coding.mean[index].tolist(), self.coding.std[index].tolist(), strict=True
            ):
                activations.append(math.exp(-0.5 * ((z - mean) * (z - mean)) / (std * std)))
        for index, activation in enumerate(activations):
            steps = activation / float(encoder.scale[index]) + 0.5
            limit = int(encoder.limit[index])
            whole = math.floor(min(max(steps, -1e15), 1e15))
            q = min(max(whole, -limit), limit)
            self.events["lif encode: at a half"] += steps == whole
            self.events[f"lif encode: saturates {'above' if q > 0 else 'below'}"] += q != whole
            self.encoded_saturations += q != whole
            result.append(q)
        return result

    def decode(self, counts: Row) -> list[float]:
        action = self.artifact.action
        coding = self.coding
        result = []
        readers = coding.decoder_weights.shape[1]
        for k in range(action.size):
            y = 0.0
            for j in range(readers):
                y += float(coding.decoder_weights[k, j]) * counts[k * readers + j]
            y = y / self.artifact.network.timesteps + float(coding.decoder_bias[k])
            if action.squash == "tanh":
                y = math.tanh(y)
            else:
                y = y
            y = y * float(action.scale[k]) + float(action.offset[k])
            if action.low is not None and action.high is not None:
                self.events["lif decode: clipped"] += not action.low[k] <= y <= action.high[k]
                y = min(max(y, float(action.low[k])), float(action.high[k]))
            result.append(y)
        return result

    def census(self) -> Census:
        network = self.artifact.network
        observation = self.artifact.observation
        steps = network.timesteps + len(network.layers)
        layers = []
        for index, layer in enumerate(network.layers):
            later = index + 1 < len(self.layers) and self.on[index + 1] > 0
            layers.append(
                LayerCensus(
                    neurons=layer.outputs,
                    inputs=layer.inputs,
                    synapses=sum(self.fan_out[index]) + self.on[index],
                    messages_in=self.messages[index],
                    synops=self.synops[index],
                    spikes=self.messages[index + 1] - later * network.timesteps * self.decisions,
                    neuron_updates=layer.outputs * steps * self.decisions,
                    saturations=0,
                )
            )
        inputs = network.layers[0].inputs
        host = (
            observation.features * (1 if observation.mean is None else 2)
            + 2 * self.artifact.action.size
        )
        host += (
            inputs * network.timesteps
            + network.layers[-1].outputs
            + (0 if self.coding.mean is None else 3 * inputs)
        )
        macs = self.artifact.source_macs
        return Census(
            self.decisions,
            network.timesteps,
            steps,
            tuple(layers),
            self.encoded_saturations,
            macs,
            host,
            self.idle_spikes,
            self.idle_synops,
        )

    def trace(self, observations: Any, flags: Any) -> Trace:
        """A stream of decisions, as a backend's `trace` gives it."""
        decided = [
            self.decide(observation, int(flag))
            for observation, flag in zip(observations, flags, strict=True)
        ]
        layers = tuple(
            LayerTrace(
                np.array([spikes[index] for _, spikes, _, _ in decided], np.int32),
                np.array([states[index] for _, _, states, _ in decided], np.int32),
            )
            for index in range(len(self.layers))
        )
        return Trace(
            np.array([q for q, _, _, _ in decided], np.int32),
            layers,
            np.array([action for _, _, _, action in decided]),
            self.census(),
        )
