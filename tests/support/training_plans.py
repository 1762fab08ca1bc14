"""Small training plans."""

from __future__ import annotations

from tests.support.front_door import TOY_ENV

STEPS = 260

PLAN = {
    "environment": TOY_ENV,
    "learning_starts": 100,
    "proxy_iterations": 1,
    "hidden": [16, 16],
    "seed": 3,
}

INTERVALS = {
    "evaluate_every": 80,
    "evaluation_episodes": 2,
    "checkpoint_every": 50,
    "device": "cpu",
}
