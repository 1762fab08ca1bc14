"""Training's spiking networks against the plain formulation: actions, every gradient, both implementations of the scan."""

from __future__ import annotations

import pytest
import torch

from benchmarks.eager_spiking import eager_actions
from toolchain.errors import InputError
from toolchain.training import scans
from toolchain.training.spiking_network import SpikingNetwork
from toolchain.training.surrogates import SURROGATES, Arctan, FastSigmoid, Gaussian, Rectangle, Surrogate

FEATURES, ACTIONS, ROWS = 4, 2, 40
CASES = [(neuron, kind()) for neuron in scans.NEURONS for kind in SURROGATES.values()]


def network(neuron: str, surrogate: Surrogate, dtype: torch.dtype, timesteps: int = 5, bfloat16: bool = False) -> SpikingNetwork:
    """Weights large enough that every layer spikes."""
    torch.manual_seed(3)
    made = SpikingNetwork(FEATURES, ACTIONS, (24, 16), neuron, timesteps, 6, surrogate, bfloat16)
    with torch.no_grad():
        for name, parameter in made.snn.named_parameters():
            parameter.mul_(3.0 if name.endswith("weight") else 1.5)
    return made.to(dtype)


def gradients(made: SpikingNetwork, observations: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    actions = made(observations)
    (actions * weights).sum().backward()
    return actions.detach(), {name: parameter.grad for name, parameter in made.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("dtype, close", [(torch.float64, 1e-12), (torch.float32, 2e-5)])
@pytest.mark.parametrize(("neuron", "surrogate"), CASES, ids=lambda case: getattr(case, "name", case))
def test_actions_and_gradients_are_the_eager_ones(neuron: str, surrogate: Surrogate, dtype: torch.dtype, close: float) -> None:
    made = network(neuron, surrogate, dtype)
    generator = torch.Generator().manual_seed(5)
    observations, weights = torch.randn(ROWS, FEATURES, generator=generator).to(dtype), torch.randn(ROWS, ACTIONS, generator=generator).to(dtype)
    parameters = {name: value.detach().clone().requires_grad_() for name, value in made.named_parameters()}
    expected = eager_actions(parameters, observations, neuron, derivative=surrogate.derivative)
    (expected * weights).sum().backward()
    actions, found = gradients(made, observations, weights)
    rate = made.counts(observations).mean() / made.timesteps
    assert 0.02 < rate < 0.98
    torch.testing.assert_close(actions, expected.detach(), rtol=0, atol=close)
    assert found.keys() == parameters.keys()
    for name, parameter in parameters.items():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
        scale = float(parameter.grad.abs().max())
        torch.testing.assert_close(found[name] / scale, parameter.grad / scale, rtol=0, atol=close, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("timesteps", [1, 2, 7])
@pytest.mark.parametrize("neuron", scans.NEURONS)
def test_other_devices_take_the_same_scan(neuron: str, timesteps: int) -> None:
    generator = torch.Generator().manual_seed(1)
    drive, bias, gradient = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((timesteps, 9, 5), (5,), (timesteps, 9, 5)))
    voltage = scans.torch_voltages(drive + bias, neuron)
    torch.testing.assert_close(scans.forward(drive, bias, neuron), (voltage > scans.THRESHOLD).double())
    for surrogate in (Rectangle(0.7), Arctan(3.0)):
        for wanted in (gradient, gradient[:1]):  # one timestep stands for all
            result, total = scans.backward(wanted, drive, bias, neuron, surrogate)
            expected = scans.torch_backward(wanted, voltage, neuron, surrogate.derivative(voltage - scans.THRESHOLD))
            torch.testing.assert_close(result, expected)
            torch.testing.assert_close(total, expected.sum((0, 1)))


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("neuron", scans.NEURONS)
def test_spikes_do_not_depend_on_whether_a_gradient_is_wanted(neuron: str, bfloat16: bool) -> None:
    """Without one, spikes overwrite their drives."""
    made, observations = network(neuron, Rectangle(), torch.float32, bfloat16=bfloat16), torch.randn(400, FEATURES)
    counts = made.counts(observations)
    with torch.no_grad():
        assert counts.sum() > 0 and torch.equal(made.counts(observations), counts)


@pytest.mark.parametrize("neuron", scans.NEURONS)
def test_bfloat16_rounds_weights_and_keeps_spikes(neuron: str) -> None:
    """Where the weights are bfloat16 numbers already, only the drives' rounding is left."""
    exact, rounded = (network(neuron, Rectangle(), torch.float32, bfloat16=flag) for flag in (False, True))
    with torch.no_grad():
        for made in (exact, rounded):
            for parameter in made.snn.parameters():
                parameter.copy_(parameter.bfloat16())
    observations, weights = torch.randn(400, FEATURES), torch.randn(400, ACTIONS)
    (ours, ours_gradients), (theirs, their_gradients) = gradients(rounded, observations, weights), gradients(exact, observations, weights)
    assert ((ours - theirs).abs().max(1).values < 1e-6).float().mean() > 0.6  # most decisions: not one spike differs
    assert (ours - theirs).abs().mean() < 0.02
    for name, gradient in their_gradients.items():
        assert torch.nn.functional.cosine_similarity(ours_gradients[name].flatten(), gradient.flatten(), 0) > 0.9, name


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
def test_surrogates_are_their_formulas(surrogate: Surrogate, at_zero: float, at_half: float) -> None:
    x = torch.tensor([0.0, 0.5, -0.5], dtype=torch.float64)
    given = x.clone()
    torch.testing.assert_close(surrogate.derivative(x), torch.tensor([at_zero, at_half, at_half], dtype=torch.float64))
    assert torch.equal(x, given)
    if not isinstance(surrogate, FastSigmoid):  # the others are densities
        grid = torch.linspace(-2000, 2000, 4_000_001, dtype=torch.float64)
        assert float(surrogate.derivative(grid).sum() * 1e-3) == pytest.approx(1.0, abs=2e-3)


def test_a_steeper_surrogate_is_narrower() -> None:
    for kind in SURROGATES.values():
        flat, steep = kind().steepened(1.0), kind().steepened(50.0)
        x = torch.tensor([0.2])
        assert steep.derivative(x) / steep.derivative(torch.zeros(1)) < flat.derivative(x) / flat.derivative(torch.zeros(1))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Rectangle(0.0), r"surrogate: the width of rectangle must be a positive number \(got 0.0\)"),
        (lambda: FastSigmoid(float("nan")), "the slope of fast-sigmoid must be a positive number"),
        (lambda: SpikingNetwork(3, 1, (8,), "izhikevich"), "neuron is 'izhikevich', known are lif, clif, dn"),
        (lambda: SpikingNetwork(3, 1, (), "lif", 0, 0), "3 problems: timesteps is 0, 1..1024 expected; population is 0, at least 1 expected; hidden layers"),
    ],
)
def test_what_cannot_be_built_is_said(make, said: str) -> None:  # noqa: ANN001
    with pytest.raises(InputError, match=said):
        make()


def test_types_that_the_scans_cannot_take_are_refused() -> None:
    for dtype, got in ((torch.bfloat16, "bfloat16, limit float32 or float64"), (torch.float64, "float64, bfloat16 products, limit float32")):
        made = SpikingNetwork(3, 1, (8,), bfloat16=dtype == torch.float64).to(dtype)
        with pytest.raises(InputError, match=rf"spiking network: its parameters have a type that the scans cannot take \(got {got}\)"):
            made(torch.zeros(2, 3, dtype=dtype))
