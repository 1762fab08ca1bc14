"""`lava-direct`: Lava's own process models, stepped in this process without Lava's runtime.

The models are compiled and built by Lava exactly as its runtime does it, stock `PyDenseModelBitAcc`
included; only the channels between them are replaced, by slots that hold one message. Stepping them
from the source to the readout is Lava's order: in each step a Dense sends the sum it buffered in
the step before, then receives.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from spikeport.export.lava.lava_import import import_lava, install_command, lava_problem
from spikeport.export.lava.network_description import NEURONS, describe
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import BackendError
from spikeport.toolchain.neurons.neuron import INACTIVE
from spikeport.toolchain.simulation.recorded import RecordedBackend, Window


@final
class LavaDirectBackend(RecordedBackend):
    """One environment.

    Raises:
        BackendError: Where Lava is missing.
        InputError: For a neuron without a Lava process.
    """

    name = "lava-direct"
    counterparts = NEURONS
    max_rows = 1

    @classmethod
    def missing(cls) -> str:
        """What of Lava is not installed, and the command that installs it."""
        problem = lava_problem()
        return f"{problem}; {install_command()}" if problem else ""

    def __init__(self, artifact: Artifact, rows: int = 1) -> None:
        """Build Lava's processes and their models."""
        super().__init__(artifact, rows)
        description, arrays = describe(artifact.network)
        try:
            import_lava()
        except ImportError as error:
            raise BackendError(
                "backend lava-direct", str(error).removeprefix("lava: ").rstrip(".")
            ) from None
        from lava.magma.core.process.process import ProcessServer

        from spikeport.export.lava.network import lava_network

        # Lava's list of every process there ever was keeps them alive
        known = ProcessServer().processes
        count = len(known)
        self.lava = lava_network(
            description, arrays, decisions=1, allocate=np.zeros, read_membranes=False
        )
        models = build_models(self.lava)
        self.models = list(models.values())
        self.recorded = [
            (models[neurons], models[recorder])
            for neurons, recorder in zip(self.lava.neurons, self.lava.recorders, strict=False)
        ]
        del known[count:]

    def run_window(self, payloads: NDArray[np.int64], control: NDArray[np.int64]) -> Window:
        """Step every model T + L times."""
        if control[0] == INACTIVE:
            return Window.silent(self.network)
        entries = self.lava.put(payloads, control)
        for _ in range(self.lava.period):
            for model in self.models:
                model.time_step += 1
                model.run_spk()
            for neurons, recorder in self.recorded:
                recorder.keep_membranes(neurons.v)
        recording = self.lava.take(entries)
        return Window(
            list(recording.payloads),
            list(recording.states),
            recording.saturations[0],
            *recording.idle[0].tolist(),
        )


def build_models(network: Any) -> dict[Any, Any]:
    """Lava's process models of a `LavaNetwork` by their processes, in the order in which they step.

    Slots connect them.
    """
    from lava.magma.core.process.ports.ports import create_port_id

    from spikeport.export.lava.network import run_configuration

    executable = network.source.compile(run_configuration())
    builders = executable.proc_builders
    for channel in executable.channel_builders:
        sender = channel.src_port_initializer
        receiver = channel.dst_port_initializer
        slot: list[NDArray[Any]] = []
        output = SlotOutput(sender.name, slot, np.dtype(sender.d_type))
        arrival = SlotInput(receiver.name, slot)
        builders[channel.src_process].set_csp_ports([output])
        builders[channel.dst_process].set_csp_ports([arrival])
        builders[channel.dst_process].add_csp_port_mapping(
            create_port_id(channel.src_process.id, sender.name), arrival
        )
    order = [network.source]
    for synapse, neurons in zip(network.synapses, network.neurons, strict=True):
        order += [synapse, neurons]
    return {process: builders[process].build() for process in (*order, *network.recorders)}


class SlotOutput:
    """A stand-in for a CspSendPort.

    Like its shared memory, a slot has the type of the sending port.
    """

    def __init__(self, name: str, slot: list[NDArray[Any]], kind: np.dtype[Any]) -> None:
        """Send to a slot that a SlotInput reads."""
        self.name = name
        self.slot = slot
        self.kind = kind

    def send(self, data: NDArray[Any]) -> None:
        """Put a message in; every receiver adds to zeros, so nobody keeps `data`."""
        self.slot.append(data.astype(self.kind, copy=False))


class SlotInput:
    """A stand-in for a CspRecvPort."""

    def __init__(self, name: str, slot: list[NDArray[Any]]) -> None:
        """Receive from a slot that a SlotOutput writes."""
        self.name = name
        self.slot = slot

    def recv(self) -> NDArray[Any]:
        """Take the message out."""
        return self.slot.pop()
