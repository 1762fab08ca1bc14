"""Training's spiking networks against the plain formulation.

Actions, every gradient, both implementations of the scan.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.eager_spiking import eager_actions
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.training.layers import scans, spike_layers
from spikeport.toolchain.training.layers.layer_kind import KeptLayer, LayerKind
from spikeport.toolchain.training.layers.spiking_stack import spike_counts
from spikeport.toolchain.training.layers.surrogates import (
    SURROGATES,
    Arctan,
    FastSigmoid,
    Gaussian,
    Rectangle,
    Surrogate,
)
from spikeport.toolchain.training.layers.trainable_network import SpikingNetwork

FEATURES = 4
ACTIONS = 2
ROWS = 40
CASES = [(neuron, kind()) for neuron in scans.NEURONS for kind in SURROGATES.values()]


def network(
    neuron: str, surrogate: Surrogate, dtype: torch.dtype, timesteps: int = 5
) -> SpikingNetwork:
    """Weights large enough that every layer spikes."""
    torch.manual_seed(3)
    made = SpikingNetwork(FEATURES, ACTIONS, (24, 16), neuron, timesteps, 6, surrogate)
    with torch.no_grad():
        for name, parameter in made.snn.named_parameters():
            parameter.mul_(3.0 if name.endswith("weight") else 1.5)
    return made.to(dtype)


def gradients(
    made: SpikingNetwork, observations: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    actions = made(observations)
    (actions * weights).sum().backward()
    return actions.detach(), {
        name: parameter.grad
        for name, parameter in made.named_parameters()
        if parameter.grad is not None
    }


@pytest.mark.parametrize("neuron", scans.NEURONS)
def test_spiking_layers_do_not_depend_on_the_number_of_threads(neuron: str) -> None:
    """To the last bit, with more threads than blocks of neurons, too."""
    generator = torch.Generator().manual_seed(5)
    found = []
    before = torch.get_num_threads()
    activations = torch.rand((ROWS, 37), generator=generator)
    gradient = torch.randn((1, ROWS, 50), generator=generator)
    weight = torch.randn((50, 37), generator=generator)
    bias = torch.randn(50, generator=generator)
    for count in (1, 2, 3, 7):
        torch.set_num_threads(count)
        try:
            counts, kept = spike_layers.forward(activations, 5, neuron, (weight, bias), keep=True)
            fleeting, _ = spike_layers.forward(activations, 5, neuron, (weight, bias), keep=False)
            _, *gradients = spike_layers.backward(
                gradient, 5, LayerKind(neuron), KeptLayer(weight, bias, *kept), first=True
            )
        finally:
            torch.set_num_threads(before)
        found.append([counts, fleeting, *gradients])
    assert 0 < found[0][0].mean() < 5 and torch.equal(found[0][0], found[0][1])
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))


@pytest.mark.parametrize("dtype, close", [(torch.float64, 1e-12), (torch.float32, 2e-5)])
@pytest.mark.parametrize(
    ("neuron", "surrogate"), CASES, ids=lambda case: getattr(case, "name", case)
)
def test_actions_and_gradients_are_the_eager_ones(
    neuron: str, surrogate: Surrogate, dtype: torch.dtype, close: float
) -> None:
    made = network(neuron, surrogate, dtype)
    generator = torch.Generator().manual_seed(5)
    observations = torch.randn(ROWS, FEATURES, generator=generator).to(dtype)
    weights = torch.randn(ROWS, ACTIONS, generator=generator).to(dtype)
    parameters = {
        name: value.detach().clone().requires_grad_() for name, value in made.named_parameters()
    }
    parameters["observations"] = (
        observations.clone().requires_grad_()
    )  # a features extractor may lie before
    expected = eager_actions(
        parameters, parameters["observations"], neuron, derivative=surrogate.derivative
    )
    (expected * weights).sum().backward()
    actions, found = gradients(made, observations.requires_grad_(), weights)
    assert observations.grad is not None
    found["observations"] = observations.grad
    rate = made.counts(observations).mean() / made.timesteps
    assert 0.02 < rate < 0.98
    torch.testing.assert_close(actions, expected.detach(), rtol=0, atol=close)
    assert found.keys() == parameters.keys()
    for name, parameter in parameters.items():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
        scale = float(parameter.grad.abs().max())
        torch.testing.assert_close(
            found[name] / scale,
            parameter.grad / scale,
            rtol=0,
            atol=close,
            msg=lambda text, name=name: f"{name}: {text}",
        )


@pytest.mark.parametrize("neuron", scans.NEURONS)
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=4),
    st.integers(1, 9),
    st.integers(1, 7),
    st.sampled_from([Rectangle(0.7), Arctan(3.0)]),
    st.integers(0, 99),
)
def test_layers_by_table_are_layers_by_product(
    neuron: str, widths: list[int], rows: int, timesteps: int, surrogate: Surrogate, seed: int
) -> None:
    """The CPU's layers against those of other devices, at widths and numbers of rows that fill no
    group and no block.
    """
    generator = torch.Generator().manual_seed(seed)
    shapes = [
        shape
        for before, after in zip(widths, widths[1:], strict=False)
        for shape in ((after, before), (after,))
    ]
    parameters = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    activations = torch.rand((rows, widths[0]), generator=generator, dtype=torch.float64)
    counts, kept = spike_layers.forward(activations, timesteps, neuron, parameters, keep=True)
    expected, their_kept = scans.forward(activations, timesteps, neuron, parameters, keep=True)
    assert torch.equal(counts, expected) and torch.equal(
        counts, spike_layers.forward(activations, timesteps, neuron, parameters, keep=False)[0]
    )
    gradient = torch.randn((1, rows, widths[-1]), generator=generator, dtype=torch.float64)
    for layer in range(len(parameters) - 2, -1, -2):
        its = parameters[layer : layer + 2]
        first = layer == 0
        mine, theirs = (
            module.backward(
                gradient,
                timesteps,
                LayerKind(neuron, surrogate),
                KeptLayer(*its, *found[layer : layer + 2]),
                first,
            )
            for module, found in ((spike_layers, kept), (scans, their_kept))
        )
        for found, wanted in zip(mine, theirs, strict=True):
            torch.testing.assert_close(found, wanted)
        gradient = theirs[0]


@pytest.mark.parametrize(
    ("surrogate", "at_zero", "at_half"),
    [
        (Rectangle(0.5), 1.0, 0.0),
        (Rectangle(1.0), 0.5, 0.5),
        (FastSigmoid(4.0), 1.0, 1 / 9),
        (Arctan(2.0), 1.0, 1 / (1 + torch.pi**2 / 4)),
        (Gaussian(0.5), 0.7978845608, 0.7978845608 * 0.6065306597),
    ],
    ids=str,
)
def test_surrogates_are_their_formulas(
    surrogate: Surrogate, at_zero: float, at_half: float
) -> None:
    x = torch.tensor([0.0, 0.5, -0.5], dtype=torch.float64)
    given = x.clone()
    torch.testing.assert_close(
        surrogate.derivative(x), torch.tensor([at_zero, at_half, at_half], dtype=torch.float64)
    )
    assert torch.equal(x, given)
    if not isinstance(surrogate, FastSigmoid):  # the others are densities
        grid = torch.linspace(-2000, 2000, 4_000_001, dtype=torch.float64)
        assert float(surrogate.derivative(grid).sum() * 1e-3) == pytest.approx(1.0, abs=2e-3)


def test_a_steeper_surrogate_is_narrower() -> None:
    for kind in SURROGATES.values():
        flat = kind().steepened(1.0)
        steep = kind().steepened(50.0)
        x = torch.tensor([0.2])
        assert steep.derivative(x) / steep.derivative(torch.zeros(1)) < flat.derivative(
            x
        ) / flat.derivative(torch.zeros(1))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: Rectangle(0.0),
            r"surrogate: the width of rectangle must be a positive number \(got 0.0\)",
        ),
        (lambda: FastSigmoid(float("nan")), "the slope of fast-sigmoid must be a positive number"),
        (
            lambda: SpikingNetwork(3, 1, (8,), "izhikevich"),
            "neuron is 'izhikevich', known are lif, clif, dn",
        ),
        (
            lambda: SpikingNetwork(3, 1, (), "lif", 0, 0),
            (
                "3 problems: timesteps is 0, a whole number 1..1024 expected; population is 0, .*;"
                " hidden layers"
            ),
        ),
    ],
)
def test_what_cannot_be_built_is_said(make, said: str) -> None:  # noqa: ANN001
    with pytest.raises(InputError, match=said):
        make()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda net: net.snn.hidden_layers[1].double(),
            "layer 1: torch.float64 on cpu and torch.float64 on cpu, torch.float32 on cpu expected",
        ),
        (
            lambda net: net.snn.hidden_layers.__setitem__(1, torch.nn.Linear(9, 16)),
            r"layer 1: weight \[16, 9\] and bias \[16\], \[neurons, 24\] and",
        ),
        (
            lambda net: None,
            (
                r"layer 0: weight \[24, 24\] and bias \[24\], \[neurons, 18\] and \[neurons\]"
                r" expected. .*Fix: layers that fit"
            ),
        ),
    ],
)
def test_layers_that_do_not_fit_are_refused(
    change: Callable[[SpikingNetwork], None], said: str
) -> None:
    """Compiled code would read beyond its memory."""
    made = network("lif", Rectangle(), torch.float32)
    change(made)
    activations = torch.rand(3, 18 if "18" in said else 24)
    timesteps = made.timesteps
    layers = [*made.snn.hidden_layers, made.snn.out_pop_layer]
    with pytest.raises(InputError, match=said):
        spike_counts(
            activations,
            timesteps,
            made.kind,
            *(part for layer in layers for part in (layer.weight, layer.bias)),
        )


def test_types_that_the_scans_cannot_take_are_refused() -> None:
    said = (
        r"spiking network: its parameters have a type that the scans cannot take \(got bfloat16,"
        r" limit float32 or float64\)"
    )
    with pytest.raises(InputError, match=said):
        SpikingNetwork(3, 1, (8,)).bfloat16()(torch.zeros(2, 3, dtype=torch.bfloat16))
