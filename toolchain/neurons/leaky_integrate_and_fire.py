"""`lif@1`: Loihi's current-based leaky integrate-and-fire with hard reset.

As Lava's PyLifModelBitAcc computes it:

    a  = (W x [+ b]) << weight_exponent             the bias here with bias_in_current
    u <- decay(u, 4095 - current_decay) + (a << 6)
    v <- decay(v, 4096 - voltage_decay) + u [+ b]   the bias here without
    spike if v > threshold << 6 (strict);  v <- 0 where it spiked, u goes on
    u = v = 0 at each window's start

decay(x, k) = sign(x) * (|x| k >> 12), towards zero. One row scale, one threshold and one pair of
decays per layer: a stock `LIFReset` process runs it. The range proof says that u never wraps and v
never saturates, as they would at 24 bits.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import Coding, Layer, Network
from spikeport.toolchain.network.parameters import (
    ACT_SHIFT,
    LARGEST_EXPONENT,
    LARGEST_MANTISSA,
    LARGEST_THRESHOLD,
    LARGEST_WEIGHT_EXPONENT,
    Dynamics,
    bias_exponent,
    decay,
)
from spikeport.toolchain.network.synapses import Synapses
from spikeport.toolchain.neurons.bounds import LayerProof
from spikeport.toolchain.neurons.layer_rules import payload_problems
from spikeport.toolchain.neurons.neuron import INACTIVE, Long, Neuron, State
from spikeport.toolchain.neurons.traits import Traits


def dynamics_of(layer: Layer) -> Dynamics:
    """A lif layer's decays."""
    assert layer.dynamics is not None  # `check` refuses artifacts without
    return layer.dynamics


@final
class LeakyIntegrateAndFire(Neuron):
    """See the equations above."""

    id = "lif@1"
    traits = Traits(
        "lif",
        Coding.SPIKES,
        state_words=2,
        update=("mul32", "add32", "mul32", "add32"),
        trained=True,
    )
    parameters = ("dynamics",)

    def initial(self, layer: Layer, rows: int) -> State:
        """Return zeros."""
        return {
            name: np.zeros((rows, layer.outputs), np.int64) for name in ("u", "v", "saturations")
        }

    def begin(self, layer: Layer, state: State, control: Long, timesteps: int, alpha: int) -> None:
        """Clear current and membrane."""
        active = (control != INACTIVE)[:, None]
        for name in ("u", "v"):
            state[name] = np.where(active, 0, state[name])

    def step(self, layer: Layer, state: State, synaptic: Long, active: NDArray[np.bool_]) -> Long:
        """Decay both, integrate, fire, reset to 0."""
        rows = active[:, None]
        dynamics = dynamics_of(layer)
        if dynamics.bias_in_current:
            in_current = layer.bias.astype(np.int64)
        else:
            in_current = 0
        if dynamics.bias_in_current:
            in_voltage = 0
        else:
            in_voltage = layer.bias.astype(np.int64)
        u = decay(state["u"], 4095 - dynamics.current_decay) + (
            (synaptic + in_current) << (dynamics.weight_exponent + ACT_SHIFT)
        )
        v = decay(state["v"], 4096 - dynamics.voltage_decay) + u + in_voltage
        spikes = (v > layer.threshold.astype(np.int64) << ACT_SHIFT) & rows
        state["u"] = np.where(rows, u, state["u"])
        state["v"] = np.where(rows, np.where(spikes, 0, v), state["v"])
        return spikes.astype(np.int64)

    def observed(self, state: State) -> Long:
        """Return the membrane."""
        return state["v"]

    def problems(self, layer: Layer, network: Network) -> list[str]:
        """Rules of the registers that a stock LIF has, and of spikes with the unit 1."""
        if not layer.dynamics:
            return [f"{self.id} needs dynamics"]
        problems = decay_problems(layer.dynamics)
        problems += register_problems(layer, layer.dynamics)
        problems += payload_problems(layer, self.traits)
        if (layer.unit != 1).any():
            problems.append(f"a spike of {self.id} has the unit 1")
        if layer.activation != "identity" or layer.table is not None or layer.trigger != 1:
            problems.append(f"{self.id} has the activation identity, no table and trigger 1")
        return problems

    def bound(self, network: Network, index: int) -> LayerProof:
        """Bound |u| and |v| over the T + L steps between two resets."""
        layer = network.layers[index]
        dynamics = dynamics_of(layer)
        u, v = bound_membrane(layer.synapses, layer.bias, dynamics, network.chip_steps)
        return LayerProof(u, v)


def decay_problems(dynamics: Dynamics) -> list[str]:
    """Problems of the decays and of the weights' exponent."""
    limits = (
        ("current_decay", 4095),
        ("voltage_decay", 4096),
        ("weight_exponent", LARGEST_WEIGHT_EXPONENT),
    )
    return [
        f"{name} is {getattr(dynamics, name)}, 0..{largest} expected"
        for name, largest in limits
        if not 0 <= getattr(dynamics, name) <= largest
    ]


def register_problems(layer: Layer, dynamics: Dynamics) -> list[str]:
    """Problems of thresholds, row scales and biases with the registers of a stock LIF."""
    problems = []
    thresholds = layer.threshold
    if (thresholds != thresholds[0]).any() or (layer.row_scale != layer.row_scale[0]).any():
        problems.append(f"{layer.neuron} has one threshold and one row scale per layer")
    largest = LARGEST_THRESHOLD
    reason = ""
    if dynamics.bias_in_current:
        largest = LARGEST_MANTISSA - 1
        reason = ", so that a neuron can always spike on its bias"
    if ((thresholds < 1) | (thresholds > largest)).any():
        problems.append(f"thresholds must be 1..{largest}{reason}")
    if dynamics.bias_in_current:
        if (np.abs(layer.bias.astype(np.int64)) > 127).any():
            problems.append("a bias in the current is a weight, -127..127")
    elif bias_exponent(layer.bias) < 0:
        problems.append(
            f"biases must be one mantissa of at most {LARGEST_MANTISSA} each times one power of two"
            f" up to 2^{LARGEST_EXPONENT}"
        )
    return problems


def bound_membrane(
    synapses: Synapses, bias: NDArray[np.integer], dynamics: Dynamics, steps: int
) -> tuple[Long, Long]:
    """Largest |u| and |v| of each neuron, [out] each, in 1/64 of weight units.

    Args:
        synapses: Of the layer, which spikes reach.
        bias: Integers [out].
        dynamics: Of the layer.
        steps: How many follow a reset at most.
    """
    b = bias.astype(np.int64)
    shift = dynamics.weight_exponent + ACT_SHIFT
    in_current = b if dynamics.bias_in_current else np.zeros_like(b)
    in_voltage = b - in_current
    silent = np.zeros(synapses.inputs, np.int64)
    largest_u = largest_v = np.zeros_like(b)
    ends = synapses.bound(silent, silent + 1)
    for pick, arriving in zip((np.minimum, np.maximum), ends, strict=True):
        current = (arriving + in_current) << shift
        u = v = np.zeros_like(b)
        for _ in range(steps):
            u = decay(u, 4095 - dynamics.current_decay) + current
            v = decay(v, 4096 - dynamics.voltage_decay) + u + in_voltage
            v = pick(v, 0)  # a reset may stand anywhere
            largest_u = np.maximum(largest_u, np.abs(u))
            largest_v = np.maximum(largest_v, np.abs(v))
    return largest_u, largest_v
