"""ReLU networks forward and back, as proxies and critics are.

Products between hidden layers are in bfloat16 where asked.
The first and the last layer, the gradients that the optimiser sees and the weights that it changes
stay float32: observations, actions and values keep their digits, and nearly all arithmetic lies
between. On the CPU what lies between the products is compiled, one pass over memory for each layer
and way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from spikeport.toolchain.training.layers import dense_kernels
from spikeport.toolchain.training.layers.spike_layers import array
from spikeport.toolchain.training.layers.threads import threads

NARROW = 64  # inputs, below which the transposed product is the faster one


class DensePasses:
    """A network forward and back, in memory of its own.

    What one pass returns, the next one of its kind overwrites. A pass is a list of calls on tensors
    that stay, as their arguments cost as much to make as small products.
    """

    def __init__(self, parameters: Sequence[Tensor], rows: int, products: torch.dtype) -> None:
        """Take memory for passes of `rows` rows.

        Args:
            parameters: Weight [outputs, inputs] and bias [outputs] per layer, at least two layers,
                the last one linear.
            rows: n of every pass.
            products: Type of products between hidden layers; biases, and sums over n, stay in the
                parameters' type.
        """
        parameters = [parameter.detach() for parameter in parameters]
        self.weights = parameters[::2]
        self.biases = parameters[1::2]
        ends = parameters[0].dtype
        if len(self.weights) <= 2:  # there is one hidden layer, so nothing lies between two
            products = ends
        # the type of each product before a ReLU
        between = [ends, *[products] * (len(self.weights) - 2)]
        new = self.weights[0].new_empty
        its = zip(self.weights, between, strict=False)
        self.rounded = [
            weight if weight.dtype == dtype else torch.empty_like(weight, dtype=dtype)
            for weight, dtype in its
        ]
        self.drives = [
            new((rows, len(bias)), dtype=dtype)
            for bias, dtype in zip(self.biases, between, strict=False)
        ]
        self.hidden = [
            drive if drive.dtype == products else torch.empty_like(drive, dtype=products)
            for drive in self.drives
        ]
        self.x = new((rows, self.weights[0].shape[1]))
        self.outputs = new((rows, len(self.biases[-1])))
        self.inputs = [self.x, *self.hidden]
        self.there = list(self._forward())

    def forward(self, x: Tensor) -> Tensor:
        """Inputs x [n, inputs] -> outputs [n, outputs]."""
        self.x.copy_(x)
        for call in self.there:
            call()
        return self.outputs

    def backward(
        self, gradient: Tensor, learns: bool = True, inputs: bool = False
    ) -> Tensor | None:
        """Go back from the last forward pass.

        Args:
            gradient: Of the outputs, [n, outputs].
            learns: Whether `gradients` of the parameters are wanted.
            inputs: Whether that of x is wanted.

        Returns:
            The gradient [n, inputs] of x where it is wanted.
        """
        self.d_outputs.copy_(gradient)
        for call in self.back if learns else self.back_without_learning:
            call()
        if inputs:
            return self.d_drives[0] @ self.weights[0]
        return None

    def _forward(self) -> Iterator[Callable[[], Any]]:
        for layer, (weight, drive) in enumerate(zip(self.rounded, self.drives, strict=True)):
            if weight is not self.weights[layer]:
                yield partial(weight.copy_, self.weights[layer])
            yield partial(torch.mm, self.inputs[layer], weight.t(), out=drive)
            yield _bind(
                dense_kernels.activate, _activate, drive, self.biases[layer], self.hidden[layer]
            )
        yield _bind(
            dense_kernels.last_forward,
            _last_forward,
            self.hidden[-1],
            self.weights[-1],
            self.biases[-1],
            self.outputs,
        )

    # Memory for the way back, which not every network goes, is made when it is first asked for.

    @cached_property
    def gradients(self) -> list[Tensor]:
        """Gradients of weight and bias of each layer."""
        return [
            torch.empty_like(part, memory_format=torch.contiguous_format)
            for pair in zip(self.weights, self.biases, strict=True)
            for part in pair
        ]

    @cached_property
    def d_outputs(self) -> Tensor:
        """The gradient [n, outputs] of the outputs."""
        return torch.empty_like(self.outputs)

    @cached_property
    def d_hidden(self) -> list[Tensor]:
        """Gradients of what went into each ReLU, in the type of what came out."""
        return [torch.empty_like(hidden) for hidden in self.hidden]

    @cached_property
    def d_drives(self) -> list[Tensor]:
        """The same in the type of the products."""
        return [
            d_hidden if d_hidden.dtype == drive.dtype else torch.empty_like(drive)
            for d_hidden, drive in zip(self.d_hidden, self.drives, strict=True)
        ]

    @cached_property
    def back(self) -> list[Callable[[], Any]]:
        """The calls of a backward pass."""
        return list(self._backward(True))

    @cached_property
    def back_without_learning(self) -> list[Callable[[], Any]]:
        """The calls of a backward pass for the inputs' gradient alone."""
        return list(self._backward(False))

    def _backward(self, learns: bool) -> Iterator[Callable[[], Any]]:
        if learns:
            gradients = self.gradients
            yield partial(torch.sum, self.d_outputs, 0, out=gradients[-1])
        else:  # kernels write them in any case
            gradients = [torch.empty_like(part) for part in self.gradients]
        last = (
            self.d_outputs,
            self.hidden[-1],
            self.weights[-1],
            self.d_hidden[-1],
            gradients[-2],
            gradients[-3],
        )
        yield _bind(dense_kernels.last_backward, _last_backward, *last)
        for layer in range(len(self.drives) - 1, -1, -1):
            d_drive = self.d_drives[layer]
            if d_drive is not self.d_hidden[layer]:
                yield partial(d_drive.copy_, self.d_hidden[layer])
            if learns:
                yield from self._weights_gradient(d_drive, self.inputs[layer], gradients[2 * layer])
            if layer:
                yield partial(torch.mm, d_drive, self.rounded[layer], out=self.d_hidden[layer - 1])
                yield _bind(
                    dense_kernels.hidden_backward,
                    _hidden_backward,
                    self.d_hidden[layer - 1],
                    self.hidden[layer - 1],
                    gradients[2 * layer - 1],
                )

    def _weights_gradient(
        self, d_drive: Tensor, x: Tensor, target: Tensor
    ) -> Iterator[Callable[[], Any]]:
        """Calls that compute a weight's gradient.

        A first layer's few inputs make the transposed product the faster one. What is not float32
        needs rounding back.
        """
        transposed = x.shape[1] < NARROW
        left, right = (x.t(), d_drive) if transposed else (d_drive.t(), x)
        if not transposed and target.dtype == x.dtype:
            sums = target
        else:
            sums = x.new_empty((left.shape[0], right.shape[1]))
        yield partial(torch.mm, left, right, out=sums)
        if sums is not target:
            yield partial(target.copy_, sums.t() if transposed else sums)


class DenseStack(torch.autograd.Function):
    """DensePasses as a node of autograd's graph.

    It takes x [n, inputs], the type of products, and the parameters.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, products: torch.dtype, *parameters: Tensor
    ) -> Tensor:
        """Outputs [n, outputs]."""
        ctx.passes = DensePasses(parameters, len(x), products)
        ctx.save_for_backward(x, *parameters)
        # a copy: what the context holds would hold the graph and so itself
        return ctx.passes.forward(x).clone()

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Gradients of x and of the parameters that learn."""
        passes: DensePasses = ctx.passes
        saved = ctx.saved_tensors  # an error where one was changed since
        learns = any(ctx.needs_input_grad[2:])
        d_x = passes.backward(gradient, learns, ctx.needs_input_grad[0])
        if not learns:
            return d_x, None, *[None] * (len(saved) - 1)
        return d_x, None, *[part.clone() for part in passes.gradients]


def _bind(
    kernel: Callable[..., None], operations: Callable[..., None], *tensors: Tensor
) -> Callable[[], None]:
    """A call on tensors that stay.

    It is of the compiled kernel on the CPU, with the threads that torch has now, and of torch
    operations elsewhere. bfloat16 passes as uint16, for want of such a type in NumPy.
    """
    if tensors[0].device.type != "cpu":
        return partial(operations, *tensors)
    arrays = [
        array(tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor)
        for tensor in tensors
    ]
    return partial(kernel, threads(), *arrays)


def _activate(drive: Tensor, bias: Tensor, hidden: Tensor) -> None:
    hidden.copy_((drive + bias).relu_())


def _last_forward(x: Tensor, weight: Tensor, bias: Tensor, outputs: Tensor) -> None:
    outputs.copy_(torch.addmm(bias, x.to(weight.dtype), weight.t()))


def _last_backward(
    gradient: Tensor, x: Tensor, weight: Tensor, d_x: Tensor, d_weight: Tensor, sums: Tensor
) -> None:
    wide = x.to(weight.dtype)
    below = torch.ops.aten.threshold_backward(gradient @ weight, wide, 0)
    d_x.copy_(below)
    d_weight.copy_(gradient.t() @ wide)
    sums.copy_(below.sum(0))


def _hidden_backward(gradient: Tensor, x: Tensor, sums: Tensor) -> None:
    gradient.copy_(torch.ops.aten.threshold_backward(gradient, x, 0))
    sums.copy_(gradient.sum(0, dtype=sums.dtype))


def layers(network: nn.Sequential) -> list[Tensor]:
    """Weight, bias per layer of a network that DensePasses can run; of others nothing.

    Those are linear layers with ReLU between, and possibly one function at the end. Layers that are
    more than that do not count: subclasses, reparametrised ones, without bias, or with hooks.
    """
    modules = list(network)
    if not isinstance(modules[-1], nn.Linear):
        modules = modules[:-1]
    plain = (
        type(network) is nn.Sequential
        and len(modules) > 1
        and not any(map(hooked, [network, *modules]))
    )
    if not plain or not all(
        type(module) is (nn.Linear, nn.ReLU)[index % 2] for index, module in enumerate(modules)
    ):
        return []
    if not all(
        isinstance(part, nn.Parameter)
        for layer in modules[::2]
        for part in (layer.weight, layer.bias)
    ):
        return []
    linear: list[Any] = modules[::2]
    return [parameter for layer in linear for parameter in (layer.weight, layer.bias)]


def hooked(module: nn.Module) -> bool:
    """Whether a call of the module does more than its `forward`."""
    return any(
        (
            module._forward_hooks,
            module._forward_pre_hooks,
            module._backward_hooks,
            module._backward_pre_hooks,
        )
    )


def dense(network: nn.Sequential, x: Tensor, bfloat16: bool = False, learns: bool = True) -> Tensor:
    """Compute `network(x)`, fast where `layers` knows the network, else module by module.

    Args:
        network: A ReLU network, or any other.
        x: [n, inputs].
        bfloat16: For products between hidden layers; with fewer than two of those, or in a network
            that runs module by module, nothing is rounded.
        learns: Whether the parameters get a gradient.

    Returns:
        The network's outputs [n, outputs].
    """
    parameters = layers(network)
    if (
        not parameters
        or x.ndim != 2
        or x.dtype not in (torch.float32, torch.float64)
        or any(part.dtype != x.dtype for part in parameters)
    ):
        return network(x)
    if not learns:
        parameters = [parameter.detach() for parameter in parameters]
    products = torch.bfloat16 if bfloat16 and x.dtype == torch.float32 else x.dtype
    y: Tensor = DenseStack.apply(x, products, *parameters)  # type: ignore[assignment]
    if isinstance(network[-1], nn.Linear):
        return y
    return network[-1](y)


def bfloat16_speed(size: int = 256, times: int = 9) -> float:
    """Measure how many times as fast as in float32 the CPU makes products in bfloat16.

    It is below 1 where the CPU has no instructions for them.
    """
    medians = []
    for dtype in (torch.bfloat16, torch.float32):
        square = torch.ones((size, size), dtype=dtype)
        seconds = []
        for _ in range(times):
            start = time.perf_counter()
            torch.mm(square, square)
            seconds.append(time.perf_counter() - start)
        medians.append(sorted(seconds)[times // 2])
    return medians[1] / medians[0]
