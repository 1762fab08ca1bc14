"""The artifact: one file that holds a deployable spiking policy, and the hub that every later room
knows.

What it holds is here; how it is written to a `.spk` file is in `artifact_file.py`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.network.integer_network import (
    Network,
)
from spikeport.toolchain.policies.ann_policy import Provenance
from spikeport.toolchain.policies.policy import AnyPolicy

if TYPE_CHECKING:
    from spikeport.toolchain.simulation.controller import Controller

PROBE_DECISIONS = 256


@dataclass(frozen=True, eq=False)
class Probe:
    """Observations [256, obs] float64 for checks without an environment; flags [256]:

    1 starts an episode, 2 resyncs.
    """

    observations: NDArray[np.float64]
    flags: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Artifact:
    """A deployable spiking policy.

    `calibration` records the recipe as JSON: steps, seeds that simulate must not use, action error,
    weight bits, neurons that never fired. `source_macs` is the source ANN's cost and survives
    without the source itself.
    """

    network: Network
    observation: ObservationContract
    action: ActionContract
    provenance: Provenance
    probe: Probe
    calibration: dict[str, Any]
    environment: EnvironmentRecord | None = None
    source: AnyPolicy | None = None
    source_macs: int = 0
    memory: str = (
        "none"  # what memory the policy needs beyond its own neurons: frame stack, action history
    )
    extensions: dict[str, Any] = field(default_factory=dict)

    @property
    def macs(self) -> int:
        """Dense multiply-adds of the source ANN per decision."""
        return self.source_macs

    def without_source(self) -> Artifact:
        """The same artifact without the float policy inside."""
        return dataclasses.replace(self, source=None)

    def controller(self, backend: str = "fast") -> Controller:
        """This policy for a loop of one's own; see toolchain/simulation/controller.py."""
        from spikeport.toolchain.simulation.controller import (
            Controller,
        )  # the hub knows no later room until it is asked for one

        return Controller(self, backend)
