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
    from spikeport.toolchain.training.layers.layer_kind import KeptLayer, LayerKind

NEURONS = ("lif", "clif", "dn")
THRESHOLD = 0.5
VOLTAGE_KEEP = 0.75
CURRENT_KEEP = 0.5
RESET_V = 0.021
RESET_U = 0.132
COUPLING_V = -0.172  # of U's update: theta_v
COUPLING_U = 1.529  # and 1 + theta_u


def constants(neuron: str, number: Any) -> tuple[Any, ...]:
    """The constants of a neuron in the type `number`, as the compiled scans take them.

    These are threshold, current_keep, voltage_keep, reset_v, reset_u, coupling_v, coupling_u.
    """
    current_keep = 0.0 if neuron == "lif" else CURRENT_KEEP
    own = (0.0, 0.0, 0.0, 0.0)
    if neuron == "dn":
        own = (RESET_V, RESET_U, COUPLING_V, COUPLING_U)
    return tuple(map(number, (THRESHOLD, current_keep, VOLTAGE_KEEP, *own)))


def forward(
    activations: Tensor, timesteps: int, neuron: str, parameters: Sequence[Tensor], keep: bool
) -> tuple[Tensor, list[Tensor]]:
    """Run all layers.

    Args:
        activations: Of the encoder, [n, inputs].
        timesteps: T.
        neuron: Name of the layers' neuron.
        parameters: Weight [neurons, inputs], bias [neurons] per layer.
        keep: Whether there will be a way back.

    Returns:
        Spike counts [n, neurons] of the last layer and, where kept, per layer its inputs' spikes
        [T * n, inputs] and its drives [T, n, neurons], bias included.
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
    gradient: Tensor, timesteps: int, kind: LayerKind, layer: KeptLayer, first: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradient of a layer's spikes -> of its inputs' spikes, its weight and its bias.

    Args:
        gradient: [T or 1, n, neurons]; one timestep stands for all.
        timesteps: T.
        kind: Its neuron and surrogate.
        layer: What `forward` kept of it.
        first: Whether only the sum over T is needed of its inputs' gradient.

    Returns:
        Gradients [T, n, inputs], or [n, inputs] of the first layer; [neurons, inputs]; [neurons].
    """
    voltage = voltages(layer.drives, kind.neuron)
    result = adjoint(gradient, voltage, kind.neuron, kind.surrogate.derivative(voltage - THRESHOLD))
    below = (result.sum(0) if first else result) @ layer.weight
    return below, result.flatten(0, 1).t() @ layer.spikes, result.sum((0, 1))


def encode(activations: Tensor, timesteps: int) -> Tensor:
    """Constant activations [n, inputs] -> spikes [T, n, inputs] of soft-reset neurons."""
    spikes = activations.new_empty((timesteps, *activations.shape))
    v = torch.zeros_like(activations)
    for t in range(timesteps):
        v = v + activations
        fired = v > ENCODER_THRESHOLD
        spikes[t] = fired
        v = v - ENCODER_THRESHOLD * fired
    return spikes


def voltages(drive: Tensor, neuron: str) -> Tensor:
    """Drives [T, n, neurons], bias included -> voltages [T, n, neurons]."""
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
