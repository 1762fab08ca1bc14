"""Time one proxy-target training step against the plain formulation of the same mathematics, side by side.

    python benchmarks/training.py [--threads 1] [--steps 60] [--json]

Batch 256, HalfCheetah's shapes, K = 3. A step is: three proxy minibatches, the critics, and every second time the actor; an
even number of steps is timed, sampling from the replay buffer included. The two take turns, so that a busy machine slows both;
the ratio is the median over pairs of steps, with its quartiles. With one thread the clock is the process's CPU time, which other
processes disturb less; with more it is the wall's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import gymnasium  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from benchmarks.eager_spiking import EagerProxyTarget  # noqa: E402
from toolchain.training.algorithms import ProxyTargetTD3  # noqa: E402
from toolchain.training.hyperparameters import proxy_hyperparameters  # noqa: E402

FEATURES, ACTIONS, BATCH, ITERATIONS = 17, 6, 256, 3
ROWS = 20_000  # of the replay buffer


class Shapes(gymnasium.Env):
    """HalfCheetah's spaces and nothing else."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (FEATURES,), np.float64)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTIONS,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return np.zeros(FEATURES), {}


def models(neuron: str, bfloat16: bool) -> tuple[ProxyTargetTD3, EagerProxyTarget]:
    """Ours with a filled replay buffer, and the eager one with the same actor."""
    from stable_baselines3.common.logger import Logger

    torch.manual_seed(0)
    ours = ProxyTargetTD3("MlpPolicy", Shapes(), device="cpu", buffer_size=ROWS, policy_kwargs={"neuron": neuron, "bfloat16": bfloat16})
    ours.set_logger(Logger(None, []))
    ours._current_progress_remaining = 1.0
    fill(ours)
    proxy = proxy_hyperparameters(neuron)
    return ours, EagerProxyTarget(FEATURES, ACTIONS, dict(ours.actor.mu.named_parameters()), neuron, proxy.hidden, proxy.learning_rate)


def fill(model: Any) -> None:
    """The replay buffer with numbers of a policy's size."""
    generator, buffer = np.random.default_rng(0), model.replay_buffer
    buffer.observations[:] = generator.normal(size=buffer.observations.shape)
    buffer.next_observations[:] = generator.normal(size=buffer.observations.shape)
    buffer.actions[:] = generator.uniform(-1, 1, buffer.actions.shape)
    buffer.rewards[:] = generator.normal(size=buffer.rewards.shape)
    buffer.full = True


def measure(steps: int, neuron: str = "lif", bfloat16: bool = False) -> dict[str, float]:
    """Milliseconds per training step of both, and how often ours fits into the eager one."""
    ours, eager = models(neuron, bfloat16)
    buffer = ours.replay_buffer
    assert buffer is not None

    def plain() -> None:
        samples = [buffer.sample(BATCH) for _ in range(ITERATIONS)]
        eager.step([(s.observations.float(), s.actions, s.next_observations.float(), s.rewards, s.dones) for s in samples])

    def fused() -> None:
        ours.train(1, BATCH)

    for step in (plain, fused):
        _pair(step)
    pairs = np.array([[_pair(plain), _pair(fused)] for _ in range(max(steps // 2, 4))])
    ratios = pairs[:, 0] / pairs[:, 1]
    eager_ms, fused_ms = 1e3 * np.median(pairs, axis=0) / 2
    low, high = np.quantile(ratios, (0.25, 0.75))
    return {"eager_ms": float(eager_ms), "fused_ms": float(fused_ms), "ratio": float(np.median(ratios)), "ratio_low": float(low), "ratio_high": float(high)}


def _pair(step: Callable[[], None]) -> float:
    """Seconds of two steps: one with the actor's update, one without."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    step()
    step()
    return clock() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = {}
    for neuron in ("lif", "clif", "dn"):
        for bfloat16 in (False, True):
            found[f"{neuron} {'bfloat16' if bfloat16 else 'float32'}"] = row = measure(arguments.steps, neuron, bfloat16)
            if not arguments.json:
                name = f"{neuron} {'bfloat16' if bfloat16 else 'float32'}"
                spread = f"{row['ratio']:.2f} ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})"
                print(f"{name:<14} eager {row['eager_ms']:6.1f} ms  fused {row['fused_ms']:6.1f} ms  ratio {spread}", flush=True)
    if arguments.json:
        print(json.dumps({"threads": arguments.threads, "rows": found}))


if __name__ == "__main__":
    main()
