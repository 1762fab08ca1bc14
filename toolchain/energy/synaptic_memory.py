"""How many words of synaptic memory a layer takes in one core, by the two public formulas.

Each input axon has its own list of synapses. Loihi 1 cuts it into entries with a header each; what
Loihi 2's compiler prints fits one entry per axon. Dense entries store every synapse, zero weights
too; sparse ones store an index with each synapse and leave zero weights out. The cheaper one is
taken. Loihi 2's synapses carry an index as well; whether its compiler leaves zeros out is inferred
only, so all are counted (`indexed`).

    nengo  words(axon) = sum over entries of 64 synapses of ceil((n * (weight + delay + index) + 10)
        / 64)
    NxTF   bits(axon)  = n * (weight + delay + index) + ceil(n / 60) * (4 + 6 + index if dense)
           words(axon) = ceil(bits / 64), one more where the last word is full or has at least 59
           bits

Delays are not used, so their bits are 0. The first formula decides, with the numbers of the
profile; the second is shown beside it where a layer is put on Loihi 1. Source: nengo-loihi 1.1.0
SynapseConfig; intel-nrc-ecosystem/models, nxsdk_modules_ncl/dnn (NxTF); netx compiler output in
lava-dl's notebooks (Loihi 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.hardware_profiles import Profile

Int = NDArray[np.int64]
DENSE = "dense"
SPARSE = "sparse"
INDEXED = "indexed"
NXTF_BLOCK = 60
NXTF_HEADER = 4 + 6
NXTF_WORD = 64
NXTF_FULL = 59


@dataclass(frozen=True)
class Packing:
    """How one core's synapses are stored. Words are of the profile's own size."""

    encoding: str
    weight_bits: int
    index_bits: int
    words: int
    largest_axon: int  # words of the longest list
    words_nxtf: int | None = None  # by NxTF's formula, Loihi 1 only


def weight_code(profile: Profile, largest: int) -> int:
    """Return the bits, sign included, of the narrowest weight code that holds a magnitude."""
    widest = profile.limit("weight_bits")
    if "limits.weight_bits_least" not in profile:
        return widest
    if "limits.weight_bits_absent" in profile:
        absent = profile.limit("weight_bits_absent")
    else:
        absent = 0
    needed = max(profile.limit("weight_bits_least"), largest.bit_length() + 1)
    return next(bits for bits in range(needed, widest + 2) if bits != absent)


def index_bits(profile: Profile, encoding: str, neurons: int) -> int:
    """Return the bits of the index that a synapse carries.

    Args:
        profile: The chip.
        encoding: How synapses are stored.
        neurons: Of the core that it leads to.
    """
    if encoding != SPARSE:
        return profile.limit("index_bits")
    return max(profile.limit("sparse_index_least"), (neurons - 1).bit_length())


def encodings(profile: Profile) -> tuple[str, ...]:
    """What the chip offers."""
    if profile.limit("index_bits") == 0:
        whole = (DENSE,)
    else:
        whole = (INDEXED,)
    return whole + ((SPARSE,) if "limits.sparse_index_least" in profile else ())


def axon_words(profile: Profile, synapses: Int, bits: int) -> Int:
    """Return the words of axons, the sum over entries.

    Args:
        profile: The chip.
        synapses: Stored synapses of each axon.
        bits: Of each synapse.
    """
    word = profile.limit("word_bits")
    header = profile.limit("header_bits")
    if "limits.block_synapses" in profile:
        block = profile.limit("block_synapses")
    else:
        block = max(int(synapses.max(initial=1)), 1)
    whole, rest = np.divmod(synapses, block)
    return whole * -(-(block * bits + header) // word) + np.where(
        rest > 0, -(-(rest * bits + header) // word), 0
    )


def nxtf_words(synapses: Int, weight_bits: int, index: int, encoding: str) -> Int:
    """Return the same by NxTF's formula.

    Args:
        synapses: Stored synapses of each axon.
        weight_bits: Of each synapse.
        index: Bits that a sparse synapse or a dense entry carries.
        encoding: How synapses are stored.
    """
    per_synapse, per_entry = (
        (weight_bits, NXTF_HEADER + index)
        if encoding == DENSE
        else (weight_bits + index, NXTF_HEADER)
    )
    bits = synapses * per_synapse + -(-synapses // NXTF_BLOCK) * per_entry
    rest = bits % NXTF_WORD
    return np.where(synapses > 0, -(-bits // NXTF_WORD) + ((rest == 0) | (rest >= NXTF_FULL)), 0)


def pack(
    profile: Profile,
    nonzero: Int,
    neurons: int,
    weight_bits: int | None = None,
    encoding: str | None = None,
) -> Packing:
    """Return the cheapest storage of axons onto the neurons of one core.

    Args:
        profile: The chip.
        nonzero: [inputs], weights of each that are not zero.
        neurons: Of the core.
        weight_bits: The widest code by default.
        encoding: The cheapest by default.
    """
    if weight_bits is None:
        weight = profile.limit("weight_bits")
    else:
        weight = weight_bits
    found = []
    for name in encodings(profile) if encoding is None else (encoding,):
        index = index_bits(profile, name, neurons)
        if name == SPARSE:
            stored = nonzero
        else:
            stored = np.full(len(nonzero), neurons, np.int64)
        words = axon_words(profile, stored, weight + index)
        other = None
        if "limits.sparse_index_least" in profile:
            other = int(
                nxtf_words(stored, weight, index_bits(profile, SPARSE, neurons), name).sum()
            )
        found.append(
            Packing(name, weight, index, int(words.sum()), int(words.max(initial=0)), other)
        )
    return min(found, key=lambda packing: packing.words)


def synaptic_words(
    profile: Profile, inputs: int, neurons: int, weight_bits: int | None = None
) -> int:
    """Return the words for axons with no zero weight onto the neurons of one core.

    Args:
        profile: The chip.
        inputs: Axons.
        neurons: Of the core.
        weight_bits: The widest code by default.
    """
    return pack(profile, np.full(inputs, neurons, np.int64), neurons, weight_bits).words
