"""The network as Lava processes: a source, stock `Dense` synapses and our neurons.

    source --payloads--> Dense 0 --> neurons 0 --> Dense 1 --> ... --> readout
       `---control words--------------^-------------------------------^

Dense computes (2 w * payload, summed) >> 1. Its weights are kept on the even numbers that an 8-bit
signed synapse has (`SignMode.MIXED`), so that the result is exactly the integer sum of w * payload.

Importing this module imports Lava; call `import_lava()` of lava_import.py first.
"""

from __future__ import annotations

import logging
import mmap
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.utils.weightutils import SignMode
from numpy.typing import NDArray

from .processes.differential_coding.process import DifferentialCoding
from .processes.integrate_and_fire.process import IntegrateAndFire
from .processes.leaky.process import Leaky
from .processes.multi_threshold.process import MultiThreshold
from .processes.readout.process import Readout
from .processes.sigma_delta.process import SigmaDelta
from .processes.signed_memory.process import SignedMemory
from .processes.source.process import Source
from .spiking_network import SpikingParts, layer_arrays
from .window import Record, Recording, Window

Facts = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
Maker = Callable[[Facts, Facts, Arrays, Window], Any]  # description, layer, its arrays, its window


def shared_array(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros in anonymous memory that processes forked later share, and that ends with them."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape))
    return np.frombuffer(mmap.mmap(-1, max(size * kind.itemsize, 1)), kind, size).reshape(shape)


def run_configuration() -> Loihi2SimCfg:
    """Lava's fixed-point models on the CPU."""
    return Loihi2SimCfg(select_tag="fixed_pt")


def lava_network(
    description: dict[str, Any],
    arrays: Arrays,
    decisions: int,
    allocate: Any = shared_array,
    read_membranes: bool = True,
) -> LavaNetwork:
    """Make the network of a description.

    Args:
        description: That of network.json.
        arrays: Those of network.npz.
        decisions: The length of the ring that it shares with the host.
        allocate: Makes that memory, allocate(shape, dtype).
        read_membranes: Off for models that are stepped by hand.

    Returns:
        Its processes, connected.
    """
    if description["coding"] == "spikes":
        return SpikingLavaNetwork(description, arrays, decisions, allocate, read_membranes)
    return LavaNetwork(description, arrays, decisions, allocate)


class LavaNetwork:
    """Processes of a network and the memory that they share with the host, a ring of decisions.

    `description` and `arrays` are those of network.json and network.npz. `start`, `run` and `stop`
    use Lava's own runtime. Nothing here protects from its hangs: run it in a process of its own, as
    worker.py does.
    """

    def __init__(
        self,
        description: dict[str, Any],
        arrays: Arrays,
        decisions: int,
        allocate: Any = shared_array,
    ) -> None:
        # every process adds a handler to the application's root logger
        handlers = logging.root.handlers[:]
        try:
            self._build(description, arrays, decisions, allocate)
        finally:
            logging.root.handlers[:] = handlers

    def _build(
        self, description: dict[str, Any], arrays: Arrays, decisions: int, allocate: Any
    ) -> None:
        timesteps = int(description["timesteps"])
        layers = description["layers"]
        self.period = timesteps + len(layers)
        self.decisions = decisions
        self.done = 0
        features = arrays["layers.0.weights"].shape[1]
        self.payloads = allocate((decisions, features), np.int32)
        self.control = allocate((decisions, 1), np.int32)
        self.source: Any = Source(payloads=self.payloads, control=self.control, period=self.period)
        self.synapses: list[Dense] = []
        self.neurons: list[AbstractProcess] = []
        self.recorders: list[Any] = []
        self.records: list[Record] = []
        sender: Any = self.source
        for index, layer in enumerate(layers):
            own = layer_arrays(arrays, index)
            weights = 2 * own["weights"].astype(np.int32)
            dense = Dense(
                weights=weights,
                num_message_bits=24,
                num_weight_bits=8,
                weight_exp=-1,
                sign_mode=SignMode.MIXED,
            )
            record = Record.empty(decisions, timesteps, len(weights), allocate)
            neurons = make_neurons(description, layer, own, Window(index, timesteps, record))
            sender.s_out.connect(dense.s_in)
            dense.a_out.connect(neurons.a_in)
            self.source.c_out.connect(neurons.c_in)
            self.synapses.append(dense)
            self.neurons.append(neurons)
            self.records.append(record)
            sender = neurons

    def start(self) -> None:
        """Compile and fork; seconds at most."""
        self.source.create_runtime(run_cfg=run_configuration())

    def run(self, payloads: NDArray[np.integer], control: NDArray[np.integer]) -> Recording:
        """Run n decisions in one Lava run, n at most `decisions`.

        Args:
            payloads: Of the input, [n, features].
            control: Control words, [n].

        Returns:
            What the layers did.
        """
        entries = self.put(payloads, control)
        self.source.run(condition=RunSteps(num_steps=self.period * len(entries)))
        return self.take(entries)

    def put(self, payloads: NDArray[np.integer], control: NDArray[np.integer]) -> NDArray[np.int64]:
        """Hand over the inputs of the next decisions. Returns their places in the ring."""
        entries = (self.done + np.arange(len(control))) % self.decisions
        self.payloads[entries] = payloads
        self.control[entries, 0] = control
        self.done += len(control)
        return entries

    def take(self, entries: NDArray[np.int64]) -> Recording:
        """What the layers recorded in these places of the ring, copied."""
        records = self.records
        saturations = np.stack([r.saturations[entries] for r in records], axis=1)
        idle = np.sum([r.idle[entries] for r in records], axis=0)
        return Recording(
            [r.payloads[entries] for r in records],
            [r.states[entries] for r in records],
            saturations,
            idle,
        )

    def stop(self) -> None:
        """End Lava's processes."""
        self.source.stop()


class SpikingLavaNetwork(LavaNetwork):
    """Stock Dense and LIFReset (spiking_network.py).

    Control words change nothing: every decision starts afresh.
    """

    def __init__(
        self,
        description: dict[str, Any],
        arrays: Arrays,
        decisions: int,
        allocate: Any,
        read_membranes: bool,
    ) -> None:
        self.read_membranes = read_membranes
        super().__init__(description, arrays, decisions, allocate)

    def _build(
        self, description: dict[str, Any], arrays: Arrays, decisions: int, allocate: Any
    ) -> None:
        self.period = int(description["timesteps"]) + len(description["layers"])
        self.decisions = decisions
        self.done = 0
        inputs = arrays["layers.0.weights"].shape[1]
        self.payloads = allocate((decisions, inputs), np.int32)
        self.control = allocate((decisions, 1), np.int32)
        parts = SpikingParts(description, arrays, self.payloads, allocate, self.read_membranes)
        self.source = parts.source
        self.synapses = parts.synapses
        self.neurons = parts.neurons
        self.records = parts.records
        self.recorders = parts.recorders
        self.always_on = parts.always_on

    def take(self, entries: NDArray[np.int64]) -> Recording:
        """What the layers recorded, and the idle activity of the neurons that always spike."""
        recording = super().take(entries)
        return replace(recording, idle=recording.idle + self.always_on)


def make_windowed(process: Any) -> Maker:
    """A maker for the neurons that take a bias, a threshold and alpha."""

    def make(description: Facts, layer: Facts, own: Arrays, window: Window) -> Any:
        return process(
            bias=own["bias"],
            threshold=own["threshold"],
            alpha=int(description["alpha"]),
            hold_input=bool(layer["hold_input"]),
            window=window,
        )

    return make


def make_differential(description: Facts, layer: Facts, own: Arrays, window: Window) -> Any:
    """The process of a layer of `dc@1`."""
    return DifferentialCoding(
        bias=own["bias"],
        threshold=own["threshold"],
        alpha=int(description["alpha"]),
        window=window,
    )


def make_leaky(description: Facts, layer: Facts, own: Arrays, window: Window) -> Any:
    """The process of a layer of `leaky@1`."""
    return Leaky(
        bias=own["bias"],
        threshold=own["threshold"],
        keep=own["keep"],
        shift=int(layer["leak_shift"]),
        window=window,
    )


def make_sigma_delta(description: Facts, layer: Facts, own: Arrays, window: Window) -> Any:
    """The process of a layer of `sdn@1`."""
    table = {
        name.removeprefix("table."): value
        for name, value in own.items()
        if name.startswith("table.")
    }
    return SigmaDelta(
        bias=own["bias"],
        threshold=own["threshold"],
        low=own["payload_low"],
        high=own["payload_high"],
        activation=str(layer["activation"]),
        table=table,
        trigger=int(layer["trigger"]),
        window=window,
    )


def make_readout(description: Facts, layer: Facts, own: Arrays, window: Window) -> Any:
    """The process of the last layer."""
    return Readout(
        bias=own["bias"],
        coding=str(description["coding"]),
        hold_input=bool(layer["hold_input"]),
        window=window,
    )


NEURONS: dict[str, Maker] = {
    "sdn@1": make_sigma_delta,
    "if@1": make_windowed(IntegrateAndFire),
    "snm@1": make_windowed(SignedMemory),
    "mt@1": make_windowed(MultiThreshold),
    "dc@1": make_differential,
    "leaky@1": make_leaky,
    "readout@1": make_readout,
}


def make_neurons(description: Facts, layer: Facts, own: Arrays, window: Window) -> Any:
    """The process of one layer's neurons; `own` are the layer's arrays by their short names."""
    if layer["neuron"] not in NEURONS:
        raise ValueError(
            f"network: no Lava process for this neuron (got {layer['neuron']!r}, limit"
            f" {', '.join(NEURONS)})."
        )
    return NEURONS[layer["neuron"]](description, layer, own, window)
