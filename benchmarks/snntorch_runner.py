"""An exported NIR file in snnTorch: its own importer, then the sources of deviation switched off
one by one.

    file -> nir.read -> snntorch.import_nir.import_from_nir -> a torch module that does one timestep
    per call

`Remedies` says which differences between the imported network and the integer one are mended. With
all of them the spikes are the integer network's exactly: in integer units every sum is an integer
below 2^24, which float32 holds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact


@dataclass(frozen=True)
class Remedies:
    """What is set right in the imported network, in the order of the contract's metadata."""

    no_leak: bool = False  # the importer gives an IF neuron beta = 0.9
    window: bool = False  # membranes start each decision anew, at half a threshold
    carry_over: bool = False  # ... plus the share alpha of the last decision's residual
    reset: bool = (
        False  # reset_delay=False compares against two thresholds after a membrane above one
    )
    encoded: bool = False  # the input is rounded to the encoder's grid and saturates
    integers: bool = (
        False  # weights, biases, thresholds and carry-over as integers instead of float32 quotients
    )

    @classmethod
    def all(cls) -> Remedies:
        return cls(*(True for _ in dataclasses.fields(cls)))

    def without(self, name: str) -> Remedies:
        return dataclasses.replace(self, **{name: False})


@dataclass(frozen=True, eq=False)
class Run:
    """Spikes per hidden layer [decisions, T, neurons] and network outputs [decisions, act], before
    the squash.
    """

    spikes: list[NDArray[np.int64]]
    outputs: NDArray[np.float64]


class SnnTorchNetwork:
    """The imported module of one artifact, one environment."""

    def __init__(self, artifact: Artifact, file: Path, remedies: Remedies) -> None:
        import nir
        import torch
        from snntorch.import_nir import import_from_nir

        self.torch = torch
        self.artifact = artifact
        self.network = artifact.network
        self.remedies = remedies
        with contextlib.redirect_stdout(io.StringIO()):  # the importer prints
            self.module = import_from_nir(nir.read(file))
        hidden = range(len(self.network.layers) - 1)
        self.neurons = [getattr(self.module, f"if_{index}") for index in hidden]
        self.units = [
            self._tensor(layer.threshold if remedies.integers else np.ones(layer.outputs))
            for layer in self.network.layers[:-1]
        ]
        self.spikes: list[list[Any]] = [[] for _ in hidden]
        for index, neuron in enumerate(self.neurons):
            # imported with init_hidden=False it hands (spikes, membrane) to the next Linear, which
            # raises
            neuron.init_hidden = True
            neuron.reset_delay = remedies.reset
            if remedies.no_leak:
                neuron.beta = torch.tensor(1.0)
            neuron.register_forward_hook(
                lambda _module, _given, spikes, index=index: self.spikes[index].append(spikes)
            )
        if remedies.integers:
            self._take_integers()
        self.starts = [
            0.5 * unit if not remedies.integers else self._floor(unit / 2) for unit in self.units
        ]

    def _take_integers(self) -> None:
        for index, layer in enumerate(self.network.layers):
            affine = getattr(self.module, f"affine_{index}")
            affine.weight.data, affine.bias.data = (
                self._tensor(layer.weights),
                self._tensor(layer.bias),
            )
            if index < len(self.neurons):
                self.neurons[index].threshold = self._tensor(layer.threshold)

    def _tensor(self, values: NDArray[Any]) -> Any:
        return self.torch.tensor(np.asarray(values, np.float32))

    def _floor(self, values: Any) -> Any:
        return self.torch.floor(values)

    def run(self, features: NDArray[np.float64], starts: NDArray[np.bool_]) -> Run:
        """Decisions in order, features [decisions, features] as the observation contract gives
        them; `starts` marks episodes.
        """
        network = self.network
        outputs = []
        spikes = [[] for _ in self.neurons]
        membranes = [self.torch.zeros(1, layer.outputs) for layer in network.layers[:-1]]
        with self.torch.no_grad():
            for x, start in zip(features, starts, strict=True):
                if start or self.remedies.window:
                    membranes = [
                        self._window_start(index, membranes[index], bool(start))
                        for index in range(len(self.neurons))
                    ]
                    for neuron, membrane in zip(self.neurons, membranes, strict=True):
                        neuron.mem = membrane.clone()
                for sent in self.spikes:
                    sent.clear()
                given = self._tensor(self._input(x))[None]
                total = sum(self.module(given)[0] for _ in range(network.timesteps))
                outputs.append(self._decoded(total.numpy()[0].astype(np.float64)))
                for index, sent in enumerate(self.spikes):
                    spikes[index].append(self.torch.cat(sent).numpy().astype(np.int64))
        return Run([np.array(layer) for layer in spikes], np.array(outputs))

    def _input(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        encoder = self.network.encoder
        if not (self.remedies.encoded or self.remedies.integers):
            return x
        if self.remedies.encoded:
            q0 = np.clip(np.floor(x / encoder.scale + 0.5), -encoder.limit, encoder.limit)
        else:
            q0 = x / encoder.scale
        if self.remedies.integers:
            return q0
        return q0 * encoder.scale

    def _decoded(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.remedies.integers:
            scale = self.network.layers[-1].row_scale
        else:
            scale = 1.0
        return total * scale / self.network.timesteps

    def _window_start(self, index: int, v_start: Any, episode: bool) -> Any:
        """Where a layer's membrane begins a decision; `v_start`: where it began the last one."""
        neuron = self.neurons[index]
        unit = self.units[index]
        middle = self.starts[index]
        if not self.remedies.window:
            return self.torch.zeros(1, len(unit))
        if episode or not self.remedies.carry_over:
            return middle.expand(1, -1)
        sent = self.spikes[index]
        v_end = neuron.mem - (sent[-1] * unit if neuron.reset_delay else 0)
        residual = self.torch.maximum(v_end - v_start, -sum(sent) * unit)
        share = self.network.alpha * residual / 64
        carried = middle + (self._floor(share + 0.5) if self.remedies.integers else share)
        return self.torch.minimum(carried.clamp(min=0), unit)
