"""Spiking layers on the CPU: memory for the compiled kernels, layer after layer, forward and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from toolchain.spike_coding import ENCODER_THRESHOLD
from toolchain.training import scans, spiking_kernels
from toolchain.training.spiking_kernels import LANES, ROWS
from toolchain.training.surrogates import Rectangle

if TYPE_CHECKING:
    from toolchain.training.spiking_stack import LayerKind


def forward(activations: Tensor, timesteps: int, neuron: str, parameters: Sequence[Tensor], keep: bool) -> tuple[Tensor, list[Tensor]]:
    """As scans.forward; kept are, per layer, its inputs' spikes across [groups of rows, inputs] and its drives [blocks, rows, LANES] without bias."""
    n, inputs = activations.shape
    rows, number = _padded(timesteps * n), array(activations).dtype.type
    constants = scans.constants(neuron, number)
    patterns, across = _patterns(inputs, rows), _across(inputs, rows, keep)
    spiking_kernels.encode(array(activations.contiguous()), number(ENCODER_THRESHOLD), timesteps, array(patterns), array(across))
    kept = list[Tensor]()
    for layer, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        neurons, last = len(weight), 2 * layer + 2 == len(parameters)
        blocks = -(-neurons // LANES)
        drives = activations.new_empty((blocks if keep else 1, rows, LANES))
        spiking, their_across = _patterns(0 if last else neurons, rows), _across(0 if last else neurons, rows, keep)
        counts = activations.new_empty((n, neurons if last else 0))
        its = patterns[: -(-weight.shape[1] // ROWS)]
        arrays = [array(part) for part in (its, weight.contiguous(), bias)]
        spiking_kernels.layer_forward(*arrays, constants, timesteps, n, *(array(part) for part in (drives, spiking, their_across, counts)))
        if keep:
            kept += [across, drives]
        patterns, across = spiking, their_across
    return counts, kept


def backward(
    gradient: Tensor, timesteps: int, kind: LayerKind, weight: Tensor, bias: Tensor, across: Tensor, drives: Tensor, first: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """As scans.backward."""
    n, neurons = gradient.shape[1:]
    number, surrogate = array(bias).dtype.type, kind.surrogate
    constants, width = scans.constants(kind.neuron, number), number(surrogate.width if isinstance(surrogate, Rectangle) else 0)
    slopes = bias.new_empty((0, 0, 0))
    if not isinstance(surrogate, Rectangle):
        slopes = bias.new_empty((len(drives), timesteps, n * LANES))
        spiking_kernels.layer_voltages(array(drives), array(bias), constants, array(slopes))
        slopes = surrogate.derivative(slopes - scans.THRESHOLD)
    result, d_weight, d_bias = bias.new_empty((n if first else timesteps * n, neurons)), weight.new_empty(weight.shape), torch.empty_like(bias)
    arrays = [array(part) for part in (gradient.contiguous(), drives, bias, slopes)]
    spiking_kernels.layer_backward(*arrays, width, constants, timesteps, *(array(part) for part in (across, result, d_weight, d_bias)))
    below = result @ weight
    return below if first else below.view(timesteps, n, -1), d_weight, d_bias


def array(tensor: Tensor) -> Any:
    """The same memory."""
    return (tensor.detach() if tensor.requires_grad else tensor).numpy()


def _padded(count: int) -> int:
    return -(-count // ROWS) * ROWS


def _patterns(inputs: int, rows: int) -> Tensor:
    """Room for the patterns of all blocks of LANES inputs."""
    return torch.empty((-(-inputs // LANES) * LANES // ROWS, rows), dtype=torch.uint8)


def _across(inputs: int, rows: int, keep: bool) -> Tensor:
    """Room for the same spikes across; inputs are whole blocks, too."""
    return torch.empty((rows // ROWS if keep and inputs else 0, -(-inputs // LANES) * LANES), dtype=torch.uint8)
