"""The source of a spiking network: the encoder's soft-reset neurons, on integers.

    at a decision's first step     v = 0
    in its first T steps           v <- v + payload;  spike if v > threshold (strict)
                                   v <- v - threshold                     where it spiked

With `always_on` there is one channel more, last, that spikes in every step: the bias of a layer
whose bias goes to the current. The payloads are a ring over decisions; whoever runs the network
writes them before each run.
"""

# Lava replaces the LavaPyType of a model's attributes by arrays and ports when it builds the model.
# pyright: reportAssignmentType=false, reportOptionalSubscript=false
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class SpikeSource(AbstractProcess):
    """Sends the spikes of payloads int32 [decisions, inputs].

    `threshold` is in their units; a decision takes `period` steps, of which the first T send.
    """

    def __init__(
        self, *, payloads: np.ndarray, threshold: int, timesteps: int, period: int, always_on: bool
    ) -> None:
        super().__init__(
            payloads=payloads,
            threshold=threshold,
            timesteps=timesteps,
            period=period,
            always_on=always_on,
        )
        self.s_out = OutPort(shape=(payloads.shape[1] + always_on,))


@implements(proc=SpikeSource, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySpikeSourceModel(PyLoihiProcessModel):
    """The integer model of the process on the CPU."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.payloads = proc_params["payloads"]
        self.threshold = proc_params["threshold"]
        self.timesteps = proc_params["timesteps"]
        self.period = proc_params["period"]
        inputs = self.payloads.shape[1]
        self.inputs, self.v = inputs, np.zeros(inputs, np.int32)
        self.nothing = np.zeros(inputs + proc_params["always_on"], np.int32)
        self.nothing[inputs:] = 1
        self.decision = 0
        self.step = 0

    def run_spk(self) -> None:
        """Run one step: send what belongs to it."""
        spikes = self.nothing.copy()
        if self.step == 0:
            self.v = np.zeros_like(self.v)
        if self.step < self.timesteps:
            self.v = self.v + self.payloads[self.decision % len(self.payloads)]
            fired = self.v > self.threshold
            self.v = self.v - self.threshold * fired
            spikes[: self.inputs] = fired
        self.s_out.send(spikes)
        self.step = (self.step + 1) % self.period
        self.decision += self.step == 0
