"""The spiking actor's network forward and back without autograd's graph, on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from spikeport.toolchain.training.layers import population_encoder, spike_layers
from spikeport.toolchain.training.layers.layer_kind import KeptLayer
from spikeport.toolchain.training.layers.trainable_network import SpikingNetwork


class SpikingPasses:
    """A SpikingNetwork forward and, for the last pass that was kept, back.

    `gradients` lie beside `parameters`.
    """

    def __init__(self, network: SpikingNetwork) -> None:
        layers = [*network.snn.hidden_layers, network.snn.out_pop_layer]
        self.network = network
        self.parameters = list(network.parameters())
        self.gradients = [torch.empty_like(parameter) for parameter in self.parameters]
        place = {
            id(parameter): gradient
            for parameter, gradient in zip(self.parameters, self.gradients, strict=True)
        }
        self.layers = [part.detach() for layer in layers for part in (layer.weight, layer.bias)]
        self.d_layers = [place[id(part)] for layer in layers for part in (layer.weight, layer.bias)]
        encoder = network.encoder
        decoder = network.decoder.decoder
        assert decoder.bias is not None  # Conv1d's default
        self.mean, self.std, self.weight, self.bias = (
            part.detach()
            for part in (encoder.mean, encoder.std, decoder.weight[:, 0], decoder.bias)
        )
        self.d_mean, self.d_std, self.d_weight, self.d_bias = (
            place[id(part)] for part in (encoder.mean, encoder.std, decoder.weight, decoder.bias)
        )
        self.kept: list[Tensor] = []
        self.memory = spike_layers.KeptMemory()

    @torch.no_grad()
    def forward(self, observations: Tensor, keep: bool) -> Tensor:
        """Observations [n, features] -> actions [n, act] in (-1, 1)."""
        network = self.network
        activations, distances = population_encoder.activations(
            torch.tanh(observations.to(self.mean.dtype)), self.mean, self.std
        )
        counts, kept = spike_layers.forward(
            activations.flatten(1),
            network.timesteps,
            network.kind.neuron,
            self.layers,
            keep,
            self.memory,
        )
        rates = counts.div_(network.timesteps).view(len(counts), *self.weight.shape)
        actions = (rates * self.weight).sum(2).add_(self.bias).tanh_()
        if keep:
            self.kept = kept
            self.activations = activations
            self.distances = distances
            self.rates = rates
            self.actions = actions
        return actions

    @torch.no_grad()
    def backward(self, gradient: Tensor) -> None:
        """The gradient [n, act] of the actions that were kept -> `gradients`."""
        d_y = torch.addcmul(gradient, gradient, self.actions.square(), value=-1)
        torch.sum(d_y, 0, out=self.d_bias)
        torch.sum(d_y[:, :, None] * self.rates, 0, keepdim=True, out=self.d_weight.transpose(0, 1))
        d_spikes = (d_y[:, :, None] * self.weight.div(self.network.timesteps)).flatten(1)[None]
        for layer in range(len(self.layers) - 2, -1, -2):
            d_spikes, *_ = spike_layers.backward(
                d_spikes,
                self.network.timesteps,
                self.network.kind,
                KeptLayer(*self.layers[layer : layer + 2], *self.kept[layer : layer + 2]),
                layer == 0,
                into=(self.d_layers[layer], self.d_layers[layer + 1]),
                memory=self.memory,
            )
        d_mean, d_std = population_encoder.gradients(
            d_spikes.view_as(self.distances), self.activations, self.distances, self.std
        )
        self.d_mean.copy_(d_mean)
        self.d_std.copy_(d_std)
        self.kept = []
