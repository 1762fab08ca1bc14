"""The exported policy, to be driven with observations of one's own.

with SpikingPolicy() as policy:
    policy.reset()
    action = policy.decide(observation)
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .client import TIME_LIMIT, LavaClient
from .host import Host
from .messages import Arrays

FOLDER = Path(__file__).resolve().parents[1]


def read_arrays(path: Path) -> Arrays:
    """The arrays of an npz file; nothing is unpickled."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def read_network(folder: Path = FOLDER) -> tuple[dict[str, Any], Arrays]:
    """Description and arrays of the exported network."""
    return json.loads((folder / "network.json").read_text()), read_arrays(folder / "network.npz")


class SpikingPolicy:
    """Host and network together: one observation in, one action out.

    A step of Lava takes about a millisecond. Raises LavaFailure when Lava raises, dies or needs
    more than `time_limit` seconds for its start or a decision.
    """

    def __init__(self, folder: Path = FOLDER, time_limit: float = TIME_LIMIT) -> None:
        description, arrays = read_network(folder)
        self.host = Host(description, arrays)
        self.coding = str(description["coding"])
        self.network = LavaClient(description, arrays, time_limit)

    def reset(self) -> None:
        """An episode starts with the next decision."""
        self.host.reset()

    def decide(self, observation: NDArray[np.float64]) -> NDArray[np.float64] | np.int64:
        """The action [act] for an observation [obs]; a NumPy integer where it is discrete."""
        payloads, control = self.host.encode(observation)
        recording = self.network.run(payloads[None], np.array([control], np.int32))
        action = self.host.decode(recording.readout(self.coding)[0])
        if self.host.discrete:
            return np.int64(action[0])
        return action

    def close(self) -> None:
        """End Lava's processes."""
        self.network.close()

    def __enter__(self) -> SpikingPolicy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
