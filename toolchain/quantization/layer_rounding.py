"""One weight layer to integers that pass the range proof, whatever the neuron behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons.bounds import RowKind, bound_rows
from spikeport.toolchain.policies.ann_policy import DenseLayer
from spikeport.toolchain.quantization.fitting import StateMoments, fitted_rows
from spikeport.toolchain.quantization.rounding import Rounding, natural_scale, quantise_rows

Float = NDArray[np.float64]
Long = NDArray[np.int64]
ATTEMPTS = 40
WORTHWHILE = 0.1  # share of rows that a stronger ridge must improve to try the next one
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)


@dataclass(frozen=True, eq=False)
class InputSignal:
    """What arrives at a layer.

    Integer values on calibration states [N, in], their unit and declared range [in].
    """

    values: Float | Long
    unit: Float
    low: Long
    high: Long


@dataclass(frozen=True, eq=False)
class IntegerRows:
    """What a layer became."""

    weights: Long  # [out, in]
    bias: Long  # [out]
    scale: Float  # [out]

    def accumulate(self, values: Float | Long) -> Long:
        """Return bias + weights @ value for each state, [N, out].

        Exact in float64: the proof keeps it far below 2^53.
        """
        sums = np.asarray(values, np.float64) @ self.weights.T.astype(np.float64)
        return sums.astype(np.int64) + self.bias


def round_layer(
    dense: DenseLayer,
    signal: InputSignal,
    wanted: Float,
    bits: int,
    kind: RowKind,
    least_scale: Float | None = None,
    importance: Float | None = None,
    price: Float | None = None,
) -> IntegerRows:
    """Integer rows of a float layer.

    Rows that the proof refuses get a coarser scale until it passes.

    Args:
        dense: The float layer.
        signal: What arrives.
        wanted: The float network's pre-activations on the calibration states, [N, out].
        bits: Of a weight.
        kind: What the proof must know of the layer.
        least_scale: The finest row scale that the neurons behind the rows allow, [out].
        importance: Weighs the states, [N, groups]: one group for all rows, or one per row.
        price: The squared error of a row's sum that omitting a synapse may cost, [out, in].
    """
    folded = dense.weight.astype(np.float64) * signal.unit
    weigh = np.ones((len(wanted), 1)) if importance is None else importance
    least = np.zeros(len(folded)) if least_scale is None else least_scale
    groups = [slice(None)]
    if weigh.shape[1] > 1:
        groups = [slice(row, row + 1) for row in range(len(folded))]
    parts = []
    for group, rows in enumerate(groups):
        limits = _Limits(bits, kind, least[rows], None if price is None else price[rows])
        parts.append(_round_rows(folded[rows], signal, wanted[:, rows], weigh[:, group], limits))
    return IntegerRows(*(np.concatenate(values) for values in zip(*parts, strict=True)))


@dataclass(frozen=True, eq=False)
class _Limits:
    """What rows may be: width of a weight, proof, finest scale [out], price of a synapse."""

    bits: int
    kind: RowKind
    least: Float
    price: Float | None


def _round_rows(
    folded: Float, signal: InputSignal, wanted: Float, importance: Float, limits: _Limits
) -> tuple[Long, Long, Float]:
    """Weights, biases and scales of the ridge with the least error on the states, for each row.

    Fitted rows may grow until integers of few bits no longer hold them: the ridge that is best for
    real rows is not the best for rounded ones.
    """
    moments = StateMoments.of(signal.values, wanted, importance)
    rounding = Rounding(moments.inputs)
    weights = np.zeros(folded.shape, np.int64)
    bias = np.zeros(len(folded), np.int64)
    scale = np.ones(len(folded))
    error = np.full(len(folded), np.inf)
    for ridge in RIDGES:
        real, real_bias = fitted_rows(folded, moments, ridge)
        candidate = _proven(real, real_bias, rounding, signal, limits)
        found = moments.error(*candidate)
        if limits.price is not None:
            found += (limits.price * (candidate[0] != 0)).sum(1)
        better = found < error
        for kept, new in zip((weights, bias, scale, error), (*candidate, found), strict=True):
            kept[better] = new[better]
        if better.mean() < WORTHWHILE:
            break
    return weights, bias, scale


def _proven(
    real: Float, bias_real: Float, rounding: Rounding, signal: InputSignal, limits: _Limits
) -> tuple[Long, Long, Float]:
    """Rounded rows at the finest scale that is tried and proven."""
    least = limits.least
    for _ in range(ATTEMPTS):
        weights, bias, scale = quantise_rows(
            real, bias_real, rounding, limits.bits, least, limits.price
        )
        proof = bound_rows(Dense(weights), bias, signal.low, signal.high, limits.kind)
        excess = np.maximum(proof.synaptic, proof.accumulator) / STATE_LIMIT
        if (excess <= 1).all():
            return weights, bias, scale
        least = np.where(excess > 1, scale * excess * 1.02, least)
    raise InputError(
        "quantisation",
        "no row scale makes the range proof pass",
        got=f"{excess.max():.1f} times the limit",
        limit=STATE_LIMIT,
        fix=("raise --action-error", "lower --timesteps"),
    )


def fits(dense: DenseLayer, unit: Float, low: Long, high: Long, bits: int, kind: RowKind) -> bool:
    """Whether all rows would pass the proof where their largest weight just fits `bits`.

    Args:
        dense: The float layer.
        unit: Of its inputs, [in].
        low: Least value that each input announces, [in].
        high: Largest value that each input announces, [in].
        bits: Of a weight.
        kind: What the proof must know of the layer.
    """
    folded = dense.weight.astype(np.float64) * unit
    largest = np.abs(folded).max(1)
    if not np.isfinite(largest).all():
        return False
    scale = np.where(
        largest > 0, natural_scale(largest, dense.bias.astype(np.float64), 2 ** (bits - 1) - 1), 1.0
    )
    weights = np.rint(folded / scale[:, None]).astype(np.int64)
    bias = np.rint(dense.bias / scale).astype(np.int64)
    proof = bound_rows(Dense(weights), bias, low, high, kind)
    return bool((np.maximum(proof.synaptic, proof.accumulator) <= STATE_LIMIT).all())
