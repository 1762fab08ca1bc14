"""Adam's step in one compiled call, for parameters and gradients that stay where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from spikeport.toolchain.training.layers import dense_kernels
from spikeport.toolchain.training.layers.spike_layers import array
from spikeport.toolchain.training.layers.threads import threads

STATE = ("step", "exp_avg", "exp_avg_sq")
OTHERWISE = (
    "amsgrad",
    "maximize",
    "weight_decay",
    "capturable",
    "differentiable",
    "decoupled_weight_decay",
)


class SteadyAdam:
    """Takes the steps of a torch.optim.Adam whose gradients are always in the same tensors.

    Its numbers are torch's but for roundings. What takes most of torch's own step for networks of
    this size is not arithmetic. The state is the optimiser's, so that it is saved and loaded as
    ever; an optimiser with other options than learning rate, betas and eps, or with hooks, steps by
    itself.
    """

    def __init__(
        self, optimiser: Any, parameters: Sequence[Tensor], gradients: Sequence[Tensor]
    ) -> None:
        self.optimiser = optimiser
        self.parameters = list(parameters)
        self.gradients = gradients
        self.held: list[Tensor] = []
        self.steps: list[Any] = []
        self.arrays: list[tuple[Any, ...]] = []

    def step(self) -> None:
        """Take one step; the first one is torch's, which makes the state."""
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient
        states = [self.optimiser.state.get(parameter, {}) for parameter in self.parameters]
        if not all(states) or not self._plain(states):
            self.optimiser.step()
            return
        held = [state[name] for state in states for name in STATE]
        if len(self.held) != len(held) or any(
            mine is not its for mine, its in zip(self.held, held, strict=True)
        ):
            self._take(states, held)
        group = self.optimiser.param_groups[0]
        number = self.arrays[0][0].dtype.type
        for taken in self.steps:
            taken += 1
        first, second = group["betas"]
        count = float(self.steps[0])
        rate = group["lr"] / (1 - first**count)
        root = (1 - second**count) ** 0.5
        numbers = tuple(map(number, (1 - first, second, 1 - second, rate, 1 / root, group["eps"])))
        dense_kernels.adam(threads(), *self.arrays, *numbers)

    def _take(self, states: list[dict[str, Tensor]], held: list[Tensor]) -> None:
        self.held = held
        self.steps = [array(state["step"]) for state in states]
        means, squares = ([state[name] for state in states] for name in STATE[1:])
        self.arrays = [
            tuple(array(part.view(-1)) for part in parts)
            for parts in (self.parameters, self.gradients, means, squares)
        ]

    def _plain(self, states: list[dict[str, Tensor]]) -> bool:
        """Whether the optimiser does what this class does.

        It must have taken as many steps with each parameter, and its state have no gaps in memory.
        """
        optimiser = self.optimiser
        if any(
            not state["step"].equal(states[0]["step"]) or not state[name].is_contiguous()
            for state in states
            for name in STATE[1:]
            if name in state
        ):
            return False
        if (
            type(optimiser) is not torch.optim.Adam
            or len(optimiser.param_groups) != 1
            or len(optimiser.param_groups[0]["params"]) != len(self.parameters)
        ):
            return False
        group = optimiser.param_groups[0]
        hooks = (
            optimiser._optimizer_step_pre_hooks
            or optimiser._optimizer_step_post_hooks
            or "step" in vars(optimiser)
        )
        return (
            not hooks
            and not any(group.get(name) for name in OTHERWISE)
            and isinstance(group["lr"], float)
        )
