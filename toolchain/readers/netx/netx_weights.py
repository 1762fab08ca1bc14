"""What lava-dl's netx (0.6.0) makes of a weight matrix before a `Dense` of Lava acts with it.

The reader shifts the integers up to fill 8 bits and hands the shift to the Dense as a negative
weight exponent; Dense derives the signs from the matrix, clips to 8 bits and clears low bits. For
most matrices the two undo each other. They do not where a weight is out of range, where nothing is
positive and the most negative weight is minus a power of two, and where all weights are zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Long = NDArray[np.int64]
# of a synapse of both signs
LARGEST = 254
SMALLEST = -256
BITS = 8


def weights_problem(weights: Long) -> str:
    """Why netx would not run these integers [out, in], or the empty string."""
    if not weights.any():
        return "all weights are zero, which netx cannot load"
    high = int(weights.max())
    low = int(weights.min())
    if high > LARGEST + (low >= 0) or low < SMALLEST:
        return f"weights are {low}..{high}, {SMALLEST}..{LARGEST} expected"
    if not np.array_equal(weights, netx_weights(weights)):
        return f"weights {low}..{high} are none above zero, and netx clips their most negative ones"
    return ""


def netx_weights(weights: Long) -> Long:
    """Return the weights with which spikes are summed.

    They are for a matrix within a synapse's range that is not all zero.
    """
    high = int(weights.max())
    low = int(weights.min())
    mixed = int(low < 0 <= high)
    if mixed:
        room = min(127 / high if high else np.inf, 128 / -low)
    else:
        if low < 0:
            room = 256 / -low
        else:
            room = 255 / high
    shift = int(np.floor(np.log2(room))) + mixed
    even = next(n for n in range(BITS, -1, -1) if not (weights % 2**n).any()) - mixed
    bits = BITS - shift - even
    shifted = weights << shift
    signs = int(low < 0 < high)
    if high <= 0:
        magnitude = -shifted
    else:
        magnitude = shifted
    cleared = BITS - bits + signs
    kept = np.clip(magnitude, -256 * signs, 255)
    # what NumPy makes of a negative shift
    if cleared >= 0:
        kept = kept >> cleared << cleared
    else:
        kept = 0 * kept
    return (-kept if high <= 0 else kept) >> shift
