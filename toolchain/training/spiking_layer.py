"""A spiking layer over all T timesteps at once: one product, one scan, and their derivatives written out by hand.

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
    dn          dv = 2 v dV' - 0.172 dU';  du = 1.529 dU' - dV'
                dS += (0.021 - V) dv + 0.132 du;  dV = surrogate dS + (1 - S) dv;  dU = du
    drive       lif dx = dV;  clif, dn dx = dC = dV + 1/2 dC'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from toolchain.training import scans
from toolchain.training.surrogates import PAPER, Surrogate


@dataclass(frozen=True)
class LayerKind:
    """What a layer's scan needs besides weights. `bfloat16`: products in bfloat16, spikes exact, weights and gradients rounded."""

    neuron: str = "lif"
    surrogate: Surrogate = PAPER
    bfloat16: bool = False


class SpikingLayer(torch.autograd.Function):
    """Spikes [T, n, inputs], weight [neurons, inputs], bias [neurons] -> spikes [T, n, neurons] of 0 and 1."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor, bias: Tensor, kind: LayerKind) -> Tensor:  # type: ignore[override]
        return _forward(ctx, spikes, weight, bias, kind)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # type: ignore[override]
        drive, weight, d_weight, d_bias = _backward(ctx, gradient)
        return (drive.flatten(0, 1) @ weight).to(gradient.dtype).view(*drive.shape[:2], -1), d_weight, d_bias, None


class EncodedLayer(torch.autograd.Function):
    """The first layer, from the encoder's activations [n, inputs]; ds/da = 1 in each timestep.

    So the activations' gradient needs the drives' gradients only in sum: its product has n rows instead of T * n.
    """

    @staticmethod
    def forward(ctx: Any, activations: Tensor, weight: Tensor, bias: Tensor, timesteps: int, kind: LayerKind) -> Tensor:  # type: ignore[override]
        return _forward(ctx, scans.encode(activations.contiguous(), timesteps), weight, bias, kind)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:  # type: ignore[override]
        drive, weight, d_weight, d_bias = _backward(ctx, gradient)
        return (drive.sum(0) @ weight).to(gradient.dtype), d_weight, d_bias, None, None


def _forward(ctx: Any, spikes: Tensor, weight: Tensor, bias: Tensor, kind: LayerKind) -> Tensor:
    rows = spikes.flatten(0, 1)
    if kind.bfloat16:
        rows, weight = rows.bfloat16(), weight.bfloat16()
    drive = (rows @ weight.t()).to(spikes.dtype).view(*spikes.shape[:2], -1)
    voltage, result = scans.forward(drive, bias, kind.neuron)
    ctx.save_for_backward(rows, weight, voltage)
    ctx.kind = kind
    return result


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradient of the drive and the weight, both in the type of the products; gradients of weight and bias."""
    rows, weight, voltage = ctx.saved_tensors
    drive, d_bias = scans.backward(gradient, voltage, ctx.kind.neuron, ctx.kind.surrogate)
    drive = drive.to(rows.dtype)
    return drive, weight, (drive.flatten(0, 1).t() @ rows).to(gradient.dtype), d_bias
