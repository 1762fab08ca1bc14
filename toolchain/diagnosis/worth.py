"""What one unit of a signal's payload is worth, from three sides that must agree.

    declared        encoder.scale, layer.unit
    folded          what the next layer's columns assume: W_int[j, i] row_scale[j] = W[j, i] *
        folded[i]
    meant           what the neuron needs to send one: theta[i] row_scale[i]; for an activation
        table its own slope

Least squares over the rows of a column, in integer units, gives `folded`; rounding moves it a
little, so the declared worth is kept unless the column says clearly (or all columns of the layer
say) that it was folded with another one. Rows are fitted to the states before they are rounded,
which moves correlated columns against each other: another worth is believed only if the float layer
then does on the states what the rows do, not because coefficients look alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.host.observations import Float
from spikeport.toolchain.network.integer_network import Layer
from spikeport.toolchain.policies.ann_policy import DenseLayer

CLEAR = 1.5  # a ratio of worths beyond this, or its inverse, is no rounding
NOISE = 4.0  # steps of a row's weights of RMS misfit that rounding may cause
# of the RMS difference between rows and float layer that may be left where another worth is the
# reason
EXPLAINED = 0.5
GRID = 257


def folded_worth(
    layer: Layer, dense: DenseLayer, declared: Float, values: Float | None = None
) -> Float:
    """Real worth [in] of the payloads that arrive at `layer`, as its columns were folded with it.

    `values` [n, in] are the payloads that arrived; without them the columns alone decide.
    """
    step = smallest_step(layer)
    wanted = dense.weight.astype(np.float64) * declared / (layer.row_scale * step)[:, None]
    found = layer.weights / step[:, None]
    cross = (wanted * found).sum(0)
    power = (wanted**2).sum(0)
    own = (found**2).sum(0)
    ratio = np.divide(cross, power, out=np.ones_like(cross), where=power > 0)
    fit = np.divide(cross**2, power * own, out=np.zeros_like(cross), where=(power > 0) & (own > 0))
    misfit = np.sqrt(((found - wanted) ** 2).mean(0))
    clear = _off(ratio) & (fit > 0.8) & (misfit > NOISE)
    whole = float(cross.sum() / max(power.sum(), 1e-300))
    usual = 1.0  # or what all columns together say clearly
    if whole > 0 and bool(_off(np.array([whole]))[0]):
        if float(np.sqrt(((found - wanted) ** 2).mean())) > NOISE:
            usual = whole
    folded = declared * np.where(clear, np.maximum(ratio, 1e-9), usual)
    if values is None or np.array_equal(folded, declared):
        return folded
    left, before = (_difference(layer, dense, worth, values) for worth in (folded, declared))
    if left < EXPLAINED * before:
        return folded
    return declared


def _difference(layer: Layer, dense: DenseLayer, worth: Float, values: Float) -> float:
    """RMS over states of what the rows give less what the float layer does.

    It is about each row's mean, and rows are weighted by their scale.
    """
    rows = layer.weights * layer.row_scale[:, None] - dense.weight.astype(np.float64) * worth
    return float(np.sqrt((((values - values.mean(0)) @ rows.T) ** 2).mean()))


def rounding_grain(layer: Layer, values: Float) -> Float:
    """RMS [rows] of what rounding to the steps of each row can do to its sum.

    `values` [n, in] are the payloads that are summed.
    """
    return smallest_step(layer) * layer.row_scale * np.sqrt(values.var(0).sum() / 12)


def smallest_step(layer: Layer) -> Float:
    """What one step of a row's weights is in integers, [out].

    It is 1, or more in a row that uses few of its levels.
    """
    size = np.abs(layer.weights.astype(np.int64))
    return np.where(size > 0, size, 127).min(1).astype(np.float64)


def distinct_levels(layer: Layer) -> int:
    """Median over rows of the number of distinct weight sizes, 0 included.

    For B bits it is 2^(B-1) at most.
    """
    sizes = np.abs(layer.weights.astype(np.int64))
    return int(np.median([len(np.unique(np.append(row, 0))) for row in sizes]))


def _off(ratio: Float) -> NDArray[np.bool_]:
    return (ratio > CLEAR) | (ratio < 1 / CLEAR)


def meant_worth(layer: Layer, pre_activations: Float) -> Float:
    """Real worth [neurons] of one payload by the neuron's own threshold.

    With an activation table it is the factor that brings the table's output nearest to the
    activation, over the range of `pre_activations` [n, neurons].
    """
    if layer.table is None:
        return layer.threshold.astype(np.float64) * layer.row_scale
    low = pre_activations.min(0)
    high = pre_activations.max(0)
    grid = low + np.linspace(0, 1, GRID)[:, None] * np.maximum(high - low, layer.row_scale)
    q = layer.table(np.rint(grid / layer.row_scale).astype(np.int64)).astype(np.float64)
    wanted = ACTIVATIONS[layer.activation].value(grid)
    power = (q * q).sum(0)
    slope = np.divide((q * wanted).sum(0), power, out=layer.unit.copy(), where=power > 0)
    # a table that spans few payloads says little about its slope
    trusted = (slope > 0) & (power >= 16 * GRID)
    return np.where(trusted & _off(slope / layer.unit), slope, layer.unit)
