"""Compiled products of spikes on the CPU, by table.

A product of spikes needs no multiplication: four inputs that spike or not have sixteen sums of
weights, which a table holds, so one addition stands for four multiply-adds however dense the spikes
are. (The method of four Russians: Arlazarov et al. 1970.) Floating-point sums come in another order
than a dense product's, nothing else differs. The way back is the same product: a weight's gradient
adds up gradients of drives where its input spiked, four rows to a table.

A row is one timestep of one sample, row t * samples + sample; samples are padded to a whole
multiple of ROWS, and those beyond the real ones change nothing: no result is read from them, and
their gradients are 0. `patterns` [groups, rows] are uint8: bits 3 to 6 of an entry say which of a
group's four inputs spike in a row. `across` [groups of four rows, inputs] are the same spikes the
other way round.

A layer is computed in blocks of LANES neurons, whose tables, drives, spikes and patterns all stay
in a core's own cache. Blocks do not depend on each other, so threads share them. What must stay in
registers stands in lanes.py; other inner loops touch few arrays each, as the compiler makes no
vector instructions of many. Numbers are float32 or float64 throughout, scalar arguments too, as a
Python float would widen the loops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeport.toolchain.compilation import njit
from spikeport.toolchain.training.layers.lanes import (
    ENTRIES,
    LANES,
    ROWS,
    SCALE,
    add_entries,
    fill_table,
)

compiled: Any = njit(boundscheck=False, nogil=True, error_model="numpy")
TABLES = 20  # that lie in the fastest cache together
LINE = 64  # bytes of a line of cache


@compiled
def aligned(rows, like):  # noqa: ANN001, ANN201
    """Take memory [rows, LANES] for numbers as in `like`, beginning at a line of the cache.

    Loads of a row that lies in two lines take twice as long.
    """
    size = like.itemsize
    memory = np.empty(rows * LANES + LINE // size, like.dtype)
    start = (-memory.ctypes.data % LINE) // size
    return memory[start : start + rows * LANES].reshape((rows, LANES))


@compiled
def product(patterns, values, tables, out):  # noqa: ANN001, ANN201
    """Spikes in patterns [groups, rows] times values [groups * ROWS, LANES] -> [rows, LANES]."""
    size = values.itemsize * LANES
    for first in range(0, patterns.shape[0], tables.shape[0]):
        count = min(tables.shape[0], patterns.shape[0] - first)
        for k in range(count):
            fill_table(values, first + k, tables, k)
        here = patterns[first:].ctypes.data
        there = out.ctypes.data
        for r in range(0, out.shape[0], ROWS):
            add_entries(tables, here + r, patterns.shape[1], count, there + r * size, first == 0)


@compiled
def pack(fired, patterns):  # noqa: ANN001, ANN201
    """What fired [rows], a bit per lane -> patterns [LANES / ROWS, rows]."""
    for g in range(LANES // ROWS):
        target = patterns[g]
        shift = np.uint16(ROWS * g)
        for r in range(fired.size):
            target[r] = np.uint8(
                np.uint16(np.uint16(fired[r] >> shift) << np.uint16(3))
                & np.uint16(SCALE * (ENTRIES - 1))
            )


@compiled
def pack_across(fired, across, first):  # noqa: ANN001, ANN201
    """What fired [rows], a bit per lane -> across [rows / ROWS, inputs] from column `first` on."""
    for g in range(across.shape[0]):
        target = across[g, first : first + LANES]
        r = ROWS * g
        a = np.uint32(fired[r])
        b = np.uint32(fired[r + 1])
        c = np.uint32(fired[r + 2])
        d = np.uint32(fired[r + 3])
        for h in range(LANES):
            lane = np.uint32(h)
            one = np.uint32(1)
            low = np.uint32(
                np.uint32(np.uint32(a >> lane) & one)
                + np.uint32(np.uint32(np.uint32(b >> lane) & one) << one)
            )
            high = np.uint32(
                np.uint32(np.uint32(c >> lane) & one)
                + np.uint32(np.uint32(np.uint32(d >> lane) & one) << one)
            )
            target[h] = np.uint8(
                np.uint32(np.uint32(low + np.uint32(high << np.uint32(2))) << np.uint32(3))
            )


@compiled
def biases(bias, first):  # noqa: ANN001, ANN201
    """Biases [LANES] of the block from neuron `first` on, 0 beyond the last neuron."""
    result = np.zeros(LANES, bias.dtype)
    for h in range(min(LANES, bias.size - first)):
        result[h] = bias[first + h]
    return result


@compiled
def clear(row):  # noqa: ANN001, ANN201
    """Set to zero."""
    for h in range(row.size):
        row[h] = 0
