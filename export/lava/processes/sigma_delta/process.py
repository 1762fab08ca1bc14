"""`sdn@1`: sigma-delta across decisions, on integers. One timestep per decision.

    control word 2   acc = bias, ref = 0
    always           acc <- acc + a_in
                     q = clip((2 * relu(acc) + theta) // (2 * theta), low, high)    relu
                     q = clip((2 * acc + theta) // (2 * theta), low, high)          identity
                     q = clip(table(acc), low, high)                                table
                     d = q - ref;  sent, and ref <- q, if d != 0 and (|d| >= trigger or q = 0)

    table(acc) = offset[k] + (((acc - segment_start[k]) * multiplier[k] + 2^(shift - 1)) >> shift),
    k the last segment of the neuron with segment_start[k] <= acc

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

START = 2


class SigmaDelta(AbstractProcess):
    """The neurons of one layer.

    Bias, threshold, low and high are int32 [neurons]. The activation is "relu", "identity", or
    "table" with `table` = start, multiplier, offset [neurons, segments], shift [neurons]. `window`
    says when the layer works.
    """

    def __init__(
        self,
        *,
        bias: np.ndarray,
        threshold: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
        activation: str,
        table: dict[str, np.ndarray],
        trigger: int,
        window,
    ) -> None:
        super().__init__(activation=activation, trigger=trigger, window=window)
        shape = bias.shape
        self.a_in = InPort(shape=shape)
        self.c_in = InPort(shape=(1,))
        self.s_out = OutPort(shape=shape)
        self.acc = Var(shape=shape, init=0)
        self.ref = Var(shape=shape, init=0)
        self.bias = Var(shape=shape, init=bias)
        self.threshold = Var(shape=shape, init=threshold)
        self.low = Var(shape=shape, init=low)
        self.high = Var(shape=shape, init=high)
        if table:
            segments = table["start"].shape
        else:
            segments = (1, 1)
        self.segment_start = Var(shape=segments, init=table.get("start", 0))
        self.multiplier = Var(shape=segments, init=table.get("multiplier", 0))
        self.offset = Var(shape=segments, init=table.get("offset", 0))
        self.shift = Var(shape=shape, init=table.get("shift", 1))


@implements(proc=SigmaDelta, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySigmaDeltaModel(PyLoihiProcessModel):
    """The integer model of the process on the CPU."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    c_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=2)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    acc: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    ref: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    threshold: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    low: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    high: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    segment_start: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    multiplier: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=16)
    offset: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    shift: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=5)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.activation = proc_params["activation"]
        self.trigger = proc_params["trigger"]
        self.window = proc_params["window"]

    def run_spk(self) -> None:
        """Run one step: receive, compute if the layer is in its window, send."""
        arrived = self.a_in.recv()
        timestep = self.window.advance(int(self.c_in.recv()[0]))
        if timestep < 0:
            self.s_out.send(np.zeros_like(self.acc))
            return
        if self.window.control == START:
            self.acc, self.ref = self.bias.copy(), np.zeros_like(self.ref)
        self.acc = self.acc + arrived
        wanted = self.quantised()
        q = np.clip(wanted, self.low, self.high)
        change = (q - self.ref).astype(np.int32)
        send = (change != 0) & ((np.abs(change) >= self.trigger) | (q == 0))
        payloads = np.where(send, change, np.int32(0))
        self.ref = self.ref + payloads
        self.s_out.send(payloads)
        self.window.keep(timestep, payloads, self.acc, np.count_nonzero(q != wanted))

    def quantised(self) -> np.ndarray:
        """Quantise the accumulator; clipping comes later."""
        if self.activation == "table":
            segment = (self.acc[:, None] >= self.segment_start).sum(1) - 1
            neuron = np.arange(len(segment))
            # 64 bits: the product needs up to 40
            distance = (self.acc - self.segment_start[neuron, segment]).astype(np.int64)
            half = np.int64(1) << (self.shift.astype(np.int64) - 1)
            return self.offset[neuron, segment] + (
                (distance * self.multiplier[neuron, segment] + half) >> self.shift
            )
        if self.activation == "relu":
            value = np.maximum(self.acc, 0)
        else:
            value = self.acc
        return (2 * value + self.threshold) // (2 * self.threshold)
