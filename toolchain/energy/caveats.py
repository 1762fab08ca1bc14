"""What an estimate leaves out, in sentences: the part of the answer that a joule cannot carry."""

from __future__ import annotations

from spikeport.hardware_profiles import Profile
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.neurons import neuron_of
from spikeport.toolchain.simulation.census import Census

NO_PERIOD = (
    "static energy over a control period, and real time: no control period is known (give one"
    " in ms)"
)


def not_expressible(network: Network, profile: Profile) -> tuple[str, ...]:
    """What the network asks of its neurons that this chip cannot do."""
    if profile.programmable_neurons and profile.graded_payloads:
        return ()
    found = []
    traits = neuron_of(network, network.layers[0]).traits
    if not profile.programmable_neurons and traits.programmable:
        found.append(f"{network.neuron} needs programmable neurons")
    if not profile.graded_payloads and network.coding.graded:
        found.append("graded input payloads")
    if not profile.programmable_neurons and traits.late_reset:
        found.append("a reset by subtraction that comes one step late")
    elif not profile.programmable_neurons and traits.soft_reset:
        if network.alpha:
            carried = f" with {network.alpha}/64 of the residual carried over"
        else:
            carried = ""
        found.append(f"restarting the state at each decision{carried}")
    return tuple(found)


def chip_unpriced(
    census: Census, network: Network, profile: Profile, latency_s: float, period_s: float | None
) -> tuple[str, ...]:
    """Return everything that the estimate of a chip does not contain.

    Args:
        census: What was counted.
        network: Whose decisions these are.
        profile: The chip.
        latency_s: Of a decision.
        period_s: Between decisions; None where it is not known.
    """
    lines = [
        (
            "host input and output: energy of moving observations onto the chip and actions off it;"
            " no figure per byte is published, and it has dominated measured systems. io_j is only"
            " the chip's static power while it waits; the time stands apart, as a band (response_s)"
        ),
        (
            "the control word of each decision, one message per core"
            if network.coding.graded
            else "the reset of every neuron's current and membrane at each decision"
        ),
    ]
    if any(layer.always_on for layer in network.layers):
        lines.append(
            "updates of the one neuron per layer that always spikes: its messages and synops are"
            " priced"
        )
    if missing := not_expressible(network, profile):
        lines.append(
            f"what {profile.name} cannot do and is priced as if it could, without the cost of"
            f" working around it: {', '.join(missing)}"
        )
    soft_reset = neuron_of(network, network.layers[0]).traits.soft_reset
    if not profile.programmable_neurons and soft_reset:
        lines.append(
            "soft reset's own synapse and axon per neuron: only its second compartment is priced"
        )
    if "limits.axons_in" in profile and any(
        layer.inputs > profile.limit("axons_in") for layer in network.layers
    ):
        lines.append(
            "adding up the partial sums of a layer with more inputs than a core has input axons"
        )
    if census.idle_spikes:
        lines.append("the time of spikes outside windows, beyond what every step is charged")
    if period_s is None:
        lines.append(NO_PERIOD)
    elif latency_s > period_s:
        lines.append(
            "the decisions that come too late: static energy is given over the control period"
            " although a decision takes longer"
        )
    return (*lines, *profile.unpriced)


def counts_unpriced(network: Network, profile: Profile) -> tuple[str, ...]:
    """Everything that an estimate from energies per operation alone does not contain."""
    lines = [
        "latency, real time and static energy: the profile has energies per operation only",
        "host input and output",
    ]
    if missing := not_expressible(network, profile):
        lines.append(
            f"what {profile.name} cannot do and is priced as if it could, without the cost of"
            f" working around it: {', '.join(missing)}"
        )
    return (*lines, *profile.unpriced)


def baseline_unpriced(profile: Profile, period_s: float | None) -> tuple[str, ...]:
    """Everything that the estimate of a dense int8 baseline does not contain."""
    lines = [
        "input and output of the board, encode and decode of observation and action",
        (
            "activations, biases and the overhead of a network smaller than the measured one:"
            " energy and time scale with multiply-adds only"
        ),
    ]
    if "power.sleep" not in profile:
        lines.append(
            "sleep power between decisions: not in the measured source (the data sheet has it)"
        )
    if period_s is None:
        lines.append(NO_PERIOD)
    return (*lines, *profile.unpriced)
