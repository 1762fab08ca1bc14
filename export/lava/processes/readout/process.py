"""`readout@1`: the last layer, an integer accumulator that never spikes; the host decodes it.

    at its window's start   acc = T * bias    "rate" (if, snm, mt): in each decision
                            acc = D * bias    "differential" (dc): in each decision; D = lcm(1..T)
                            acc = bias        "across decisions" (sdn, T = 1): with control
                                              word 2 only
    timestep t = 1..T       acc <- acc + a_in;  "differential": acc <- acc + (D / t) * a_in

With `hold_input` (a policy without hidden layers) the input of the window's first timestep is
latched and added in each of them. Outside its window the state does not change and what arrives is
ignored.
"""

# Lava replaces the LavaPyType of a model's attributes by arrays and ports when it builds the model.
# pyright: reportAssignmentType=false, reportOptionalSubscript=false
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false
from __future__ import annotations

import math

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

START = 2


class Readout(AbstractProcess):
    """The accumulators of the last layer.

    Bias is int32 [neurons] in the row's units; `coding` is one of those above, `window` says when
    the layer works.
    """

    def __init__(self, *, bias: np.ndarray, coding: str, hold_input: bool, window) -> None:
        super().__init__(coding=coding, hold_input=hold_input, window=window)
        shape = bias.shape
        self.a_in = InPort(shape=shape)
        self.c_in = InPort(shape=(1,))
        self.acc = Var(shape=shape, init=0)
        self.latch = Var(shape=shape, init=0)
        self.bias = Var(shape=shape, init=bias)


@implements(proc=Readout, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyReadoutModel(PyLoihiProcessModel):
    """The integer model of the process on the CPU."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    c_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=2)
    acc: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    latch: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.coding = proc_params["coding"]
        self.hold_input = proc_params["hold_input"]
        self.window = proc_params["window"]
        if self.coding == "differential":
            self.units = math.lcm(*range(1, self.window.timesteps + 1))
        else:
            self.units = self.window.timesteps

    def run_spk(self) -> None:
        """Run one step: receive, compute if the layer is in its window, send."""
        arrived = self.a_in.recv()
        timestep = self.window.advance(int(self.c_in.recv()[0]))
        if timestep < 0:
            return
        if timestep == 0:
            self.latch = arrived
            if self.coding != "across decisions" or self.window.control == START:
                self.acc = self.units * self.bias
        if self.coding == "differential":
            share = self.units // (timestep + 1)
        else:
            share = 1
        self.acc = self.acc + share * (self.latch if self.hold_input else arrived)
        self.window.keep(timestep, None, self.acc, 0)
