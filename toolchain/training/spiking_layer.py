"""Spiking layers over all T timesteps at once: forward scan, and its derivative written out by hand.

As no layer is delayed within a decision, layer l's inputs of all timesteps are known before layer l runs. So a layer is
one product of T * n rows and one scan over T, forward and backward, where step-by-step autograd makes T products
and a graph of some 10 T nodes. x = W s + b is the drive; the equations are those of toolchain/policies/spiking_policy.py:

    lif    V <- 3/4 V (1 - S) + x;  S = [V > 1/2]
    clif   C <- 1/2 C + x;  V <- 3/4 V (1 - S) + C;  S = [V > 1/2]
    dn     C <- 1/2 C + x;  v = V (1 - S) + 0.021 S;  u = U + 0.132 S
           V = v^2 - u + C;  U = 1.529 u - 0.172 v;  S = [V > 1/2]

Backward: dS/dV is the surrogate, and the reset (1 - S) is differentiated too, as in the published code (Xu et al. 2025).
Adjoints d run from t = T - 1 down; dS starts as what the next layer sends back:

    lif, clif   dS -= 3/4 V dV';  dV = surrogate dS + 3/4 (1 - S) dV'         ' is timestep t + 1
    dn          dv = 2 v' dV' - 0.172 dU';  du = 1.529 dU' - dV'
                dS += (0.021 - V) dv + 0.132 du;  dV = surrogate dS + (1 - S) dv;  dU = du
    drive       lif dx = dV;  clif, dn dx = dC = dV + 1/2 dC'
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from toolchain.training.surrogates import Surrogate

THRESHOLD, VOLTAGE_KEEP, CURRENT_KEEP = 0.5, 0.75, 0.5
RESET_V, RESET_U = 0.021, 0.132
COUPLING_V, COUPLING_U = -0.172, 1.529  # of U's update: theta_v, and 1 + theta_u
NEURONS = ("lif", "clif", "dn")


class SpikingScan(torch.autograd.Function):
    """Drives [T, n, neurons] -> spikes [T, n, neurons] of 0 and 1."""

    @staticmethod
    def forward(ctx: Any, drive: Tensor, neuron: str, surrogate: Surrogate) -> Tensor:  # type: ignore[override]
        voltage, spikes = scan(drive, neuron)
        ctx.save_for_backward(voltage, spikes)
        ctx.neuron, ctx.surrogate = neuron, surrogate
        return spikes

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        voltage, spikes = ctx.saved_tensors
        slopes = ctx.surrogate.derivative(voltage - THRESHOLD)
        adjoint = _two_state_adjoint if ctx.neuron == "dn" else _leaky_adjoint
        result = adjoint(gradient, voltage, spikes, slopes)
        if ctx.neuron != "lif":
            for t in range(len(result) - 2, -1, -1):
                result[t].add_(result[t + 1], alpha=CURRENT_KEEP)
        return result, None, None


def scan(drive: Tensor, neuron: str) -> tuple[Tensor, Tensor]:
    """Voltages and spikes [T, n, neurons]."""
    if neuron != "lif":
        drive = drive.clone()
        for t in range(1, len(drive)):
            drive[t].add_(drive[t - 1], alpha=CURRENT_KEEP)
    voltage, spikes = torch.empty_like(drive), torch.empty_like(drive)
    if neuron == "dn":
        recovery = torch.zeros_like(drive[0])
        for t in range(len(drive)):
            if t == 0:
                voltage[0] = drive[0]
            else:
                reset, recovery = _after_spikes(voltage[t - 1], spikes[t - 1], recovery)
                torch.addcmul(drive[t] - recovery, reset, reset, out=voltage[t])
                recovery = recovery.mul_(COUPLING_U).add_(reset, alpha=COUPLING_V)
            torch.gt(voltage[t], THRESHOLD, out=spikes[t])
        return voltage, spikes
    silent = torch.empty_like(drive[0])
    for t in range(len(drive)):
        if t == 0:
            voltage[0] = drive[0]
        else:
            torch.addcmul(drive[t], voltage[t - 1], silent, value=VOLTAGE_KEEP, out=voltage[t])
        torch.gt(voltage[t], THRESHOLD, out=spikes[t])
        torch.sub(1.0, spikes[t], out=silent)
    return voltage, spikes


def _after_spikes(voltage: Tensor, spikes: Tensor, recovery: Tensor) -> tuple[Tensor, Tensor]:
    """dn's v and u."""
    return torch.addcmul(spikes * RESET_V, voltage, 1.0 - spikes), recovery.add(spikes, alpha=RESET_U)


def _leaky_adjoint(gradient: Tensor, voltage: Tensor, spikes: Tensor, slopes: Tensor) -> Tensor:
    result = torch.empty_like(voltage)
    last = len(voltage) - 1
    torch.mul(slopes[last], gradient[last], out=result[last])
    for t in range(last - 1, -1, -1):
        kept = result[t + 1] * VOLTAGE_KEEP
        torch.mul(torch.addcmul(gradient[t], voltage[t], kept, value=-1.0), slopes[t], out=result[t])
        result[t].addcmul_(1.0 - spikes[t], kept)
    return result


def _two_state_adjoint(gradient: Tensor, voltage: Tensor, spikes: Tensor, slopes: Tensor) -> Tensor:
    result = torch.empty_like(voltage)
    last = len(voltage) - 1
    torch.mul(slopes[last], gradient[last], out=result[last])
    d_recovery = torch.zeros_like(voltage[0])
    for t in range(last - 1, -1, -1):
        reset = torch.addcmul(spikes[t] * RESET_V, voltage[t], 1.0 - spikes[t])
        d_reset = 2.0 * reset * result[t + 1] + COUPLING_V * d_recovery
        d_recovery = COUPLING_U * d_recovery - result[t + 1]
        d_spikes = gradient[t] + (RESET_V - voltage[t]) * d_reset + RESET_U * d_recovery
        result[t] = slopes[t] * d_spikes + (1.0 - spikes[t]) * d_reset
    return result
