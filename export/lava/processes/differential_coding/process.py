"""`dc@1`: differential coding on the multi-threshold neuron, on integers.

All state is in units of 1/D, D = lcm(1..T).

    at its window's start   v = 0                                                control word 2
                            v = clip(r, -4 * D * lambda, 4 * D * lambda)         control word 1
                            r = (alpha * max(v_end - v_start, -c) + 32) >> 6
                            ein = D * bias,  eout = 0,  c = 0
    timestep t = 1..T       v <- clip(v + D * a_in + ein - eout, -2^23 + 1, 2^23 - 1)
                            c <- c + eout
                            p = the largest of {1, 2, 4, 8} with 4 v >= 3 p D lambda;
                                else the largest with 4 v <= -3 p D lambda and c >= p D lambda,
                                    negative;  else 0
                            v <- v - p * D * lambda;  c <- c + p * D * lambda
                            ein <- ein + (D / t) * a_in;  eout <- eout + (D / t) * p * lambda

Outside its window the neuron is silent, its state does not change and what arrives is ignored.
"""

# Lava replaces the LavaPyType of a model's attributes by arrays and ports when it builds the model.
# pyright: reportAssignmentType=false, reportOptionalSubscript=false
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false
from __future__ import annotations

import math

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
CARRY = 1
PAYLOADS = (1, 2, 4, 8)


class DifferentialCoding(AbstractProcess):
    """The neurons of one layer.

    Bias and threshold (lambda) are int32 [neurons] in the row's units, alpha is in 64ths;
    `window` says when the layer works.
    """

    def __init__(self, *, bias: np.ndarray, threshold: np.ndarray, alpha: int, window) -> None:
        super().__init__(alpha=alpha, window=window)
        shape = bias.shape
        self.a_in = InPort(shape=shape)
        self.c_in = InPort(shape=(1,))
        self.s_out = OutPort(shape=shape)
        self.v = Var(shape=shape, init=0)
        self.v_start = Var(shape=shape, init=0)
        self.mean_in = Var(shape=shape, init=0)
        self.mean_out = Var(shape=shape, init=0)
        self.c = Var(shape=shape, init=0)
        self.bias = Var(shape=shape, init=bias)
        self.threshold = Var(shape=shape, init=threshold)


@implements(proc=DifferentialCoding, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyDifferentialCodingModel(PyLoihiProcessModel):
    """The integer model of the process on the CPU."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    c_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=2)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=5)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    v_start: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    mean_in: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    mean_out: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    c: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    threshold: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.alpha = proc_params["alpha"]
        self.window = proc_params["window"]
        self.units = math.lcm(*range(1, self.window.timesteps + 1))  # D

    def run_spk(self) -> None:
        """Run one step: receive, compute if the layer is in its window, send."""
        arrived = self.a_in.recv()
        timestep = self.window.advance(int(self.c_in.recv()[0]))
        if timestep < 0:
            self.s_out.send(np.zeros_like(self.v))
            return
        if timestep == 0:
            self.open_window()
        unit = self.units * self.threshold
        share = self.units // (timestep + 1)
        membrane = self.v + self.units * arrived + self.mean_in - self.mean_out
        clipped = np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)
        c = self.c + self.mean_out
        payloads = np.zeros_like(clipped)
        for p in PAYLOADS:
            payloads = np.where((4 * clipped <= -3 * p * unit) & (c >= p * unit), -p, payloads)
        for p in PAYLOADS:
            payloads = np.where(4 * clipped >= 3 * p * unit, p, payloads)
        payloads = payloads.astype(np.int32)
        self.v = clipped - payloads * unit
        self.c = c + payloads * unit
        self.mean_in = self.mean_in + share * arrived
        self.mean_out = self.mean_out + share * payloads * self.threshold
        self.s_out.send(payloads)
        self.window.keep(timestep, payloads, self.v, np.count_nonzero(clipped != membrane))

    def open_window(self) -> None:
        """Start the membrane of this decision.

        The running means start at the bias and at nothing.
        """
        start = np.zeros_like(self.threshold)
        if self.window.control == CARRY:
            half = 4 * self.units * self.threshold
            residual = np.maximum(self.v - self.v_start, -self.c)
            start = np.clip((self.alpha * residual + 32) >> 6, -half, half)
        self.v, self.v_start = start, start.copy()
        self.mean_in = self.units * self.bias
        self.mean_out, self.c = np.zeros_like(start), np.zeros_like(start)
