"""Minibatch distillation of a fake-quantised network: the loss, the optimiser, the schedule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from spikeport.toolchain.conversion.calibration.signal_statistics import action_chords
from spikeport.toolchain.conversion.distillation.fake_quantised import FakeQuantised
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.quantization.rounding import Float

BATCH = 256
WEIGHT_RATE = 1e-3  # of the largest integer, per step
OTHER_RATE = 1e-3  # of biases in their spread, and of scales and units in the logarithm
CHORD = 0.03  # share of the pre-activation term
REPORT = 100  # steps


def train(
    student: FakeQuantised,
    policy: Policy,
    inputs: Float,
    steps: int,
    seed: int,
    rates: tuple[float, float] = (1.0, 0.0),
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Distil a policy.

    The loss is the squared error of the action in half ranges, and a small part of the same error
    without the squash's saturation, which keeps a gradient where the action's is zero.

    Args:
        student: Learns.
        policy: Gives the actions to learn.
        inputs: Network inputs [N, features].
        steps: Minibatches.
        seed: Of their order.
        rates: The learning rate falls on a cosine from the first to the second share of its full
            height.
        progress: Is called with the number of steps since its last call.
    """
    torch = student.torch
    generator = np.random.default_rng(seed)
    wanted = np.asarray(policy.forward(inputs)[-1], np.float64)
    x = torch.tensor(inputs, dtype=torch.float32)
    y = torch.tensor(wanted, dtype=torch.float32)
    chords = torch.tensor(action_chords(policy, wanted), dtype=torch.float32)
    actions = squashed(student, policy, y)
    optimiser = torch.optim.Adam(
        [
            {"params": student.weights, "rate": WEIGHT_RATE * student.limit},
            {"params": [*student.biases, *student.row_scales, *student.units], "rate": OTHER_RATE},
        ],
        lr=0.0,
    )
    order = generator.permutation(len(x))
    position = 0
    for step in range(steps):
        if position + BATCH > len(order):
            order = generator.permutation(len(x))
            position = 0
        chosen = torch.from_numpy(order[position : position + BATCH])
        position += BATCH
        factor = rates[1] + (rates[0] - rates[1]) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = factor * group["rate"]
        outputs = student.outputs(x[chosen])
        loss = ((squashed(student, policy, outputs) - actions[chosen]) ** 2).sum(1).mean()
        loss = loss + CHORD * (((outputs - y[chosen]) * chords[chosen]) ** 2).sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % REPORT == REPORT - 1:
            progress(REPORT)


def squashed(student: FakeQuantised, policy: Policy, outputs: Any) -> Any:
    """The action contract in torch, in units of half the action's range."""
    torch = student.torch
    action = policy.action
    half = action.range / 2

    def tensor(values: Float) -> Any:
        return torch.tensor(np.asarray(values), dtype=torch.float32)

    if action.squash == "tanh":
        outputs = torch.tanh(outputs)
    values = outputs * tensor(action.scale / half) + tensor(action.offset / half)
    if action.low is None or action.high is None:
        return values
    return torch.clamp(values, tensor(action.low / half), tensor(action.high / half))
