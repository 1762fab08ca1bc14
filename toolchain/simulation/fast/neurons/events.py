"""What the kernels of all neurons share: events, their synaptic sums, and where counts are kept.

Arrays are passed whole with offsets: a slice costs compiled code two atomic counts, and there would
be hundreds of them in a decision. Offsets are unsigned (U), so that no index needs a test for
wrapping around from the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeport.toolchain.compilation import njit

compiled: Any = njit(boundscheck=False, nogil=True)
CARRY = 1
START = 2
# Columns of the host's record of a row, int64 [rows, 3].
FRESH = 0
STALE = 1
DECISIONS = 2
# Rows of the counts, int64 [3, L + 1]; the last column counts decisions (row 0) and encoder
# saturations (row 2).
MESSAGES = 0
SYNOPS = 1
SATURATIONS = 2

U = np.uintp
ZERO = U(0)
ONE = U(1)
TWO = U(2)
FOUR = U(4)


@compiled
def gather(scratch, payloads, inputs, fan_out, fans, counts, layer, events):
    """Indices of the non-zero payloads to scratch[events:]; returns their number.

    Messages and synops are counted. Which payloads are zero cannot be predicted, so the loop has no
    branch: (v | -v) has its sign bit set unless v is 0, and a place that was written for a zero is
    written again.
    """
    end = events
    synops = np.int64(0)
    for i in range(inputs):
        value = scratch[payloads + i]
        scratch[end] = np.int32(i)
        end += U(np.uint32(value | -value) >> np.uint32(31))
    found = end - events
    for k in range(found):
        synops += fan_out[fans + U(scratch[events + k])]
    counts[0, layer] += np.int64(found)
    counts[1, layer] += synops
    return found


@compiled
def add_spikes(weights, matrix, scratch, events, found, target, total, outputs):
    """target[total + j] += the columns of the events.

    Four at a time, so that the sum stays in registers longer.
    """
    k = ZERO
    while k + FOUR <= found:
        at = events + k
        a = matrix + U(scratch[at]) * outputs
        b = matrix + U(scratch[at + ONE]) * outputs
        c = matrix + U(scratch[at + TWO]) * outputs
        d = matrix + U(scratch[at + TWO + ONE]) * outputs
        for j in range(outputs):
            low = np.int16(np.int16(weights[a + j]) + np.int16(weights[b + j]))
            high = np.int16(np.int16(weights[c + j]) + np.int16(weights[d + j]))
            target[total + j] += np.int32(np.int16(low + high))
        k += FOUR
    while k < found:
        a = matrix + U(scratch[events + k]) * outputs
        for j in range(outputs):
            target[total + j] += np.int32(weights[a + j])
        k += ONE


@compiled
def add_graded(weights, matrix, scratch, events, found, payloads, target, total, outputs):
    """target[total + j] += the columns of the events, each times its payload."""
    k = ZERO
    while k + TWO <= found:
        first = U(scratch[events + k])
        second = U(scratch[events + k + ONE])
        a = matrix + first * outputs
        b = matrix + second * outputs
        p = scratch[payloads + first]
        q = scratch[payloads + second]
        for j in range(outputs):
            target[total + j] += np.int32(weights[a + j]) * p + np.int32(weights[b + j]) * q
        k += TWO
    if k < found:
        first = U(scratch[events + k])
        a = matrix + first * outputs
        p = scratch[payloads + first]
        for j in range(outputs):
            target[total + j] += np.int32(weights[a + j]) * p
