"""How many words of synaptic memory a dense weight matrix takes in one core.

Each input axon has its own list. Loihi 1 cuts it into entries of up to 64 synapses with a header each; what
Loihi 2's compiler prints fits one entry per axon. Every synapse is stored, zero weights too.
Source: nengo-loihi 1.1.0 SynapseConfig (Loihi 1); netx compiler output in lava-dl's notebooks (Loihi 2).
"""

from __future__ import annotations

from hardware_profiles import Profile


def words_per_axon(profile: Profile, neurons: int, weight_bits: int | None = None) -> int:
    """Words for one axon's synapses onto `neurons` neurons of a core: sum over entries of ceil((n * bits + header) / word)."""
    bits = (profile.limit("weight_bits") if weight_bits is None else weight_bits) + profile.limit("index_bits")
    block = profile.limit("block_synapses") if "limits.block_synapses" in profile else neurons
    word, header = profile.limit("word_bits"), profile.limit("header_bits")
    whole, rest = divmod(neurons, block)
    entries = [block] * whole + [rest] * (rest > 0)
    return sum(-(-(synapses * bits + header) // word) for synapses in entries)


def synaptic_words(profile: Profile, inputs: int, neurons: int, weight_bits: int | None = None) -> int:
    """Words for `inputs` axons onto `neurons` neurons of one core."""
    return inputs * words_per_axon(profile, neurons, weight_bits)
