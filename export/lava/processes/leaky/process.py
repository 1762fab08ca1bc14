"""`leaky@1`: snnTorch's leaky neuron, on integers.

The decay is each neuron's own and the reset comes one step late:

    v = 0                                                    control word 2
    in its window's one timestep
        r = [v > theta]
        v <- clip(decay(v, keep) + (a_in << shift) + bias - theta r, -2^23 + 1, 2^23 - 1)
        spike if v > theta (strict)

decay(v, k) = sign(v) * (|v| k >> 12), as Lava's LIF. Outside its window the neuron is silent, its
state does not change and what arrives is ignored.
"""

# Lava replaces the LavaPyType of a model's attributes by arrays and ports when it builds the model.
# pyright: reportAssignmentType=false, reportOptionalSubscript=false
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

STATE_LIMIT = 2**23 - 1
START = 2


class Leaky(AbstractProcess):
    """The neurons of one layer.

    Bias, threshold and keep (of 4096) are int32 [neurons]; `window` says when the layer works.
    """

    def __init__(
        self, *, bias: np.ndarray, threshold: np.ndarray, keep: np.ndarray, shift: int, window
    ) -> None:
        super().__init__(shift=shift, window=window)
        shape = bias.shape
        self.a_in = InPort(shape=shape)
        self.c_in = InPort(shape=(1,))
        self.s_out = OutPort(shape=shape)
        self.v = Var(shape=shape, init=0)
        self.bias = Var(shape=shape, init=bias)
        self.threshold = Var(shape=shape, init=threshold)
        self.keep = Var(shape=shape, init=keep)


@implements(proc=Leaky, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyLeakyModel(PyLoihiProcessModel):
    """The integer model of the process on the CPU."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    c_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=2)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    threshold: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    keep: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=13)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.shift = proc_params["shift"]
        self.window = proc_params["window"]

    def run_spk(self) -> None:
        """Run one step: receive, compute if the layer is in its window, send."""
        arrived = self.a_in.recv()
        timestep = self.window.advance(int(self.c_in.recv()[0]))
        if timestep < 0:
            self.s_out.send(np.zeros_like(self.v))
            return
        if self.window.control == START:
            self.v = np.zeros_like(self.v)
        kept = (np.sign(self.v) * (np.abs(self.v).astype(np.int64) * self.keep >> 12)).astype(
            np.int32
        )
        membrane = (
            kept + (arrived << self.shift) + self.bias - self.threshold * (self.v > self.threshold)
        )
        self.v = np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)
        spikes = (self.v > self.threshold).astype(np.int32)
        self.s_out.send(spikes)
        self.window.keep(timestep, spikes, self.v, np.count_nonzero(self.v != membrane))
