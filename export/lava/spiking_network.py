"""A network that was trained as spiking, as stock `Dense` and stock `LIFReset` processes.

    spike source --> Dense 0 --> LIFReset 0 --> Dense 1 --> ... --> LIFReset L-1
                                     `--> recorder 0        ...         `--> recorder L-1

A decision takes T + L steps. LIFReset l resets u and v in step l + 1 of each, when the first spikes
of its window arrive, and runs on after the window until its next reset: what it does then reaches
nobody's window. A bias goes to the membrane, or (clif) it is the weight of a channel that spikes in
every step: one more output of the source, one more neuron in each hidden layer, driven by its own
bias alone. Recorders are no part of the network: they only read.

Weights are kept on the even numbers of an 8-bit signed synapse, (2 w) << (weight_exponent - 1).
Importing this module imports Lava; call `import_lava()` of lava_import.py first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.proc.dense.process import Dense
from lava.proc.lif.process import LIFReset
from lava.utils.weightutils import SignMode
from numpy.typing import NDArray

from .processes.recorder.process import Recorder
from .processes.spike_source.process import SpikeSource
from .window import Record

Arrays = dict[str, NDArray[Any]]
FULL_EXPONENT = 6  # bias_exp of an always-on neuron: its mantissa is in the units of the threshold


class SpikingParts:
    """The processes of a spiking network, connected; network.py runs them."""

    def __init__(
        self,
        description: dict[str, Any],
        arrays: Arrays,
        payloads: NDArray[np.int32],
        allocate: Any,
        read_membranes: bool,
    ) -> None:
        """Make and connect the processes.

        Args:
            description: That of network.json.
            arrays: Those of network.npz.
            payloads: The ring of inputs, [decisions, inputs].
            allocate: Makes the memory of records, allocate(shape, dtype).
            read_membranes: Whether recorders are connected to the neurons' v, which Lava's runtime
                serves between steps; without it whoever steps the models hands v over.
        """
        layers = description["layers"]
        timesteps = int(description["timesteps"])
        period = timesteps + len(layers)
        own = [layer_arrays(arrays, index) for index in range(len(layers))]
        on = [bool(layer["dynamics"]["bias_in_current"]) for layer in layers] + [False]
        self.source = SpikeSource(
            payloads=payloads,
            threshold=int(description["encoder_threshold"]),
            timesteps=timesteps,
            period=period,
            always_on=on[0],
        )
        self.synapses = [
            make_synapses(layer, own[index], on[index + 1]) for index, layer in enumerate(layers)
        ]
        self.neurons: list[Any] = [
            make_lif(layer, own[index], on[index + 1], period, (index + 2) % period)
            for index, layer in enumerate(layers)
        ]
        rows = [len(arrays["bias"]) for arrays in own]
        self.records = [Record.empty(len(payloads), timesteps, count, allocate) for count in rows]
        fan_outs = [np.count_nonzero(arrays["weights"], axis=0) for arrays in own[1:]]
        fan_outs.append(np.zeros(rows[-1], np.int64))
        self.recorders = [
            Recorder(
                senders=rows[index] + on[index + 1],
                layer=index,
                period=period,
                record=self.records[index],
                fan_out=fan_outs[index],
            )
            for index in range(len(layers))
        ]
        self._connect(read_membranes)
        synapses = [
            int(np.count_nonzero(arrays["bias"])) if on[index] else 0
            for index, arrays in enumerate(own)
        ]
        # idle spikes and synops of a decision
        self.always_on = len(layers) * np.array([np.count_nonzero(synapses), sum(synapses)])

    def _connect(self, read_membranes: bool) -> None:
        sender: Any = self.source
        for dense, neurons, recorder in zip(
            self.synapses, self.neurons, self.recorders, strict=True
        ):
            sender.s_out.connect(dense.s_in)
            dense.a_out.connect(neurons.a_in)
            neurons.s_out.connect(recorder.s_in)
            if read_membranes:
                recorder.v_in.connect_var(neurons.v)
            sender = neurons


def layer_arrays(arrays: Arrays, index: int) -> Arrays:
    """The arrays of one layer by their short names."""
    start = f"layers.{index}."
    return {
        name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)
    }


def make_synapses(layer: dict[str, Any], own: Arrays, feeds_always_on: bool) -> Dense:
    """Make the synapses of one layer, weights [out (+ 1), in (+ 1)].

    There is a column for the always-on channel and a row of zeros for the always-on neuron.
    """
    weights = own["weights"].astype(np.int32)
    dynamics = layer["dynamics"]
    if dynamics["bias_in_current"]:
        weights = np.concatenate([weights, own["bias"].astype(np.int32)[:, None]], axis=1)
    if feeds_always_on:
        weights = np.concatenate([weights, np.zeros((1, weights.shape[1]), np.int32)])
    return Dense(
        weights=2 * weights,
        num_weight_bits=8,
        weight_exp=int(dynamics["weight_exponent"]) - 1,
        sign_mode=SignMode.MIXED,
    )


def make_lif(
    layer: dict[str, Any], own: Arrays, feeds_always_on: bool, period: int, offset: int
) -> LIFReset:
    """Make the stock neurons of one layer.

    The always-on neuron, last, has a bias above the threshold. `period` and `offset` say in which
    steps u and v are reset.
    """
    dynamics = layer["dynamics"]
    threshold = int(own["threshold"][0])
    exponent = int(layer["bias_exponent"])
    mantissa = own["bias"].astype(np.int32) >> exponent
    if dynamics["bias_in_current"]:
        mantissa = np.zeros_like(mantissa)
    exponents = np.full(len(mantissa), exponent, np.int32)
    if feeds_always_on:
        mantissa = np.append(mantissa, threshold + 1)
        exponents = np.append(exponents, FULL_EXPONENT)
    return LIFReset(
        shape=mantissa.shape,
        du=int(dynamics["current_decay"]),
        dv=int(dynamics["voltage_decay"]),
        bias_mant=mantissa,
        bias_exp=exponents,
        vth=threshold,
        reset_interval=period,
        reset_offset=offset,
    )
