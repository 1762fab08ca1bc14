"""What every exporter is given, and what it raises where its format does not carry a neuron.

An exporter is a function `export_x(artifact, path, trace)`, named in toolchain/plugins.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError


class TracedLayer(Protocol):
    """What one layer did, [decisions, T, neurons]."""

    @property
    def payloads(self) -> NDArray[np.int32]:
        """What was sent in each timestep."""
        ...

    @property
    def states(self) -> NDArray[np.int32]:
        """The state after each timestep."""
        ...


class ProbeTrace(Protocol):
    """What the reference computes from an artifact's recorded probe."""

    @property
    def inputs(self) -> NDArray[np.int32]:
        """Payloads of the input, [decisions, inputs]."""
        ...

    @property
    def layers(self) -> Sequence[TracedLayer]:
        """The layers in order."""
        ...

    @property
    def actions(self) -> NDArray[np.float64]:
        """[decisions, act], or [decisions, 1] where they are discrete."""
        ...


TraceOfProbe = Callable[
    [], ProbeTrace
]  # runs the reference; asked by formats that check themselves


class NotCarried(InputError):
    """A format does not carry a neuron.

    export/formats.py, which knows the other formats, adds what to do.

    Attributes:
        neuron: The id of the neuron.
        format: The name of the format.
    """

    def __init__(
        self,
        where: str,
        what: str,
        *,
        neuron: str,
        format: str,
        carried: Collection[str],
        why: str = "",
        got: object = None,
        ways_out: Sequence[str] = (),
    ) -> None:
        """Tell what is not carried.

        Args:
            where: The place of the fault.
            what: The fault.
            neuron: The id of the neuron.
            format: The name of the format.
            carried: Ids of the neurons that the format does carry.
            why: The reason.
            got: What is there instead, where `what` does not say it.
            ways_out: What to do.
        """
        super().__init__(where, what, got=got, limit=", ".join(carried), why=why, fix=ways_out)
        self.neuron = neuron
        self.format = format
        self._carried = carried

    def with_ways_out(self, ways_out: Sequence[str]) -> NotCarried:
        """The same error, which says what to do."""
        return NotCarried(
            self.where,
            self.what,
            neuron=self.neuron,
            format=self.format,
            carried=self._carried,
            why=self.why,
            got=self.got,
            ways_out=ways_out,
        )
