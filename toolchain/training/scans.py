"""Scans of a spiking layer over T: compiled on the CPU, in torch operations on other devices. Equations: spiking_stack.py."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from toolchain.spike_coding import ENCODER_THRESHOLD
from toolchain.training import kernels
from toolchain.training.surrogates import Rectangle, Surrogate

NEURONS = ("lif", "clif", "dn")
THRESHOLD, VOLTAGE_KEEP, CURRENT_KEEP = 0.5, 0.75, 0.5
RESET_V, RESET_U = 0.021, 0.132
COUPLING_V, COUPLING_U = -0.172, 1.529  # of U's update: theta_v, and 1 + theta_u
DN = (THRESHOLD, CURRENT_KEEP, RESET_V, RESET_U, COUPLING_V, COUPLING_U)


def encode(activations: Tensor, timesteps: int, dtype: torch.dtype) -> Tensor:
    """Spikes [T, n, inputs] of `dtype`, of the encoder's soft-reset neurons for constant activations [n, inputs]."""
    spikes = activations.new_empty((timesteps, *activations.shape), dtype=dtype)
    if activations.device.type == "cpu":
        kernels.encode(array(activations.contiguous().flatten()), _type(activations)(ENCODER_THRESHOLD), _one(spikes), array(spikes.flatten(1)))
        return spikes
    v = torch.zeros_like(activations)
    for t in range(timesteps):
        v = v + activations
        fired = v > ENCODER_THRESHOLD
        spikes[t] = fired
        v = v - ENCODER_THRESHOLD * fired
    return spikes


def forward(drive: Tensor, bias: Tensor, neuron: str, overwrite: bool = False) -> Tensor:
    """Spikes [T, n, neurons] of drives [T, n, neurons] without the bias [neurons]; they have the drive's type, states the bias's.

    With `overwrite` they may lie where the drive was.
    """
    if drive.device.type != "cpu":
        return (torch_voltages(drive.to(bias.dtype) + bias, neuron) > THRESHOLD).to(drive.dtype)
    spikes, (scan, constants) = drive if overwrite else torch.empty_like(drive), _neuron(neuron, _type(bias))
    scan.forward(array(drive.flatten(1)), array(bias), *constants, _one(spikes), array(spikes.flatten(1)))
    return spikes


def backward(gradient: Tensor, drive: Tensor, bias: Tensor, neuron: str, surrogate: Surrogate) -> tuple[Tensor, Tensor]:
    """Gradients of the drive [T, n, neurons] and of the bias [neurons] for that of the spikes.

    The gradient of the spikes is [T, n, neurons], or [1, n, neurons] where it is the same in every timestep.
    """
    if drive.device.type != "cpu":
        voltage = torch_voltages(drive.to(bias.dtype) + bias, neuron)
        result = torch_backward(gradient.to(bias.dtype), voltage, neuron, surrogate.derivative(voltage - THRESHOLD))
        return result.to(drive.dtype), result.sum((0, 1))
    number = _type(bias)
    scan, constants = _neuron(neuron, number)
    rectangle = isinstance(surrogate, Rectangle)
    slopes, width = bias.new_empty((0, 0)), number(surrogate.width if isinstance(surrogate, Rectangle) else 0)
    if not rectangle:
        slopes = bias.new_empty(drive.shape)
        scan.voltages(array(drive.flatten(1)), array(bias), *constants, array(slopes.flatten(1)))
        slopes = surrogate.derivative(slopes - THRESHOLD).flatten(1)
    result, total = torch.empty_like(drive), torch.zeros_like(bias)
    arrays = [array(part) for part in (gradient.contiguous().flatten(1), drive.flatten(1), bias, slopes)]
    scan.backward(*arrays, width, *constants, array(result.flatten(1)), array(total))
    return result, total


def torch_voltages(drive: Tensor, neuron: str) -> Tensor:
    """Voltages [T, n, neurons] on any device, the bias in the drive."""
    if neuron != "lif":
        drive = drive.clone()
        for t in range(1, len(drive)):
            drive[t].add_(drive[t - 1], alpha=CURRENT_KEEP)
    voltage, recovery = torch.empty_like(drive), torch.zeros_like(drive[0])
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


def torch_backward(gradient: Tensor, voltage: Tensor, neuron: str, slopes: Tensor) -> Tensor:
    """Gradient of the drive on any device; `slopes` is the surrogate at every voltage."""
    gradient = gradient.expand_as(voltage)
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


def array(tensor: Tensor) -> Any:
    """The same memory; bfloat16 as uint16, for want of such a type in NumPy."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _one(tensor: Tensor) -> Any:
    """1 in the type of `array`."""
    return np.uint16(0x3F80) if tensor.dtype == torch.bfloat16 else _type(tensor)(1)


def _type(tensor: Tensor) -> Any:
    return np.float64 if tensor.dtype == torch.float64 else np.float32


class _Scan(NamedTuple):
    forward: Any
    backward: Any
    voltages: Any


LEAKY = _Scan(kernels.leaky_forward, kernels.leaky_backward, kernels.leaky_voltages)
TWO_STATE = _Scan(kernels.two_state_forward, kernels.two_state_backward, kernels.two_state_voltages)


def _neuron(neuron: str, number: Any) -> tuple[_Scan, tuple[Any, ...]]:
    """Compiled scans and the constants that they take, in the type `number`."""
    if neuron == "dn":
        return TWO_STATE, (tuple(number(value) for value in DN),)
    return LEAKY, (number(THRESHOLD), number(VOLTAGE_KEEP), number(CURRENT_KEEP if neuron == "clif" else 0))
