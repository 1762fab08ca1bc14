"""A training method: its own choices, and how a run of it is made, trained, evaluated, deployed.

To add one, write its class in a file of its own beside this one, and name it in the table
"training_methods" of toolchain/plugins.py; another package names it in the entry points of the
group `spikeport.training_methods`. `spikeport train NAME` and `spikeport.train` then know it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from spikeport.toolchain.training.layers.scans import NEURONS
from spikeport.toolchain.training.methods.policy_evaluation import evaluate
from spikeport.toolchain.training.methods.training_plan import TrainingPlan


@dataclass(frozen=True)
class TrainingMethod(ABC):
    """A way to train an actor.

    The fields of a subclass are its own choices, each with a default and each a value that JSON
    holds: a run records them in its plan, and a resumed run must repeat them.
    """

    name: ClassVar[str]  # as in the table
    neurons: ClassVar[tuple[str, ...]] = NEURONS  # that its actor may have

    def problems(self, plan: TrainingPlan) -> list[str]:
        """Say what is wrong with the method's own choices, one sentence per problem."""
        return []

    @abstractmethod
    def make(self, plan: TrainingPlan, env: Any, device: str, tensorboard: Path | None) -> Any:
        """Make the untrained model.

        Args:
            plan: What determines the weights of the run.
            env: The environment, whose spaces are known to be boxes of one dimension.
            device: A device of PyTorch, or auto.
            tensorboard: Folder of the log for TensorBoard, or None.

        Returns:
            An off-policy algorithm of Stable-Baselines3. The run replaces its replay buffer by one
            in files, so it needs none of its own.
        """

    def notes(self, model: Any) -> list[str]:
        """Say what the user should know before training begins, one line each."""
        return []

    def learn(self, model: Any, steps: int, callback: Any) -> None:
        """Train for `steps` more environment steps, with `callback` between any two of them."""
        model.learn(steps, callback=callback, reset_num_timesteps=False, tb_log_name=self.name)

    def evaluate(self, model: Any, environment: str, episodes: int) -> dict[str, Any]:
        """Evaluate the policy that would be deployed; a record as of `policy_evaluation`."""
        return evaluate(model, environment, episodes)

    def deploy(self, model: Any, path: Path) -> None:
        """Write the policy, a file that `spikeport convert` reads, to `path`."""
        with path.open("wb") as stream:
            model.save(stream)
