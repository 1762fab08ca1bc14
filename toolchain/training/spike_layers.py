"""Spiking layers on the CPU: memory for the compiled kernels, layer after layer, forward and back."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    rows, number = timesteps * _whole(n, ROWS), array(activations).dtype.type
    constants = scans.constants(neuron, number)
    patterns, across = _patterns(inputs, rows), _across(inputs, rows, keep)
    spiking_kernels.encode(array(activations.contiguous()), number(ENCODER_THRESHOLD), timesteps, array(patterns), array(across))
    kept = list[Tensor]()
    for layer, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        neurons, last = len(weight), 2 * layer + 2 == len(parameters)
        drives = activations.new_empty((_blocks(neurons) if keep else torch.get_num_threads(), rows, LANES))
        spiking, their_across = _patterns(0 if last else neurons, rows), _across(0 if last else neurons, rows, keep)
        counts = activations.new_empty((n if last else 0, neurons))
        before = [array(part) for part in (patterns[: -(-weight.shape[1] // ROWS)], weight.contiguous(), bias)]
        memory, after = array(drives), [array(part) for part in (spiking, their_across, counts)]

        def run(part: int, start: int, stop: int, before: Any = before, memory: Any = memory, after: Any = after) -> None:
            own = memory[start:stop] if keep else memory[part : part + 1]
            spiking_kernels.layer_forward(*before, constants, timesteps, start, stop, own, *after)

        share(run, _blocks(neurons))
        kept += [across, drives] if keep else []
        patterns, across = spiking, their_across
    return counts, kept


def backward(
    gradient: Tensor,
    timesteps: int,
    kind: LayerKind,
    weight: Tensor,
    bias: Tensor,
    across: Tensor,
    drives: Tensor,
    first: bool,
    into: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """As scans.backward; gradients of weight and bias may have a place."""
    n, neurons = gradient.shape[1:]
    number, surrogate = array(bias).dtype.type, kind.surrogate
    constants, width = scans.constants(kind.neuron, number), number(surrogate.width if isinstance(surrogate, Rectangle) else 0)
    slopes = bias.new_empty((0, 0, 0))
    if not isinstance(surrogate, Rectangle):
        slopes = torch.empty_like(drives)
        spiking_kernels.layer_voltages(array(drives), array(bias), constants, timesteps, array(slopes))
        slopes = surrogate.derivative(slopes - scans.THRESHOLD)
    result, (d_weight, d_bias) = bias.new_empty((n if first else timesteps * n, neurons)), into or (weight.new_empty(weight.shape), torch.empty_like(bias))
    before = [array(part) for part in (gradient.contiguous(), drives, bias, slopes)]
    after = [array(part) for part in (across, result, d_weight, d_bias)]
    share(lambda _, start, stop: spiking_kernels.layer_backward(*before, width, constants, timesteps, start, stop, *after), len(drives))
    below = result @ weight
    return below if first else below.view(timesteps, n, -1), d_weight, d_bias


def share(run: Callable[[int, int, int], None], blocks: int) -> None:
    """run(part, start, stop) for as many parts of the blocks as torch has threads, at once. Blocks do not depend on each other, so
    results do not depend on the number of parts.
    """
    parts = min(torch.get_num_threads(), blocks)
    bounds = [blocks * part // parts for part in range(parts + 1)]
    others = [_pool().submit(run, part, *bounds[part : part + 2]) for part in range(1, parts)]
    run(0, *bounds[:2])
    for other in others:
        other.result()


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, torch.get_num_threads() - 1), "spiking layers")


os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not come along


def array(tensor: Tensor) -> Any:
    """The same memory."""
    return (tensor.detach() if tensor.requires_grad else tensor).numpy()


def _whole(count: int, of: int) -> int:
    """The next whole multiple."""
    return -(-count // of) * of


def _blocks(neurons: int) -> int:
    return -(-neurons // LANES)


def _patterns(inputs: int, rows: int) -> Tensor:
    """Room for the patterns of all blocks of inputs."""
    return torch.empty((_whole(inputs, LANES) // ROWS, rows), dtype=torch.uint8)


def _across(inputs: int, rows: int, keep: bool) -> Tensor:
    """Room for the same spikes across."""
    return torch.empty((rows // ROWS if keep and inputs else 0, _whole(inputs, LANES)), dtype=torch.uint8)
