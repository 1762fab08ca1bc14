"""`SteadyAdam` takes the steps of Adam."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from spikeport.toolchain.training.layers.adam import SteadyAdam


@pytest.mark.parametrize(
    "options",
    [{}, {"betas": (0.8, 0.99), "eps": 1e-3}, {"weight_decay": 0.1}, {"amsgrad": True}],
    ids=str,
)
def test_steps_are_those_of_adam(options: dict[str, Any], two_threads: None) -> None:
    """A learning rate that changes, and a state that is loaded between."""
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in ((7, 3), (7,), (1,))]
    mine, theirs = ([torch.nn.Parameter(part.clone()) for part in start] for _ in range(2))
    gradients = [torch.empty_like(part) for part in start]
    ours, adam = (
        torch.optim.Adam(parameters, lr=0.01, fused=True, **options)
        for parameters in (mine, theirs)
    )
    steady = SteadyAdam(ours, mine, gradients)
    for index in range(9):
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = gradient.copy_(
                torch.randn(gradient.shape, generator=generator)
            ).clone()
        for optimiser in (ours, adam):
            optimiser.param_groups[0]["lr"] = 0.01 / (1 + index)
        if index == 5:
            ours.load_state_dict(copy.deepcopy(adam.state_dict()))
            for parameter, other in zip(mine, theirs, strict=True):
                parameter.data.copy_(other.data)
        steady.step()
        adam.step()
        for parameter, other in zip(mine, theirs, strict=True):
            torch.testing.assert_close(parameter, other)
    for parameter, other in zip(mine, theirs, strict=True):
        for name, value in ours.state[parameter].items():
            torch.testing.assert_close(value, adam.state[other][name])


def test_parameters_that_have_taken_fewer_steps_are_those_of_adam() -> None:
    """One was frozen for a while."""
    found = []
    for steady in (True, False):
        first, second = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
        adam = torch.optim.Adam([first, second], lr=0.1, fused=True)
        gradients = [torch.ones(2), torch.ones(2)]
        second.grad = gradients[1]
        for _ in range(5):
            adam.step()
        if steady:
            step = SteadyAdam(adam, [first, second], gradients).step
        else:
            step = adam.step
        first.grad = gradients[0]
        for _ in range(4):
            step()
        found.append([first.detach(), second.detach()])
    torch.testing.assert_close(*found)


def test_hooks_of_an_optimiser_are_called() -> None:
    parameter = torch.nn.Parameter(torch.zeros(3))
    called = list[int]()
    adam = torch.optim.Adam([parameter], fused=True)
    adam.register_step_post_hook(lambda *_: called.append(1))
    steady = SteadyAdam(adam, [parameter], [torch.ones(3)])
    for _ in range(3):
        steady.step()
    assert len(called) == 3
