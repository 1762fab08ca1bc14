"""Spiking layers in torch operations, for devices other than the CPU, and the neurons' constants.

Equations: spiking_stack.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spikeport.toolchain.network.codes import ENCODER_THRESHOLD

if TYPE_CHECKING:
    from spikeport.toolchain.training.layers.layer_kind import LayerKind

NEURONS = ("lif", "clif", "dn")
THRESHOLD = 0.5
VOLTAGE_KEEP = 0.75
CURRENT_KEEP = 0.5
RESET_V = 0.021
RESET_U = 0.132
# of U's update: theta_v, and 1 + theta_u
COUPLING_V = -0.172
COUPLING_U = 1.529


def constants(neuron: str, number: Any) -> tuple[Any, ...]:
    """Threshold, current_keep, voltage_keep, reset_v, reset_u, coupling_v, coupling_u in the type
    `number`, as the compiled scans take them.
    """
    if neuron != "lif":
        current_keep = CURRENT_KEEP
    else:
        current_keep = 0.0
    dn = (RESET_V, RESET_U, COUPLING_V, COUPLING_U)
    return tuple(
        map(
            number, (THRESHOLD, current_keep, VOLTAGE_KEEP, *(dn if neuron == "dn" else (0.0,) * 4))
        )
    )


def forward(
    activations: Tensor, timesteps: int, neuron: str, parameters: Sequence[Tensor], keep: bool
) -> tuple[Tensor, list[Tensor]]:
    """Encoder activations [n, inputs]; weight, bias per layer -> spike counts [n, neurons] of the
    last layer and, for each layer's way back if so asked, its inputs' spikes [T * n, inputs] and
    its drives [T, n, neurons], bias included.
    """
    spikes = encode(activations, timesteps)
    kept = list[Tensor]()
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        rows = spikes.flatten(0, 1)
        drive = torch.addmm(bias, rows, weight.t()).view(timesteps, len(activations), -1)
        spikes = (voltages(drive, neuron) > THRESHOLD).to(drive.dtype)
        kept += [rows, drive] if keep else []
    return spikes.sum(0), kept


def backward(
    gradient: Tensor,
    timesteps: int,
    kind: LayerKind,
    weight: Tensor,
    bias: Tensor,
    rows: Tensor,
    drive: Tensor,
    first: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradient [T or 1, n, neurons] of a layer's spikes -> of its inputs' spikes [T, n, inputs], or
    of their sum [n, inputs] for the first layer, of its weight and of its bias. One timestep of the
    gradient stands for all.
    """
    voltage = voltages(drive, kind.neuron)
    result = adjoint(gradient, voltage, kind.neuron, kind.surrogate.derivative(voltage - THRESHOLD))
    if first:
        below = result.sum(0) @ weight
    else:
        below = result @ weight
    return below, result.flatten(0, 1).t() @ rows, result.sum((0, 1))


def encode(activations: Tensor, timesteps: int) -> Tensor:
    """Spikes [T, n, inputs] of the encoder's soft-reset neurons for constant activations [n,
    inputs].
    """
    spikes = activations.new_empty((timesteps, *activations.shape))
    v = torch.zeros_like(activations)
    for t in range(timesteps):
        v = v + activations
        fired = v > ENCODER_THRESHOLD
        spikes[t] = fired
        v = v - ENCODER_THRESHOLD * fired
    return spikes


def voltages(drive: Tensor, neuron: str) -> Tensor:
    """Voltages [T, n, neurons], the bias in the drive."""
    if neuron != "lif":
        drive = drive.clone()
        for t in range(1, len(drive)):
            drive[t].add_(drive[t - 1], alpha=CURRENT_KEEP)
    voltage = torch.empty_like(drive)
    recovery = torch.zeros_like(drive[0])
    voltage[0] = drive[0]
    for t in range(1, len(drive)):
        fired = (voltage[t - 1] > THRESHOLD).to(drive.dtype)
        if neuron == "dn":
            reset = torch.addcmul(fired * RESET_V, voltage[t - 1], 1.0 - fired)
            recovery = recovery.add(fired, alpha=RESET_U)
            torch.addcmul(drive[t] - recovery, reset, reset, out=voltage[t])
            recovery = recovery.mul_(COUPLING_U).add_(reset, alpha=COUPLING_V)
        else:
            torch.addcmul(drive[t], voltage[t - 1], 1.0 - fired, value=VOLTAGE_KEEP, out=voltage[t])
    return voltage


def adjoint(gradient: Tensor, voltage: Tensor, neuron: str, slopes: Tensor) -> Tensor:
    """Gradient of the spikes [T or 1, n, neurons] -> of the drive.

    `slopes` is the surrogate at every voltage.
    """
    gradient = gradient.expand_as(voltage)
    result = torch.empty_like(voltage)
    last = len(voltage) - 1
    silent = (voltage <= THRESHOLD).to(voltage.dtype)
    torch.mul(slopes[last], gradient[last], out=result[last])
    d_recovery = torch.zeros_like(voltage[0])
    for t in range(last - 1, -1, -1):
        if neuron == "dn":
            reset = torch.addcmul((1.0 - silent[t]) * RESET_V, voltage[t], silent[t])
            d_reset = 2.0 * reset * result[t + 1] + COUPLING_V * d_recovery
            d_recovery = COUPLING_U * d_recovery - result[t + 1]
            d_spikes = gradient[t] + (RESET_V - voltage[t]) * d_reset + RESET_U * d_recovery
            result[t] = slopes[t] * d_spikes + silent[t] * d_reset
        else:
            kept = result[t + 1] * VOLTAGE_KEEP
            torch.mul(
                torch.addcmul(gradient[t], voltage[t], kept, value=-1.0), slopes[t], out=result[t]
            )
            result[t].addcmul_(silent[t], kept)
    if neuron != "lif":
        for t in range(last - 1, -1, -1):
            result[t].add_(result[t + 1], alpha=CURRENT_KEEP)
    return result
