"""Facts about a neuron that others ask for without knowing which neuron it is."""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.toolchain.network.integer_network import Coding

ADDITION = ("add32",)
SHIFT_AND_ADD = ("add32", "add32")  # a product with a power of two, a shift priced as an addition
MULTIPLY_ADD = ("mul8", "add32")


@dataclass(frozen=True)
class Traits:
    """What conversion, check, tuning and energy need of a neuron.

    Attributes:
        name: The short name that options carry (`--neuron`).
        coding: What its payloads mean.
        low: The least payload; of a neuron whose layers declare their own ranges, their limit.
        high: The largest payload, likewise.
        levels: The full scale theta is `levels` times the layer's threshold array.
        soft_reset: Whether a spike subtracts from the membrane, which restarts at each decision.
        late_reset: Whether that subtraction comes one timestep after the spike.
        programmable: Whether no fixed compartment model expresses it.
        state_words: 32-bit words of state per neuron.
        update: Arithmetic of one neuron in one timestep, as energy tables name it.
        synop: Arithmetic of one of its payloads times one weight.
        allowed_timesteps: The numbers of timesteps it has; None for 1..1024.
        timesteps: How many a conversion takes by default.
        alpha: The residual's share that a conversion takes by default, 0..1.
        tried_timesteps: Numbers of timesteps among which a search chooses.
        trained: Whether its networks were trained as spiking; no ANN converts to it.
    """

    name: str
    coding: Coding
    low: int = 0
    high: int = 1
    levels: int = 1
    soft_reset: bool = False
    late_reset: bool = False
    programmable: bool = False
    state_words: int = 1
    update: tuple[str, ...] = ADDITION
    synop: tuple[str, ...] = ADDITION
    allowed_timesteps: tuple[int, ...] | None = None
    timesteps: int = 1
    alpha: float = 0.0
    tried_timesteps: tuple[int, ...] = ()
    trained: bool = False
