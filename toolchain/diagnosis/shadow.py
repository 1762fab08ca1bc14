"""A second copy of an environment that answers "what if the other policy had acted here?".

MuJoCo environments keep their whole state in MjData, which is copied into a twin in microseconds;
any other environment is deep-copied, its random numbers included.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from spikeport.toolchain.environments.gymnasium_bridge import flat
from spikeport.toolchain.policies.actor import Float

STATELESS = {
    "OrderEnforcing",
    "PassiveEnvChecker",
    "TimeLimit",
    "ClipAction",
    "RescaleAction",
    "TransformObservation",
    "TransformReward",
    "TransformAction",
}


class Shadow:
    """Steps that leave the environment itself as it was.

    `usable` is False once it could not be copied.
    """

    def __init__(self, env: Any, make_env: Callable[[], Any]) -> None:
        self.env = env
        self.usable = True
        self._twin = None
        if _is_mujoco(env) and _stateless(env):
            self._twin = make_env()
            self._twin.reset(seed=0)

    def step(self, action: Any) -> tuple[Float, float] | None:
        """Observation [obs] and reward that `action` would have brought.

        None where the environment cannot be copied.
        """
        if not self.usable:
            return None
        if self._twin is not None:
            import mujoco

            twin = self._twin.unwrapped
            mujoco.mj_copyData(twin.data, twin.model, self.env.unwrapped.data)  # type: ignore
            observation, reward, *_ = self._twin.step(action)
            return flat(observation), float(reward)
        try:
            twin = copy.deepcopy(self.env)
        except Exception:  # a user's environment may hold anything: a socket, a window
            self.usable = False
            return None
        observation, reward, *_ = twin.step(action)
        return flat(observation), float(reward)

    def close(self) -> None:
        """Close the twin; the environment itself stays open."""
        if self._twin is not None:
            self._twin.close()


def _is_mujoco(env: Any) -> bool:
    data = getattr(env.unwrapped, "data", None)
    return (
        type(data).__name__ == "MjData"
        and type(getattr(env.unwrapped, "model", None)).__name__ == "MjModel"
    )


def _stateless(env: Any) -> bool:
    while env is not env.unwrapped:
        if type(env).__name__ not in STATELESS:
            return False
        env = env.env
    return True
