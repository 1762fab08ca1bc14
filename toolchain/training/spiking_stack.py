"""Spiking layers over all T timesteps at once: a product and a scan each, and their derivatives written out by hand.

As no layer is delayed within a decision, layer l's inputs of all timesteps are known before layer l runs. So a layer is
one product of T * n rows and one scan over T, forward and backward, where step-by-step autograd makes T products
and a graph of some 10 T nodes. Voltages are not kept: the way back
computes them again from the drives. x = W s + b is the drive; the equations are those of toolchain/policies/spiking_policy.py:

    lif    V <- 3/4 V (1 - S) + x;  S = [V > 1/2]
    clif   C <- 1/2 C + x;  V <- 3/4 V (1 - S) + C;  S = [V > 1/2]
    dn     C <- 1/2 C + x;  v = V (1 - S) + 0.021 S;  u = U + 0.132 S
           V = v^2 - u + C;  U = 1.529 u - 0.172 v;  S = [V > 1/2]

Backward: dS/dV is the surrogate, and the reset (1 - S) is differentiated too, as in the published code (Xu et al. 2025).
Adjoints d run from t = T - 1 down; dS starts as what the next layer sends back:

    lif, clif   dS -= 3/4 V dV';  dV = surrogate dS + 3/4 (1 - S) dV'         ' is timestep t + 1
    dn          dv = 2 v dV' - 0.172 dU';  du = 1.529 dU' - dV'
                dS += (0.021 - V) dv + 0.132 du;  dV = surrogate dS + (1 - S) dv;  dU = du
    drive       lif dx = dV;  clif, dn dx = dC = dV + 1/2 dC'

The encoder has ds/da = 1 in each timestep, so its activations' gradient needs the first drive's only in sum over T.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from toolchain.errors import InputError
from toolchain.training import scans
from toolchain.training.surrogates import PAPER, Surrogate


@dataclass(frozen=True)
class LayerKind:
    """What the scans need besides weights. `bfloat16`: products in bfloat16, spikes exact, weights, drives and their gradients rounded."""

    neuron: str = "lif"
    surrogate: Surrogate = PAPER
    bfloat16: bool = False


def spike_counts(activations: Tensor, timesteps: int, kind: LayerKind, *parameters: Tensor) -> Tensor:
    """Encoder activations [n, inputs], then weight [neurons, inputs], bias [neurons] per layer -> spike counts [n, neurons] of the last."""
    types = (torch.float32,) if kind.bfloat16 else (torch.float32, torch.float64)
    if activations.dtype not in types:
        limit = " or ".join(str(dtype).removeprefix("torch.") for dtype in types)
        got = f"{str(activations.dtype).removeprefix('torch.')}{', bfloat16 products' if kind.bfloat16 else ''}"
        raise InputError("spiking network", "its parameters have a type that the scans cannot take", got=got, limit=limit, fix="network.float()")
    if not torch.is_grad_enabled():
        return run(activations, timesteps, kind, parameters, None)
    counts: Tensor = SpikingStack.apply(activations, timesteps, kind, *parameters)  # type: ignore[assignment]
    return counts


def run(activations: Tensor, timesteps: int, kind: LayerKind, parameters: Sequence[Tensor], kept: list[Tensor] | None) -> Tensor:
    """Spike counts; what the way back needs is appended to `kept`, and where there is none spikes take their drive's place in memory."""
    products = torch.bfloat16 if kind.bfloat16 else activations.dtype
    spikes = scans.encode(activations, timesteps, products)
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        rows, rounded = spikes.flatten(0, 1), weight.to(products)
        drive = (rows @ rounded.t()).view(*spikes.shape[:2], -1)
        spikes = scans.forward(drive, bias, kind.neuron, overwrite=kept is None)
        if kept is not None:
            kept += [rows, rounded, drive, bias]
    return spikes.sum(0, dtype=activations.dtype)


class SpikingStack(torch.autograd.Function):
    """`spike_counts` with its way back."""

    @staticmethod
    def forward(ctx: Any, activations: Tensor, timesteps: int, kind: LayerKind, *parameters: Tensor) -> Tensor:  # type: ignore[override]
        kept = list[Tensor]()
        counts = run(activations, timesteps, kind, parameters, kept)
        ctx.save_for_backward(*kept)
        ctx.kind = kind
        return counts

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        kept, found, gradient = ctx.saved_tensors, list[Tensor](), gradient[None]
        for layer in range(len(kept) - 4, -1, -4):
            rows, weight, drive, bias = kept[layer : layer + 4]
            result, d_bias = scans.backward(gradient, drive, bias, ctx.kind.neuron, ctx.kind.surrogate)
            found[:0] = [(result.flatten(0, 1).t() @ rows).to(bias.dtype), d_bias]
            if layer:
                gradient = (result.flatten(0, 1) @ weight).view(*result.shape[:2], -1)
        return (result.sum(0) @ weight).to(bias.dtype), None, None, *found
