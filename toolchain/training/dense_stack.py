"""A ReLU network in one autograd node, the products between hidden layers in bfloat16 where asked: proxies and critics.

The first and the last layer, the gradients that the optimiser sees and the weights that it changes stay float32: observations,
actions and values keep their digits, and nearly all arithmetic lies between. On the CPU what lies between the products is compiled, one
pass over memory for each layer and way.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from toolchain.training import dense_kernels
from toolchain.training.spike_layers import array

NARROW = 64  # inputs


class DenseStack(torch.autograd.Function):
    """x [n, inputs], then weight [outputs, inputs] and bias [outputs] per layer, at least two -> outputs [n, outputs] of the last, linear layer.

    `products` is the type of products between hidden layers. Biases, and sums over n, stay in the parameters' type.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, products: torch.dtype, *parameters: Tensor) -> Tensor:  # type: ignore[override]
        (first, *hidden, last), biases = parameters[::2], parameters[1::2]
        products, inputs = products if hidden else x.dtype, [x]
        weights = [first, *(weight.to(products) for weight in hidden), last]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            inputs.append(_activate(inputs[-1] @ weight.t(), bias, products))
        ctx.save_for_backward(*inputs, *weights)
        return _last(inputs[-1], last, biases[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        layers = len(ctx.saved_tensors) // 2
        inputs, weights = ctx.saved_tensors[:layers], ctx.saved_tensors[layers:]
        found, wanted = [gradient.sum(0)], any(ctx.needs_input_grad[2:])
        gradient, d_weight, below = _last_back(gradient.contiguous(), inputs[-1], weights[-1])
        found[:0] = [d_weight]
        for layer in range(layers - 2, -1, -1):
            x, weight, d_bias = inputs[layer], weights[layer], below
            gradient = gradient.to(weight.dtype)
            found[:0] = [_product(gradient, x).to(d_bias.dtype), d_bias] if wanted else [None, None]
            if layer:
                gradient = gradient @ weight
                below = _hidden_back(gradient, x, d_bias.dtype)
        return gradient @ weights[0] if ctx.needs_input_grad[0] else None, None, *found


def _activate(y: Tensor, bias: Tensor, dtype: torch.dtype) -> Tensor:
    """ReLU(y + bias); may take the place of y."""
    if y.device.type != "cpu":
        return (y + bias).relu_().to(dtype)
    result = y if y.dtype == dtype else torch.empty_like(y, dtype=dtype)
    dense_kernels.activate(_array(y), _array(bias), _array(result))
    return result


def _last(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if x.device.type != "cpu":
        return torch.addmm(bias, x.to(weight.dtype), weight.t())
    y = bias.new_empty((len(x), len(weight)))
    dense_kernels.last_forward(_array(x), _array(weight), _array(bias), _array(y))
    return y


def _last_back(gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of what went into the ReLU that gave x, in x's type, and of the weight; the sums of the first over n."""
    if x.device.type != "cpu":
        d_x = torch.ops.aten.threshold_backward(gradient @ weight, x.to(weight.dtype), 0)
        return d_x.to(x.dtype), gradient.t() @ x.to(weight.dtype), d_x.sum(0)
    d_x, d_weight, below = torch.empty_like(x), weight.new_zeros(weight.shape), weight.new_zeros(weight.shape[1])
    dense_kernels.last_backward(*map(_array, (gradient, x, weight, d_x, d_weight, below)))
    return d_x, d_weight, below


def _hidden_back(gradient: Tensor, x: Tensor, dtype: torch.dtype) -> Tensor:
    """The gradient of x becomes, in place, that of what went into its ReLU; the sums of that over n in `dtype`."""
    if x.device.type != "cpu":
        gradient.copy_(torch.ops.aten.threshold_backward(gradient, x, 0))
        return gradient.sum(0, dtype=dtype)
    below = gradient.new_zeros(x.shape[1], dtype=dtype)
    dense_kernels.hidden_backward(_array(gradient), _array(x), _array(below))
    return below


def _product(gradient: Tensor, x: Tensor) -> Tensor:
    """gradient^T x; with few inputs (a first layer) by way of its transpose, which is the faster product."""
    return (x.t() @ gradient).t().contiguous() if x.shape[1] < NARROW else gradient.t() @ x


def _array(tensor: Tensor) -> Any:
    """The same memory; bfloat16 as uint16, for want of such a type in NumPy."""
    return array(tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor)


def dense(network: nn.Sequential, x: Tensor, bfloat16: bool = False, learns: bool = True) -> Tensor:
    """`network(x)`, linear layers with ReLU between and at will one function at the end. Others run module by module, in float32.

    bfloat16 is for products between hidden layers; with fewer than two of those nothing is rounded. Parameters of a network that
    does not learn get no gradient.
    """
    modules = list(network)
    tail = [] if isinstance(modules[-1], nn.Linear) else [modules.pop()]
    plain = len(modules) > 1 and all(isinstance(module, (nn.Linear, nn.ReLU)[index % 2]) for index, module in enumerate(modules))
    if not plain or x.ndim != 2 or x.dtype not in (torch.float32, torch.float64):
        return network(x)
    parameters: list[Any] = [parameter for layer in modules[::2] for parameter in (layer.weight, layer.bias)]
    parameters = parameters if learns else [parameter.detach() for parameter in parameters]
    y: Tensor = DenseStack.apply(x, torch.bfloat16 if bfloat16 else x.dtype, *parameters)  # type: ignore[assignment]
    return tail[0](y) if tail else y
