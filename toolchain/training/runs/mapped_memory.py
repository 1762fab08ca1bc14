"""A replay buffer in files, which outlives the process.

A checkpoint needs only the number of its rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer

from spikeport.toolchain.errors import InputError

FIX = "put the file back, or start the run anew in another file"
ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


class MappedMemory(ReplayBuffer):
    """Stable-Baselines3's buffer over memory-mapped files, for one environment.

    Its capacity is the number of steps of the whole run: rows are never overwritten, so rows that a
    killed run added after its last checkpoint are beyond those that the next one samples. Files
    grow where capacity does.
    """

    def __init__(
        self,
        folder: Path,
        capacity: int,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        device: Any,
        rows: int = 0,
    ) -> None:
        super().__init__(1, observation_space, action_space, device=device)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ARRAYS:
            shape = getattr(self, name).shape[1:]
            dtype = getattr(self, name).dtype
            path = folder / f"{name}.bin"
            held = path.stat().st_size if path.exists() else 0
            needed = rows * int(np.prod(shape)) * dtype.itemsize
            if held < needed:
                raise InputError(
                    str(path),
                    "holds fewer steps than the checkpoint counts",
                    got=f"{held} bytes",
                    limit=f"{needed} bytes",
                    fix=FIX,
                )
            path.touch()
            setattr(self, name, np.memmap(path, dtype, "r+", shape=(capacity, *shape)))
        self.buffer_size = capacity
        self.full = rows >= capacity
        self.pos = 0 if self.full else rows

    @property
    def rows(self) -> int:
        """Steps held."""
        if self.full:
            return self.buffer_size
        return self.pos

    def flush(self) -> None:
        """Write what the system still keeps in memory."""
        for name in ARRAYS:
            getattr(self, name).flush()
