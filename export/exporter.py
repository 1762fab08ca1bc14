"""What every exporter is given, and what it raises where its format does not carry a neuron.

An exporter is a function `export_x(artifact, path, trace)`, marked with `carries` and named in
toolchain/plugins.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, TypeVar

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


# Runs the reference, for formats that check themselves.
TraceOfProbe = Callable[[], ProbeTrace]
Function = TypeVar("Function", bound=Callable[..., None])


def carries(neurons: Collection[str]) -> Callable[[Function], Function]:
    """Say which neurons an exporter carries, by their ids, so that refusals can name it."""

    def mark(exporter: Function) -> Function:
        exporter.__dict__["carries"] = neurons
        return exporter

    return mark


class NotCarried(InputError):
    """A format does not carry a neuron; export/formats.py, which knows the others, adds ways out.

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
        """
        super().__init__(where, what, got=got, limit=", ".join(carried), why=why)
        self.neuron = neuron
        self.format = format

    def with_ways_out(self, ways_out: Sequence[str]) -> InputError:
        """The same error, which says what to do."""
        return InputError(
            self.where, self.what, got=self.got, limit=self.limit, why=self.why, fix=ways_out
        )
