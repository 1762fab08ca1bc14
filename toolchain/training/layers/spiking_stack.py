"""Spiking layers over all T timesteps at once, and their derivatives, written out by hand.

As no layer is delayed within a decision, layer l's inputs of all timesteps are known before layer l
runs. So a layer is one product of T * n rows and one scan over T, forward and backward, where
step-by-step autograd makes T products and a graph of some 10 T nodes. Voltages are not kept: the
way back computes them again from the drives. x = W s + b is the drive; the equations are those of
toolchain/policies/spiking_policy.py:

    lif    V <- 3/4 V (1 - S) + x;  S = [V > 1/2]
    clif   C <- 1/2 C + x;  V <- 3/4 V (1 - S) + C;  S = [V > 1/2]
    dn     C <- 1/2 C + x;  v = V (1 - S) + 0.021 S;  u = U + 0.132 S
           V = v^2 - u + C;  U = 1.529 u - 0.172 v;  S = [V > 1/2]

Backward: dS/dV is the surrogate, and the reset (1 - S) is differentiated too, as in the published
code (Xu et al. 2025). Adjoints d run from t = T - 1 down; dS starts as what the next layer sends
back:

    lif, clif   dS -= 3/4 V dV';  dV = surrogate dS + 3/4 (1 - S) dV'         ' is timestep t + 1
    dn          dv = 2 v dV' - 0.172 dU';  du = 1.529 dU' - dV'
                dS += (0.021 - V) dv + 0.132 du;  dV = surrogate dS + (1 - S) dv;  dU = du
    drive       lif dx = dV;  clif, dn dx = dC = dV + 1/2 dC'

The encoder has ds/da = 1 in each timestep, so its activations' gradient needs the first drive's
only in sum over T.

On the CPU the layers are compiled (spike_layers.py), on other devices they are torch operations
(scans.py).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.training.layers import scans, spike_layers
from spikeport.toolchain.training.layers.layer_kind import KeptLayer, LayerKind


def spike_counts(
    activations: Tensor, timesteps: int, kind: LayerKind, *parameters: Tensor
) -> Tensor:
    """Encoder activations -> spike counts [n, neurons] of the last layer.

    Args:
        activations: [n, inputs].
        timesteps: T.
        kind: What all layers are besides their weights.
        parameters: Weight [neurons, inputs], bias [neurons] per layer.

    Returns:
        The counts, with a way back where gradients are enabled.

    Raises:
        InputError: For numbers that are neither float32 nor float64.
    """
    if activations.dtype not in (torch.float32, torch.float64):
        raise InputError(
            "spiking network",
            "its parameters have a type that the scans cannot take",
            got=str(activations.dtype).removeprefix("torch."),
            limit="float32 or float64",
            fix="network.float()",
        )
    if not torch.is_grad_enabled():
        return _layers(activations).forward(
            activations, timesteps, kind.neuron, parameters, keep=False
        )[0]
    counts: Any = SpikingStack.apply(activations, timesteps, kind, *parameters)
    return counts


class SpikingStack(torch.autograd.Function):
    """`spike_counts` with its way back."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, activations: Tensor, timesteps: int, kind: LayerKind, *parameters: Tensor
    ) -> Tensor:
        """Run the layers and keep what the way back needs."""
        counts, kept = _layers(activations).forward(
            activations, timesteps, kind.neuron, parameters, keep=True
        )
        ctx.save_for_backward(*parameters, *kept)
        ctx.timesteps = timesteps
        ctx.kind = kind
        return counts

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Gradients of activations and parameters from that of the counts."""
        half = len(ctx.saved_tensors) // 2
        found = list[Tensor]()
        gradient = gradient[None]
        parameters = ctx.saved_tensors[:half]
        kept = ctx.saved_tensors[half:]
        for layer in range(half - 2, -1, -2):
            its = KeptLayer(*parameters[layer : layer + 2], *kept[layer : layer + 2])
            gradient, *own = _layers(gradient).backward(
                gradient, ctx.timesteps, ctx.kind, its, layer == 0
            )
            found[:0] = own
        return gradient, None, None, *found


def _layers(tensor: Tensor) -> Any:
    if tensor.device.type == "cpu":
        return spike_layers
    return scans
