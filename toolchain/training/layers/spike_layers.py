"""Spiking layers on the CPU: memory for the compiled kernels, layer after layer, there and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spikeport.toolchain.errors import violations
from spikeport.toolchain.network.codes import ENCODER_THRESHOLD
from spikeport.toolchain.training.layers import scans
from spikeport.toolchain.training.layers.encoder_kernels import encode
from spikeport.toolchain.training.layers.lanes import LANES, ROWS
from spikeport.toolchain.training.layers.spiking_backward_kernels import layer_backward
from spikeport.toolchain.training.layers.spiking_forward_kernels import (
    layer_forward,
    layer_voltages,
)
from spikeport.toolchain.training.layers.surrogates import Rectangle, Surrogate
from spikeport.toolchain.training.layers.threads import threads

if TYPE_CHECKING:
    from spikeport.toolchain.training.layers.layer_kind import KeptLayer, LayerKind

FEW = 64  # rows; with fewer, threads take longer to wake than to work


class KeptMemory:
    """Memory that is used again where the same name and shape are asked for again."""

    def __init__(self) -> None:
        self.tensors: dict[tuple[Any, ...], Tensor] = {}

    def __call__(self, *key: Any) -> Tensor:
        """Memory for (name, shape, type), uninitialised or as it was left."""
        if key not in self.tensors:
            self.tensors[key] = fresh(*key)
        return self.tensors[key]


def fresh(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Memory that nobody else has."""
    return torch.empty(shape, dtype=dtype)


def forward(
    activations: Tensor,
    timesteps: int,
    neuron: str,
    parameters: Sequence[Tensor],
    keep: bool,
    memory: Callable[..., Tensor] = fresh,
) -> tuple[Tensor, list[Tensor]]:
    """Run all layers.

    Args:
        activations: Of the encoder, [n, inputs].
        timesteps: T.
        neuron: Name of the layers' neuron.
        parameters: Weight [neurons, inputs], bias [neurons] per layer.
        keep: Whether there will be a way back.
        memory: Gives memory for (name, shape, type).

    Returns:
        Spike counts [n, neurons] of the last layer and, where kept, per layer its inputs' spikes
        across [groups of rows, inputs] and its drives [blocks, rows, LANES] without bias.
    """
    n, inputs = activations.shape
    activations = activations.to(parameters[0].dtype)
    _check(inputs, activations.dtype, parameters)
    rows = timesteps * _whole(n, ROWS)
    dtype = activations.dtype
    number = array(activations).dtype.type
    constants = scans.constants(neuron, number)
    team = _team(rows)

    patterns, across = _spike_memory(memory, 0, inputs, rows, keep)
    threshold = number(ENCODER_THRESHOLD)
    encode(
        team,
        array(activations.contiguous()),
        threshold,
        timesteps,
        array(patterns),
        array(across),
    )
    kept = list[Tensor]()
    for layer, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True), 1):
        neurons = len(weight)
        last = 2 * layer == len(parameters)
        if keep:
            drives = memory(f"drives {layer}", (-(-neurons // LANES), rows, LANES), dtype)
        else:  # one block per thread
            drives = memory("drives ", (team[1], rows, LANES), dtype)
        spiking, their_across = _spike_memory(memory, layer, 0 if last else neurons, rows, keep)
        counts = activations.new_empty((n if last else 0, neurons))
        inputs_patterns = patterns[: -(-weight.shape[1] // ROWS)]
        before = [array(part) for part in (inputs_patterns, weight.contiguous(), bias)]
        after = [array(part) for part in (drives, spiking, their_across, counts)]
        layer_forward(team, *before, constants, timesteps, *after)
        if keep:
            kept += [across, drives]
        patterns = spiking
        across = their_across
    return counts, kept


def _spike_memory(
    memory: Callable[..., Tensor], layer: int, neurons: int, rows: int, keep: bool
) -> tuple[Tensor, Tensor]:
    """Memory for patterns and, where they are kept, across, of whole blocks of neurons."""
    whole = _whole(neurons, LANES)
    groups = rows // ROWS if keep and neurons else 0
    patterns = memory(f"patterns {layer % 2} {keep}", (whole // ROWS, rows), torch.uint8)
    return patterns, memory(f"across {layer} {keep}", (groups, whole), torch.uint8)


def _check(inputs: int, dtype: torch.dtype, parameters: Sequence[Tensor]) -> None:
    """Check types and shapes, which compiled code trusts."""
    before = inputs
    problems = list[str]()
    for layer, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        if weight.shape != (len(bias), before) or bias.ndim != 1:
            problems.append(
                f"layer {layer}: weight {list(weight.shape)} and bias {list(bias.shape)}, [neurons,"
                f" {before}] and [neurons] expected"
            )
        devices = {weight.device.type, bias.device.type}
        if {weight.dtype, bias.dtype} != {dtype} or devices != {"cpu"}:
            problems.append(
                f"layer {layer}: {weight.dtype} on {weight.device} and {bias.dtype} on"
                f" {bias.device}, {dtype} on cpu expected"
            )
        before = len(bias)
    if problems:
        raise violations(
            "spiking network", problems, fix="layers that fit each other, network.float().cpu()"
        )


def backward(
    gradient: Tensor,
    timesteps: int,
    kind: LayerKind,
    layer: KeptLayer,
    first: bool,
    into: tuple[Tensor, Tensor] | None = None,
    memory: Callable[..., Tensor] = fresh,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradient of a layer's spikes -> of its inputs' spikes, its weight and its bias.

    Args:
        gradient: [T or 1, n, neurons]; one timestep stands for all.
        timesteps: T.
        kind: Its neuron and surrogate.
        layer: What `forward` kept of it.
        first: Whether only the sum over T is needed of its inputs' gradient.
        into: Where gradients of weight and bias go; new memory if None.
        memory: Gives memory for (name, shape, type).

    Returns:
        Gradients [T, n, inputs], or [n, inputs] of the first layer; [neurons, inputs]; [neurons].
    """
    n, neurons = gradient.shape[1:]
    weight = layer.weight
    bias = layer.bias
    number = array(bias).dtype.type
    constants = scans.constants(kind.neuron, number)
    width, slopes = _surrogate(layer, kind.surrogate, constants, timesteps)
    result = memory("result", (n if first else timesteps * n, neurons), bias.dtype)
    d_weight, d_bias = into or (weight.new_empty(weight.shape), torch.empty_like(bias))
    before = [array(part) for part in (gradient.contiguous(), layer.drives, bias, slopes)]
    after = [array(part) for part in (layer.spikes, result, d_weight, d_bias)]
    layer_backward(
        _team(layer.drives.shape[1]), *before, number(width), constants, timesteps, *after
    )
    below = memory("below", (len(result), weight.shape[1]), bias.dtype)
    torch.mm(result, weight, out=below)
    if not first:
        below = below.view(timesteps, n, -1)
    return below, d_weight, d_bias


def _surrogate(
    layer: KeptLayer, surrogate: Surrogate, constants: tuple[Any, ...], timesteps: int
) -> tuple[float, Tensor]:
    """The rectangle's width, which kernels know, or 0 and the slopes [blocks, rows, LANES]."""
    if isinstance(surrogate, Rectangle):
        return surrogate.width, layer.bias.new_empty((0, 0, 0))
    voltages = torch.empty_like(layer.drives)
    layer_voltages(array(layer.drives), array(layer.bias), constants, timesteps, array(voltages))
    return 0.0, surrogate.derivative(voltages - scans.THRESHOLD)


def array(tensor: Tensor) -> Any:
    """The same memory as an array of NumPy."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    return tensor.numpy()


def _team(rows: int) -> tuple[int, int]:
    """The team of torch, or one thread for a few decisions.

    No number depends on how many threads there are.
    """
    if rows >= FEW:
        return threads()
    return (0, 1)


def _whole(count: int, of: int) -> int:
    """The least whole multiple of `of` that is not below `count`."""
    return -(-count // of) * of
