"""A ReLU network in one autograd node, the products between hidden layers in bfloat16 where asked: proxies and critics.

The first and the last layer, the gradients that the optimiser sees and the weights that it changes stay float32: observations,
actions and values keep their digits, and nearly all arithmetic lies between.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from toolchain.training import kernels
from toolchain.training.scans import array

NARROW = 64  # inputs


class DenseStack(torch.autograd.Function):
    """x [n, inputs], then weight [outputs, inputs] and bias [outputs] per layer -> outputs [n, outputs] of the last, linear layer."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, products: torch.dtype, *parameters: Tensor) -> Tensor:  # type: ignore[override]
        ends, layers = x.dtype, len(parameters) // 2
        types = [ends if layer in (0, layers - 1) else products for layer in range(layers)]
        weights = [weight.to(dtype) for weight, dtype in zip(parameters[::2], types, strict=True)]
        inputs = [x]
        for weight, bias, dtype in zip(weights[:-1], parameters[1::2], types[1:], strict=False):
            inputs.append(torch.addmm(bias.to(weight.dtype), inputs[-1], weight.t()).relu_().to(dtype))
        ctx.save_for_backward(*inputs, *weights)
        return torch.addmm(parameters[-1], inputs[-1], weights[-1].t())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        layers = len(ctx.saved_tensors) // 2
        inputs, weights = ctx.saved_tensors[:layers], ctx.saved_tensors[layers:]
        wanted, ends, found = ctx.needs_input_grad, gradient.dtype, list[Tensor | None]()
        for layer in range(layers - 1, -1, -1):
            x, weight = inputs[layer], weights[layer]
            gradient = gradient.to(weight.dtype)
            d_bias = gradient.sum(0, dtype=ends) if wanted[2 * layer + 3] else None
            d_weight = _product(gradient, x).to(ends) if wanted[2 * layer + 2] else None
            found[:0] = [d_weight, d_bias]
            if layer:
                gradient = torch.ops.aten.threshold_backward(gradient @ weight, x.to(weight.dtype), 0)
        return gradient @ weights[0] if wanted[0] else None, None, *found


class NarrowDenseStack(torch.autograd.Function):
    """DenseStack of float32 with bfloat16 products on the CPU: x [n, inputs], then weights and biases -> outputs [n, outputs].

    What lies between the products is compiled, one pass over memory for each layer and way; biases and sums over n stay float32.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:  # type: ignore[override]
        (first, *hidden, last), biases, inputs = parameters[::2], parameters[1::2], [x]
        weights = [first, *(weight.to(torch.bfloat16) for weight in hidden), last]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            y = inputs[-1] @ weight.t()
            inputs.append(y if y.dtype == torch.bfloat16 else torch.empty_like(y, dtype=torch.bfloat16))
            kernels.activate(array(y), array(bias), array(inputs[-1]))
        y = x.new_empty((len(x), len(last)))
        kernels.last_forward(array(inputs[-1]), array(last), array(biases[-1]), array(y))
        ctx.save_for_backward(*inputs, *weights)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        layers = len(ctx.saved_tensors) // 2
        inputs, weights = ctx.saved_tensors[:layers], ctx.saved_tensors[layers:]
        below, gradient = gradient.new_zeros(weights[-1].shape[1]), gradient.contiguous()
        d_x, d_weight = torch.empty_like(inputs[-1]), torch.zeros_like(weights[-1])
        kernels.last_backward(*(array(part) for part in (gradient, inputs[-1], weights[-1], d_x, d_weight, below)))
        found: list[Tensor | None] = [d_weight, gradient.sum(0)]
        gradient, wanted = d_x, any(ctx.needs_input_grad[1:])
        for layer in range(layers - 2, -1, -1):
            x, weight, d_bias = inputs[layer], weights[layer], below
            gradient = gradient if layer else gradient.to(x.dtype)
            found[:0] = [_product(gradient, x).to(d_bias.dtype), d_bias] if wanted else [None, None]
            if layer:
                gradient, below = gradient @ weight, d_bias.new_zeros(weight.shape[1])
                kernels.hidden_backward(array(gradient), array(x), array(below))
        return gradient @ weights[0] if ctx.needs_input_grad[0] else None, *found


def _product(gradient: Tensor, x: Tensor) -> Tensor:
    """gradient^T x; with few inputs (a first layer) by way of its transpose, which is the faster product."""
    return (x.t() @ gradient).t().contiguous() if x.shape[1] < NARROW else gradient.t() @ x


def dense(network: nn.Sequential, x: Tensor, bfloat16: bool = False, learns: bool = True) -> Tensor:
    """`network(x)`, linear layers with ReLU between and at will one function at the end. Others run module by module, in float32.

    bfloat16 is for products between hidden layers; with fewer than two of those nothing is rounded. Parameters of a network that
    does not learn get no gradient.
    """
    modules = list(network)
    tail = [] if isinstance(modules[-1], nn.Linear) else [modules.pop()]
    if not all(isinstance(module, (nn.Linear, nn.ReLU)[index % 2]) for index, module in enumerate(modules)):
        return network(x)
    parameters: list[Any] = [parameter for layer in modules[::2] for parameter in (layer.weight, layer.bias)]
    parameters = parameters if learns else [parameter.detach() for parameter in parameters]
    if bfloat16 and x.device.type == "cpu" and x.dtype == torch.float32 and x.ndim == 2 and len(modules) > 3:
        y: Tensor = NarrowDenseStack.apply(x, *parameters)  # type: ignore[assignment]
    else:
        y = DenseStack.apply(x, torch.bfloat16 if bfloat16 else x.dtype, *parameters)  # type: ignore[assignment]
    return tail[0](y) if tail else y
