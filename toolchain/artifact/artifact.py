"""The artifact: a deployable spiking policy with everything that was recorded about it.

Whatever simulates, exports or prices a policy takes one. How it is written to a `.spk` file is in
artifact_file.py.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.plugins import resolve
from spikeport.toolchain.policies.ann_policy import Provenance
from spikeport.toolchain.policies.policy_interface import AnyPolicy

PROBE_DECISIONS = 256
CONTROLLER = "spikeport.toolchain.simulation.controller:Controller"  # it imports this file


@dataclass(frozen=True, eq=False)
class Probe:
    """Observations for checks without an environment.

    observations [256, obs] float64; flags [256]: 1 starts an episode, 2 resyncs.
    """

    observations: NDArray[np.float64]
    flags: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Artifact:
    """A deployable spiking policy.

    Attributes:
        network: The integers between encoded observation and readout.
        observation: From the environment's observation to the network's features.
        action: From the network's output to the environment's action.
        provenance: The checkpoint that the policy came from.
        probe: Observations for checks without an environment.
        calibration: The recipe as JSON: steps, seeds that simulate must not use, action error,
            weight bits, neurons that never fired.
        environment: Where the policy was trained, if that is known.
        source: The float policy, unless it was left out.
        source_macs: Multiply-adds of the source policy per decision, known without it, too.
        memory: What the policy needs to remember beyond its own neurons: a frame stack, an action
            history.
        extensions: Anybody's own entries, kept as they are.
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
    memory: str = "none"
    extensions: dict[str, Any] = field(default_factory=dict)

    @property
    def macs(self) -> int:
        """Dense multiply-adds of the source ANN per decision."""
        return self.source_macs

    def without_source(self) -> Artifact:
        """The same artifact without the float policy inside."""
        return dataclasses.replace(self, source=None)

    def controller(self, backend: str = "fast") -> Any:
        """A spikeport.Controller, which runs this policy in a loop of one's own."""
        return resolve(CONTROLLER)(self, backend)
