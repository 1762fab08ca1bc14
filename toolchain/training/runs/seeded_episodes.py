"""Episodes whose start depends on the run's seed and the episode's number alone.

So a run can be taken up at any of them.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np


class SeededEpisodes(gymnasium.Wrapper):
    """Resets with a seed drawn from (seed, episode number), whatever seed a caller gives."""

    def __init__(self, env: gymnasium.Env, seed: int) -> None:
        super().__init__(env)
        self.seed = seed
        self.next_episode = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start the next episode."""
        drawn = int(np.random.SeedSequence((self.seed, self.next_episode)).generate_state(1)[0])
        self.next_episode += 1
        return self.env.reset(seed=drawn, options=options)
