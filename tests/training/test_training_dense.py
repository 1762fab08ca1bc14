"""ReLU networks in one autograd node.

Equal to torch's module by module, in float64, and with bfloat16 products where nothing is rounded.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spikeport.toolchain.training.layers.dense_stack import dense


def network(widths: Sequence[int], values: Sequence[float], dtype: torch.dtype) -> nn.Sequential:
    """Linear layers with ReLU between, parameters drawn from `values`."""
    layers: list[nn.Module] = []
    for before, after in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(before, after), nn.ReLU()]
    made = nn.Sequential(*layers[:-1]).to(dtype)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.tensor(values)[torch.randint(len(values), parameter.shape)])
    return made


def results(network: nn.Sequential, outputs: Tensor, x: Tensor, gradient: Tensor) -> list[Tensor]:
    return [outputs.detach(), *torch.autograd.grad(outputs, [x, *network.parameters()], gradient)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.integers(1, 7),
    st.integers(1, 80),
    st.integers(1, 5),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_whole_numbers_pass_exactly(
    hidden: list[int], rows: int, inputs: int, outputs: int, bfloat16: bool, seed: int
) -> None:
    """Weights -1, 0, 1 keep all sums that bfloat16 must hold below 2^8, so its rounding changes
    nothing.
    """
    torch.manual_seed(seed)
    made = network((inputs, *hidden, outputs), (-1.0, 0.0, 1.0), torch.float32)
    first = made[0]
    assert isinstance(first, nn.Linear)
    first.weight.data[:, 3:] = 0  # of many inputs, three count
    x = torch.randint(-1, 2, (rows, inputs)).float().requires_grad_()
    gradient = torch.randint(-1, 2, (rows, outputs)).float()
    for mine, theirs in zip(
        results(made, dense(made, x, bfloat16), x, gradient),
        results(made, made(x), x, gradient),
        strict=True,
    ):
        assert torch.equal(mine, theirs)


def test_bfloat16_products_round_as_torch_rounds_them() -> None:
    """The compiled way and torch's own operations with the same products.

    Apart by roundings, both near float32.
    """
    torch.manual_seed(0)
    made = network((17, 300, 300, 6), tuple(torch.randn(1000).mul(0.08).tolist()), torch.float32)
    x = torch.randn(256, 17, requires_grad=True)
    gradient = torch.randn(256, 6)
    first, _, second, _, last = made

    def plain(x: Tensor) -> Tensor:
        hidden = torch.relu(
            nn.functional.linear(
                torch.relu(first(x)).bfloat16(), second.weight.bfloat16(), second.bias.bfloat16()
            )
        )
        return last(hidden.float())

    exact, rounded, ours = (
        results(made, outputs, x, gradient) for outputs in (made(x), plain(x), dense(made, x, True))
    )
    for wanted, theirs, mine in zip(exact, rounded, ours, strict=True):
        error, theirs_error = ((value - wanted).norm() for value in (mine, theirs))
        assert error <= 1.2 * theirs_error + 1e-6 * wanted.norm()  # no worse than torch's
        assert error < 0.1 * wanted.norm()


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_network_that_does_not_learn_gets_no_gradient(bfloat16: bool) -> None:
    """An actor learns through a critic whose own parameters stay as they are."""
    made = network((5, 8, 8, 1), (-1.0, 1.0), torch.float32)
    x = torch.randn(4, 5, requires_grad=True)
    dense(made, x, bfloat16, learns=False).sum().backward()
    assert x.grad is not None and all(parameter.grad is None for parameter in made.parameters())
    (gradient,) = torch.autograd.grad(dense(made, x, bfloat16).sum(), [x])
    assert torch.equal(gradient, x.grad)


def test_nothing_is_rounded_where_no_product_lies_between_hidden_layers() -> None:
    made = network((5, 7, 2), (0.1, 0.3), torch.float32)
    x = torch.randn(4, 5)
    torch.testing.assert_close(dense(made, x, True), made(x))


def test_a_second_derivative_is_refused() -> None:
    """Not silently left out."""
    made = network((5, 8, 8, 1), (-1.0, 1.0), torch.float32)
    x = torch.randn(4, 5, requires_grad=True)
    (gradient,) = torch.autograd.grad(dense(made, x, True).pow(2).sum(), [x], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_float64_is_never_rounded() -> None:
    made = network((5, 7, 6, 2), (0.1, 0.3), torch.float64)
    x = torch.randn(4, 5, dtype=torch.float64)
    torch.testing.assert_close(dense(made, x, True), made(x))


def test_memory_ends_with_its_graph() -> None:
    """Without help from the collector of cycles."""
    made = network((5, 7, 2), (0.1, 0.3), torch.float32)
    found = list[weakref.ref[Any]]()
    gc.disable()
    try:
        for _ in range(3):
            y = dense(made, torch.randn(4, 5))
            assert y.grad_fn is not None
            found.append(weakref.ref(y.grad_fn.passes))  # type: ignore[attr-defined]
            y.sum().backward()
        del y
        assert [reference() for reference in found] == [None] * 3
    finally:
        gc.enable()


def test_other_networks_run_module_by_module() -> None:
    """A network that the node cannot hold; float64 stays float64."""
    odd = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x = torch.randn(2, 3)
    assert torch.equal(dense(odd, x, True), odd(x))
    wide = network((3, 4, 2), (0.25, 1.0), torch.float64)
    torch.testing.assert_close(dense(wide, x.double()), wide(x.double()))
