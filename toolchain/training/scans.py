"""Scans of a spiking layer over T: compiled on the CPU, in torch operations on other devices. Equations: spiking_layer.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolchain.spike_coding import ENCODER_THRESHOLD
from toolchain.training import scan_kernels
from toolchain.training.surrogates import Rectangle, Surrogate

NEURONS = ("lif", "clif", "dn")
THRESHOLD, VOLTAGE_KEEP, CURRENT_KEEP = 0.5, 0.75, 0.5
RESET_V, RESET_U = 0.021, 0.132
COUPLING_V, COUPLING_U = -0.172, 1.529  # of U's update: theta_v, and 1 + theta_u
DN = (THRESHOLD, CURRENT_KEEP, RESET_V, RESET_U, COUPLING_V, COUPLING_U)


def encode(activations: Tensor, timesteps: int) -> Tensor:
    """Spikes [T, n, inputs] of the encoder's soft-reset neurons for constant activations [n, inputs]."""
    spikes = activations.new_empty((timesteps, *activations.shape))
    if activations.device.type == "cpu":
        number = _type(activations)
        scan_kernels.encode(_array(activations), number(ENCODER_THRESHOLD), number(1), _array(spikes))
        return spikes
    v = torch.zeros_like(activations)
    for t in range(timesteps):
        v = v + activations
        torch.gt(v, ENCODER_THRESHOLD, out=spikes[t])
        v.sub_(spikes[t], alpha=ENCODER_THRESHOLD)
    return spikes


def forward(drive: Tensor, bias: Tensor, neuron: str) -> tuple[Tensor, Tensor]:
    """Voltages and spikes [T, n, neurons] of drives [T, n, neurons] without the bias [neurons]."""
    if drive.device.type != "cpu":
        return torch_forward(drive + bias, neuron)
    voltage, spikes, number = torch.empty_like(drive), torch.empty_like(drive), _type(drive)
    arrays = [_array(part) for part in (drive, bias)]
    if neuron == "dn":
        scan_kernels.two_state_forward(*arrays, _constants(number), number(1), _array(voltage), _array(spikes))
    else:
        scan_kernels.leaky_forward(*arrays, *_leaky(neuron, number), _array(voltage), _array(spikes))
    return voltage, spikes


def backward(gradient: Tensor, voltage: Tensor, neuron: str, surrogate: Surrogate) -> tuple[Tensor, Tensor]:
    """Gradients of the drive [T, n, neurons] and of the bias [neurons] for that of the spikes."""
    rectangle = isinstance(surrogate, Rectangle)
    if voltage.device.type != "cpu":
        result = torch_backward(gradient, voltage, neuron, surrogate.derivative(voltage - THRESHOLD))
        return result, result.sum((0, 1))
    number = _type(voltage)
    slopes = voltage.new_empty((0, 0, 0)) if rectangle else surrogate.derivative(voltage - THRESHOLD)
    result, total = torch.empty_like(voltage), voltage.new_zeros(voltage.shape[2])
    arrays = [_array(part) for part in (gradient.contiguous(), voltage, slopes)]
    width = number(surrogate.width if isinstance(surrogate, Rectangle) else 0)
    if neuron == "dn":
        scan_kernels.two_state_backward(*arrays, width, _constants(number), number(1), _array(result), _array(total))
    else:
        scan_kernels.leaky_backward(*arrays, width, *_leaky(neuron, number), _array(result), _array(total))
    return result, total


def torch_forward(drive: Tensor, neuron: str) -> tuple[Tensor, Tensor]:
    """As `forward`, the bias in the drive, on any device."""
    if neuron != "lif":
        drive = drive.clone()
        for t in range(1, len(drive)):
            drive[t].add_(drive[t - 1], alpha=CURRENT_KEEP)
    voltage, spikes = torch.empty_like(drive), torch.empty_like(drive)
    recovery = torch.zeros_like(drive[0])
    for t in range(len(drive)):
        if t == 0:
            voltage[0] = drive[0]
        elif neuron == "dn":
            reset = torch.addcmul(spikes[t - 1] * RESET_V, voltage[t - 1], 1.0 - spikes[t - 1])
            recovery = recovery.add(spikes[t - 1], alpha=RESET_U)
            torch.addcmul(drive[t] - recovery, reset, reset, out=voltage[t])
            recovery = recovery.mul_(COUPLING_U).add_(reset, alpha=COUPLING_V)
        else:
            torch.addcmul(drive[t], voltage[t - 1], 1.0 - spikes[t - 1], value=VOLTAGE_KEEP, out=voltage[t])
        torch.gt(voltage[t], THRESHOLD, out=spikes[t])
    return voltage, spikes


def torch_backward(gradient: Tensor, voltage: Tensor, neuron: str, slopes: Tensor) -> Tensor:
    """Gradient of the drive on any device; `slopes` is the surrogate at every voltage."""
    result, last = torch.empty_like(voltage), len(voltage) - 1
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
            torch.mul(torch.addcmul(gradient[t], voltage[t], kept, value=-1.0), slopes[t], out=result[t])
            result[t].addcmul_(silent[t], kept)
    if neuron != "lif":
        for t in range(last - 1, -1, -1):
            result[t].add_(result[t + 1], alpha=CURRENT_KEEP)
    return result


def _array(tensor: Tensor) -> Any:
    return tensor.detach().numpy()


def _type(tensor: Tensor) -> Any:
    return np.float64 if tensor.dtype == torch.float64 else np.float32


def _leaky(neuron: str, number: Any) -> tuple[Any, ...]:
    return number(THRESHOLD), number(VOLTAGE_KEEP), number(CURRENT_KEEP if neuron == "clif" else 0), number(1)


def _constants(number: Any) -> tuple[Any, ...]:
    return tuple(number(value) for value in DN)
