"""Spiking layers on the CPU.

Memory for the compiled kernels, layer after layer, forward and back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spikeport.toolchain.errors import violations
from spikeport.toolchain.network.codes import ENCODER_THRESHOLD
from spikeport.toolchain.training.layers import scans, spiking_kernels
from spikeport.toolchain.training.layers.lanes import LANES, ROWS
from spikeport.toolchain.training.layers.surrogates import Rectangle
from spikeport.toolchain.training.layers.threads import threads

if TYPE_CHECKING:
    from spikeport.toolchain.training.layers.layer_kind import LayerKind

FEW = 64  # rows


class Room:
    """Memory that is used again where the same name and shape are asked for again."""

    def __init__(self) -> None:
        self.tensors: dict[tuple[Any, ...], Tensor] = {}

    def __call__(self, *key: Any) -> Tensor:
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
    room: Callable[..., Tensor] = fresh,
) -> tuple[Tensor, list[Tensor]]:
    """As scans.forward.

    Kept are, per layer, its inputs' spikes across [groups of rows, inputs] and its drives [blocks,
    rows, LANES] without bias.
    """
    n, inputs = activations.shape
    activations = activations.to(parameters[0].dtype)
    _check(inputs, activations.dtype, parameters)
    rows = timesteps * _whole(n, ROWS)
    dtype = activations.dtype
    number = array(activations).dtype.type
    constants = scans.constants(neuron, number)
    crew = _crew(rows)

    def spikes(layer: int, neurons: int) -> list[Tensor]:
        """Room for patterns and, if they are kept, spikes across of whole blocks of neurons."""
        whole = _whole(neurons, LANES)
        across = room(
            f"across {layer} {keep}", (rows // ROWS if keep and neurons else 0, whole), torch.uint8
        )
        return [room(f"patterns {layer % 2} {keep}", (whole // ROWS, rows), torch.uint8), across]

    patterns, across = spikes(0, inputs)
    spiking_kernels.encode(
        crew,
        array(activations.contiguous()),
        number(ENCODER_THRESHOLD),
        timesteps,
        array(patterns),
        array(across),
    )
    kept = list[Tensor]()
    for layer, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True), 1):
        neurons = len(weight)
        last = 2 * layer == len(parameters)
        blocks = -(-neurons // LANES)
        drives = room(
            f"drives {layer if keep else ''}", (blocks if keep else crew[1], rows, LANES), dtype
        )
        spiking, their_across = spikes(layer, 0 if last else neurons)
        counts = activations.new_empty((n if last else 0, neurons))
        before = [
            array(part)
            for part in (patterns[: -(-weight.shape[1] // ROWS)], weight.contiguous(), bias)
        ]
        after = [array(part) for part in (drives, spiking, their_across, counts)]
        spiking_kernels.layer_forward(crew, *before, constants, timesteps, *after)
        kept += [across, drives] if keep else []
        patterns = spiking
        across = their_across
    return counts, kept


def _check(inputs: int, dtype: torch.dtype, parameters: Sequence[Tensor]) -> None:
    """Compiled code trusts types and shapes."""
    before = inputs
    problems = list[str]()
    for layer, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        if weight.shape != (len(bias), before) or bias.ndim != 1:
            problems.append(
                f"layer {layer}: weight {list(weight.shape)} and bias {list(bias.shape)}, [neurons,"
                f" {before}] and [neurons] expected"
            )
        if {weight.dtype, bias.dtype} != {dtype} or {weight.device.type, bias.device.type} != {
            "cpu"
        }:
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
    weight: Tensor,
    bias: Tensor,
    across: Tensor,
    drives: Tensor,
    first: bool,
    into: tuple[Tensor, Tensor] | None = None,
    room: Callable[..., Tensor] = fresh,
) -> tuple[Tensor, Tensor, Tensor]:
    """As scans.backward; gradients of weight and bias may have a place."""
    n, neurons = gradient.shape[1:]
    number = array(bias).dtype.type
    surrogate = kind.surrogate
    constants = scans.constants(kind.neuron, number)
    width = number(surrogate.width if isinstance(surrogate, Rectangle) else 0)
    slopes = bias.new_empty((0, 0, 0))
    if not isinstance(surrogate, Rectangle):
        slopes = torch.empty_like(drives)
        spiking_kernels.layer_voltages(
            array(drives), array(bias), constants, timesteps, array(slopes)
        )
        slopes = surrogate.derivative(slopes - scans.THRESHOLD)
    result = room("result", (n if first else timesteps * n, neurons), bias.dtype)
    d_weight, d_bias = into or (weight.new_empty(weight.shape), torch.empty_like(bias))
    before = [array(part) for part in (gradient.contiguous(), drives, bias, slopes)]
    after = [array(part) for part in (across, result, d_weight, d_bias)]
    spiking_kernels.layer_backward(
        _crew(drives.shape[1]), *before, width, constants, timesteps, *after
    )
    below = torch.mm(result, weight, out=room("below", (len(result), weight.shape[1]), bias.dtype))
    return below if first else below.view(timesteps, n, -1), d_weight, d_bias


def array(tensor: Tensor) -> Any:
    """The same memory."""
    return (tensor.detach() if tensor.requires_grad else tensor).numpy()


def _crew(rows: int) -> tuple[int, int]:
    """One thread for a few decisions, which others would be called for in vain.

    No number depends on how many there are.
    """
    if rows >= FEW:
        return threads()
    return (0, 1)


def _whole(count: int, of: int) -> int:
    """The next whole multiple."""
    return -(-count // of) * of
