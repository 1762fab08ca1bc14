"""What a run does between two steps: evaluations, the best policy, checkpoints."""

from __future__ import annotations

from stable_baselines3.common.callbacks import BaseCallback

from spikeport.toolchain.files.atomic import write_atomically
from spikeport.toolchain.training.methods.method_choices import trainer_of
from spikeport.toolchain.training.methods.training_plan import TrainingPlan
from spikeport.toolchain.training.runs.checkpoint import write_checkpoint
from spikeport.toolchain.training.runs.mapped_memory import MappedMemory
from spikeport.toolchain.training.runs.run_folder import RunFolder
from spikeport.toolchain.training.runs.run_options import RunOptions
from spikeport.toolchain.training.runs.seeded_episodes import SeededEpisodes


class EvaluateAndCheckpoint(BaseCallback):
    """Evaluates when it is due, and writes a checkpoint when it is due and an episode is over."""

    def __init__(
        self, plan: TrainingPlan, options: RunOptions, folder: RunFolder, env: SeededEpisodes
    ) -> None:
        super().__init__()
        self.plan = plan
        self.options = options
        self.folder = folder
        self.env = env
        self.episode_over = False

    def _on_training_start(self) -> None:
        self.written = self.model.num_timesteps
        self.seen = self.written

    def _on_step(self) -> bool:
        self.episode_over = bool(self.locals["dones"][0])
        self.options.progress(1)
        return True

    def _on_rollout_start(self) -> None:
        self._between_steps()

    def _on_training_end(self) -> None:
        self._between_steps()

    def _between_steps(self) -> None:
        steps = self.model.num_timesteps
        if steps == self.seen:
            return
        self.seen = steps
        if steps % self.options.evaluate_every == 0:
            self._evaluate(steps)
        if self.episode_over and steps - self.written >= self.options.checkpoint_every:
            self._write_checkpoint()
            self.written = steps

    def _evaluate(self, steps: int) -> None:
        method = trainer_of(self.plan)
        record = method.evaluate(
            self.model, self.plan.environment, self.options.evaluation_episodes
        )
        if self.folder.is_best(record["mean"]):
            write_atomically(
                self.folder.best, lambda temporary: method.deploy(self.model, temporary)
            )
        self.folder.add_evaluation(record)
        self.logger.record("evaluation/mean_return", record["mean"])
        self.logger.dump(steps)

    def _write_checkpoint(self) -> None:
        memory = self.model.replay_buffer  # type: ignore[attr-defined]
        assert isinstance(memory, MappedMemory)
        memory.flush()
        # Stable-Baselines3 has reset the environment already: the episode that runs is the one
        # before the next.
        episode = self.env.next_episode - 1
        write_checkpoint(
            self.folder.checkpoint, self.model, self.plan.to_json(), episode, memory.rows
        )
