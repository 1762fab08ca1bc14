"""The spiking actor network of Xu et al. 2025 (arXiv 2505.24161).

It is a population encoder, spiking layers, and a rate decoder:

    z = tanh(x);  encoder spikes;  linear + spiking layers;  y = decoder_weight . counts / T +
        decoder_bias;  tanh(y)

Parameter names are those of the published checkpoints, so that one reader serves both.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spikeport.toolchain.errors import violations
from spikeport.toolchain.training.layers.layer_kind import LayerKind
from spikeport.toolchain.training.layers.population_encoder import PopulationEncoder
from spikeport.toolchain.training.layers.scans import NEURONS
from spikeport.toolchain.training.layers.spiking_stack import spike_counts
from spikeport.toolchain.training.layers.surrogates import PAPER, Surrogate

TIMESTEPS = 5
POPULATION = 10
LONGEST = 1024  # timesteps; a guard against a misplaced digit, as memory grows with them


class SpikingLayers(nn.Module):
    """The weights of the spiking layers, under the published names."""

    def __init__(self, inputs: int, hidden: Sequence[int], outputs: int) -> None:
        super().__init__()
        widths = (inputs, *hidden)
        self.hidden_layers = nn.ModuleList(
            nn.Linear(before, after) for before, after in zip(widths, widths[1:], strict=False)
        )
        self.out_pop_layer = nn.Linear(widths[-1], outputs)


class RateDecoder(nn.Module):
    """Rates [n, act * P] -> outputs [n, act]; each action reads its own P neurons."""

    def __init__(self, actions: int, population: int) -> None:
        super().__init__()
        self.decoder = nn.Conv1d(actions, actions, population, groups=actions)

    def forward(self, rates: Tensor) -> Tensor:
        """Outputs [n, act]."""
        weight = self.decoder.weight[:, 0]
        bias = self.decoder.bias
        assert bias is not None  # Conv1d's default
        return (rates.view(len(rates), *weight.shape) * weight).sum(2) + bias


class SpikingNetwork(nn.Module):
    """Observations [n, features] -> actions [n, act] in (-1, 1)."""

    def __init__(
        self,
        features: int,
        actions: int,
        hidden: Sequence[int] = (256, 256),
        neuron: str = "lif",
        timesteps: int = TIMESTEPS,
        population: int = POPULATION,
        surrogate: Surrogate = PAPER,
    ) -> None:
        """Make a network with starting weights of PyTorch.

        Args:
            features: Per observation.
            actions: Per decision.
            hidden: Widths of the hidden layers.
            neuron: A name in NEURONS.
            timesteps: T per decision.
            population: P neurons per feature, and per action.
            surrogate: The derivative of spikes.

        Raises:
            InputError: For choices that cannot be used, all of them at once.
        """
        super().__init__()
        problems = []
        if neuron not in NEURONS:
            problems.append(f"neuron is {neuron!r}, known are {', '.join(NEURONS)}")
        if not isinstance(timesteps, int) or not 1 <= timesteps <= LONGEST:
            problems.append(f"timesteps is {timesteps}, a whole number 1..{LONGEST} expected")
        if not isinstance(population, int) or population < 1:
            problems.append(f"population is {population}, a whole number of at least 1 expected")
        whole = all(isinstance(width, int) and width >= 1 for width in hidden)
        if not hidden or not whole:
            problems.append(
                f"hidden layers {list(hidden)}, at least one of at least one neuron expected"
            )
        if not isinstance(surrogate, Surrogate):
            problems.append(f"surrogate is {surrogate!r}, an instance such as Arctan(2.0) expected")
        if problems:
            raise violations(
                "spiking network",
                problems,
                fix="the defaults: lif, 5 timesteps, population 10, hidden layers [256, 256]",
            )
        self.timesteps = timesteps
        self.kind = LayerKind(neuron, surrogate)
        self.encoder = PopulationEncoder(features, population)
        self.snn = SpikingLayers(features * population, hidden, actions * population)
        self.decoder = RateDecoder(actions, population)

    def forward(self, observations: Tensor) -> Tensor:
        """Actions [n, act] in (-1, 1)."""
        return torch.tanh(self.decoder(self.counts(observations) / self.timesteps))

    def counts(self, observations: Tensor) -> Tensor:
        """Spike counts [n, act * P] of the last layer."""
        activations = self.encoder(torch.tanh(observations))
        layers = [*self.snn.hidden_layers, self.snn.out_pop_layer]
        parameters = [parameter for layer in layers for parameter in (layer.weight, layer.bias)]
        return spike_counts(activations, self.timesteps, self.kind, *parameters)
