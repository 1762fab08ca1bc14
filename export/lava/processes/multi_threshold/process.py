"""`mt@1`: one neuron with thresholds lambda, 2 lambda, 4 lambda and 8 lambda = theta, on integers.

    at its window's start   v = 0                                                control word 2
                            v = clip(r, -4 * lambda, 4 * lambda)                 control word 1
                            r = (alpha * max(v_end - v_start, -c * lambda) + 32) >> 6
    per timestep            v <- clip(v + a_in + bias, -2^23 + 1, 2^23 - 1)
                            p = the largest of {1, 2, 4, 8} with 4 v >= 3 p lambda;
                                else the largest with 4 v <= -3 p lambda and c >= p, negative;
                                else 0
                            v <- v - p * lambda;  c <- c + p

With `hold_input` the input of the window's first timestep is latched and added in each of them.
Outside its window the neuron is silent, its state does not change and what arrives is ignored.
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
CARRY = 1
PAYLOADS = (1, 2, 4, 8)


class MultiThreshold(AbstractProcess):
    """The neurons of one layer.

    Bias and threshold (lambda) are int32 [neurons] in the row's units, alpha is in 64ths;
    `window` says when the layer works.
    """

    def __init__(
        self, *, bias: np.ndarray, threshold: np.ndarray, alpha: int, hold_input: bool, window
    ) -> None:
        super().__init__(alpha=alpha, hold_input=hold_input, window=window)
        shape = bias.shape
        self.a_in = InPort(shape=shape)
        self.c_in = InPort(shape=(1,))
        self.s_out = OutPort(shape=shape)
        self.v = Var(shape=shape, init=0)
        self.v_start = Var(shape=shape, init=0)
        self.net = Var(shape=shape, init=0)
        self.latch = Var(shape=shape, init=0)
        self.bias = Var(shape=shape, init=bias)
        self.threshold = Var(shape=shape, init=threshold)


@implements(proc=MultiThreshold, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyMultiThresholdModel(PyLoihiProcessModel):
    """The integer model of the process on the CPU."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    c_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=2)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=5)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    v_start: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    net: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    latch: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    threshold: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.alpha = proc_params["alpha"]
        self.hold_input = proc_params["hold_input"]
        self.window = proc_params["window"]

    def run_spk(self) -> None:
        """Run one step: receive, compute if the layer is in its window, send."""
        arrived = self.a_in.recv()
        timestep = self.window.advance(int(self.c_in.recv()[0]))
        if timestep < 0:
            self.s_out.send(np.zeros_like(self.v))
            return
        if timestep == 0:
            self.open_window()
            self.latch = arrived
        membrane = self.v + (self.latch if self.hold_input else arrived) + self.bias
        clipped = np.clip(membrane, -STATE_LIMIT, STATE_LIMIT)
        payloads = np.zeros_like(clipped)
        for p in PAYLOADS:
            payloads = np.where(
                (4 * clipped <= -3 * p * self.threshold) & (self.net >= p), -p, payloads
            )
        for p in PAYLOADS:
            payloads = np.where(4 * clipped >= 3 * p * self.threshold, p, payloads)
        payloads = payloads.astype(np.int32)
        self.v = clipped - payloads * self.threshold
        self.net = self.net + payloads
        self.s_out.send(payloads)
        self.window.keep(timestep, payloads, self.v, np.count_nonzero(clipped != membrane))

    def open_window(self) -> None:
        """Start the membrane of this decision."""
        start = np.zeros_like(self.threshold)
        if self.window.control == CARRY:
            # 64 bits: a long window may emit more than 2^31
            residual = np.maximum(
                self.v - self.v_start, -self.net.astype(np.int64) * self.threshold
            )
            start = np.clip(
                (self.alpha * residual + 32) >> 6, -4 * self.threshold, 4 * self.threshold
            ).astype(np.int32)
        self.v, self.v_start = start, start.copy()
        self.net = np.zeros_like(start)
