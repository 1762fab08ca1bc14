"""The trained copy back to an integer network that passes the range proof."""

from __future__ import annotations

import dataclasses

import numpy as np

from spikeport.toolchain.conversion.distillation.fake_quantised import FakeQuantised
from spikeport.toolchain.network.integer_network import Encoder, Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons.bounds import RowKind, bound_rows, payload_ranges
from spikeport.toolchain.quantization.activation_table import build_table
from spikeport.toolchain.quantization.rounding import Float, Long


def integer_network(trained: FakeQuantised) -> Network:
    """The network whose integers `trained` imitates.

    Payload ranges are those of the network it started from.
    """
    source = trained.network
    weights = trained.arrays("weights")
    biases = trained.arrays("biases")
    scales = trained.arrays("row_scales")
    units = trained.arrays("units")
    layers = []
    for index, layer in enumerate(source.layers):
        integers, bias, scale = _proven_rows(
            source,
            index,
            np.clip(np.rint(weights[index]), -trained.limit, trained.limit),
            biases[index],
            scales[index],
        )
        changes: dict[str, object] = {
            "synapses": Dense(integers.astype(np.int8)),
            "bias": bias.astype(np.int32),
            "row_scale": scale,
            "unit": scale,
        }
        if index < len(source.layers) - 1:
            changes |= _behind(layer, scale, units[index + 1])
        layers.append(dataclasses.replace(layer, **changes))  # type: ignore[arg-type]
    return dataclasses.replace(
        source, encoder=Encoder(units[0], source.encoder.limit), layers=tuple(layers)
    )


def _proven_rows(
    network: Network, index: int, weights: Float, bias: Float, scale: Float
) -> tuple[Long, Long, Float]:
    """Integer rows; those that the proof refuses get a coarser scale."""
    low, high = payload_ranges(network)[index]
    real = weights * scale[:, None]
    scale = scale.copy()
    while True:
        integers = np.rint(real / scale[:, None]).astype(np.int64)
        integer_bias = np.rint(bias / scale).astype(np.int64)
        proof = bound_rows(Dense(integers), integer_bias, low, high, RowKind.of(network, index))
        excess = np.maximum(proof.synaptic, proof.accumulator) / STATE_LIMIT
        if (excess <= 1).all():
            return integers, integer_bias, scale
        scale = np.where(excess > 1, scale * excess * 1.02, scale)


def _behind(layer: Layer, scale: Float, unit: Float) -> dict[str, object]:
    """Threshold and unit, or table, of the neurons behind rows of `scale`."""
    if layer.table is not None:
        return {"unit": unit, "table": build_table(layer.activation, scale, unit)}
    threshold = np.clip(np.rint(unit / scale), 1, STATE_LIMIT)
    return {"threshold": threshold.astype(np.int32), "unit": threshold * scale}
