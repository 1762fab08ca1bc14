"""The folder of a run, FILE.run beside its output FILE.

It holds plan.json, checkpoint.pt, memory/*.bin, evaluations.jsonl, and best.zip, the policy of the
best evaluation.
"""

from __future__ import annotations

import fcntl
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.atomic import write_atomically
from spikeport.toolchain.training.methods.training_plan import TrainingPlan
from spikeport.toolchain.training.runs.checkpoint import check_plan, read_checkpoint
from spikeport.toolchain.training.runs.evaluation import keep_evaluations, read_evaluations


@dataclass(frozen=True)
class RunFolder:
    """Where the parts of a run lie."""

    path: Path

    @classmethod
    def beside(cls, output: Path) -> RunFolder:
        """The folder of the run that writes `output`."""
        return cls(output.with_name(f"{output.name}.run"))

    @property
    def plan(self) -> Path:
        """The plan that the run was started with."""
        return self.path / "plan.json"

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint."""
        return self.path / "checkpoint.pt"

    @property
    def memory(self) -> Path:
        """The folder of the replay buffer."""
        return self.path / "memory"

    @property
    def evaluations(self) -> Path:
        """The evaluations, one JSON line each."""
        return self.path / "evaluations.jsonl"

    @property
    def best(self) -> Path:
        """The policy of the best evaluation."""
        return self.path / "best.zip"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process train the run meanwhile.

        The system releases the lock of a process that was killed.
        """
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError(
                    "-o",
                    "another process trains this run",
                    got=self.path,
                    limit="one at a time",
                    fix=("wait for its end", "another file"),
                ) from None
            yield

    def write_plan(self, plan: TrainingPlan) -> None:
        """Record the plan."""
        text = json.dumps(plan.to_json(), indent=1) + "\n"
        write_atomically(self.plan, lambda temporary: temporary.write_text(text))

    def read_state(self, plan: TrainingPlan) -> dict[str, Any] | None:
        """Read the checkpoint of the run, None where there is none yet.

        Raises:
            InputError: Where the checkpoint or, before the first one, plan.json is damaged, or
                says that the run was started with another plan.
        """
        if self.checkpoint.exists():
            state = read_checkpoint(self.checkpoint)
            check_plan(self.checkpoint, json.loads(state["plan"]), plan.to_json())
            return state
        try:
            before = json.loads(self.plan.read_text())
        except (OSError, ValueError):
            before = None
        if not isinstance(before, dict):
            raise InputError(
                "--resume",
                "the run has neither a checkpoint nor a readable plan",
                got=self.path,
                fix=f"remove {self.path.name} and start anew",
            )
        check_plan(self.plan, before, plan.to_json())
        return None

    def drop_after(self, steps: int) -> None:
        """Forget what a run that goes on at `steps` had evaluated later.

        The best policy goes, too, where it was that of a later evaluation.
        """
        keep_evaluations(self.evaluations, steps)
        kept = self._finite_evaluations()
        if not self.best.exists():
            return
        best = max(kept, key=lambda record: record["mean"], default=None)
        if best is None or steps_of(self.best) != best["steps"]:
            self.best.unlink()

    def is_best(self, mean: float) -> bool:
        """Whether an evaluation's mean return beats all before it, or no policy was kept."""
        if not np.isfinite(mean):
            return False
        earlier = [record["mean"] for record in self._finite_evaluations()]
        return not self.best.exists() or mean > max(earlier, default=-np.inf)

    def add_evaluation(self, record: dict[str, Any]) -> None:
        """Append an evaluation."""
        with self.evaluations.open("a") as stream:
            stream.write(json.dumps(record) + "\n")

    def _finite_evaluations(self) -> list[dict[str, Any]]:
        return [
            record for record in read_evaluations(self.evaluations) if np.isfinite(record["mean"])
        ]


def steps_of(model: Path) -> int:
    """The steps that the model in a zip had trained; -1 where the file is damaged."""
    try:
        with zipfile.ZipFile(model) as archive:
            return int(json.loads(archive.read("data"))["num_timesteps"])
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError):
        return -1
