"""What a layer of stock LIF neurons did: spikes, membranes after each step, idle activity.

A stock neuron does not know when its window is. The recorder counts steps from the network's start:
layer l, counted from 0, works in steps l + 1 .. l + T of each decision's `period`; all else is
idle.
"""

# Lava replaces the LavaPyType of a model's attributes by arrays and ports when it builds the model.
# pyright: reportAssignmentType=false, reportOptionalSubscript=false
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class Recorder(AbstractProcess):
    """Listens to `senders` neurons, of which those in `record` are kept.

    `fan_out` int64 [neurons] counts the synops that one spike causes.
    """

    def __init__(
        self, *, senders: int, layer: int, period: int, record, fan_out: np.ndarray
    ) -> None:
        super().__init__(layer=layer, period=period, record=record, fan_out=fan_out)
        self.s_in = InPort(shape=(senders,))
        self.v_in = RefPort(shape=(senders,))


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRecorderModel(PyLoihiProcessModel):
    """The integer model of the process on the CPU."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=1)
    v_in: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32, precision=24)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.layer = proc_params["layer"]
        self.period = proc_params["period"]
        self.record = proc_params["record"]
        self.fan_out = proc_params["fan_out"]
        self.timesteps, self.neurons = self.record.payloads.shape[1:]
        self.decision = 0
        self.step = -1

    @property
    def timestep(self) -> int:
        """0 .. T-1 in the window, anything else outside."""
        return self.step - self.layer - 1

    def run_spk(self) -> None:
        """Run one step: receive the spikes and keep them."""
        self.step += 1
        if self.step == self.period:
            self.step = 0
            self.decision = self.decision + 1
        entry = self.decision % len(self.record.idle)
        spikes = self.s_in.recv()[: self.neurons]
        if self.step == 0:
            self.record.idle[entry] = 0
        if 0 <= self.timestep < self.timesteps:
            self.record.payloads[entry, self.timestep] = spikes
        else:
            self.record.idle[entry] += np.count_nonzero(spikes), spikes @ self.fan_out

    def keep_membranes(self, v) -> None:
        """Keep the membranes [senders] after the step."""
        if 0 <= self.timestep < self.timesteps:
            self.record.states[self.decision % len(self.record.idle), self.timestep] = v[
                : self.neurons
            ]

    def post_guard(self) -> bool:
        """Tell Lava whether membranes are to be read in this step."""
        return 0 <= self.timestep < self.timesteps

    def run_post_mgmt(self) -> None:
        """Read the membranes, where Lava's runtime serves them."""
        self.keep_membranes(self.v_in.read())
