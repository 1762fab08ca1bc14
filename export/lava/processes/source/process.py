"""The source: the host's payloads and control words enter the network here.

With the first of the `period` steps of decision k it sends payloads[k] and control[k], with the
others nothing. The arrays are rings over decisions; whoever runs the network writes them before
each run.
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


class Source(AbstractProcess):
    """Sends payloads int32 [decisions, features] and control words int32 [decisions, 1].

    Control word 1 carries state over, 2 starts afresh.
    """

    def __init__(self, *, payloads: np.ndarray, control: np.ndarray, period: int) -> None:
        super().__init__(payloads=payloads, control=control, period=period)
        self.s_out = OutPort(shape=payloads.shape[1:])
        self.c_out = OutPort(shape=(1,))


@implements(proc=Source, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySourceModel(PyLoihiProcessModel):
    """The integer model of the process on the CPU."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    c_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=2)

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self.payloads = proc_params["payloads"]
        self.control = proc_params["control"]
        self.period = proc_params["period"]
        self.no_payloads, self.no_control = (
            np.zeros_like(self.payloads[0]),
            np.zeros_like(self.control[0]),
        )
        self.decision = 0
        self.step = 0

    def run_spk(self) -> None:
        """Run one step: send what belongs to it."""
        if self.step == 0:
            entry = self.decision % len(self.control)
            self.s_out.send(self.payloads[entry])
            self.c_out.send(self.control[entry])
            self.decision += 1
        else:
            self.s_out.send(self.no_payloads)
            self.c_out.send(self.no_control)
        self.step = (self.step + 1) % self.period
