"""Every neuron on every profile.

Priced or refused in words, by `energy`, by `assess` and as a latency.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import pytest

import spikeport
from spikeport import api
from spikeport.hardware_profiles import PRICED, load_profile, profile_names
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.energy.caveats import not_expressible
from spikeport.toolchain.energy.textbook import spiking_terms
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.neurons import HIDDEN_NEURONS, Leaky, LeakyIntegrateAndFire
from spikeport.toolchain.report.energy_assessment_text import render_assessment
from tests.energy.test_energy_estimate import counted
from tests.support.front_door import answer
from tests.support.networks import leaky_artifact, random_artifact
from tests.support.spiking_networks import SpikingShape, build_spiking

LEAKY = Leaky.id
LIF = LeakyIntegrateAndFire.id
PRICES = [name for name in profile_names() if load_profile(name).kind in PRICED]
NO_CLOCK = [name for name in PRICES if load_profile(name).kind in ("counts", "textbook")]


@functools.cache
def small(neuron: str) -> Artifact:
    """A small artifact of this neuron without an environment."""
    if neuron == LEAKY:
        return leaky_artifact(3, (4, 8, 6, 2))
    if neuron == LIF:
        return build_spiking(SpikingShape(), 3)
    return random_artifact(3, neuron=neuron, widths=(4, 8, 6, 2), timesteps=4)


@pytest.mark.parametrize("neuron", HIDDEN_NEURONS)
@pytest.mark.parametrize("profile", PRICES)
def test_every_neuron_is_priced_on_every_profile(neuron: str, profile: str) -> None:
    artifact = small(neuron)
    estimate = spikeport.estimate_energy(artifact, profiles=(profile,))[0]
    assert 0 < estimate.low_j <= estimate.dynamic_j <= estimate.high_j < 1
    assert api.assess(artifact, profiles=(profile,), control_period_s=0.02).verdicts
    if profile in NO_CLOCK:
        with pytest.raises(InputError, match="--latency-from: the profile has no times"):
            api.modelled_latency(artifact, profile)
    else:
        assert 0 < api.modelled_latency(artifact, profile) < 1


def test_an_update_of_leaky_by_hand() -> None:
    """Against `if` with as many timesteps.

    One multiplication of 3.1 pJ and one addition of 0.1 pJ more per neuron; one word of state each.
    """
    plain = random_artifact(3, neuron="if@1", widths=(4, 8, 6, 2), timesteps=1)
    same = dataclasses.replace(
        plain,
        network=dataclasses.replace(
            plain.network,
            layers=tuple(
                dataclasses.replace(layer, neuron=LEAKY) if index < 2 else layer
                for index, layer in enumerate(plain.network.layers)
            ),
        ),
    )
    census = counted(plain, (30, 80, 40), synops=(90, 160, 80))
    asic = load_profile("asic45")
    ours = spiking_terms(census, same.network, asic)
    theirs = spiking_terms(census, plain.network, asic)
    assert ours["operations"].value - theirs["operations"].value == pytest.approx((8 + 6) * 3.2e-12)
    assert {name: part for name, part in ours.items() if name != "operations"} == {
        name: part for name, part in theirs.items() if name != "operations"
    }


def test_what_loihi_1_cannot_do_for_leaky() -> None:
    """Its reset is late; nothing restarts at a decision."""
    found = " ".join(not_expressible(small(LEAKY).network, load_profile("loihi1-davies")))
    assert "one step late" in found and "restarting" not in found


def test_leaky_at_the_command(tmp_path: Path) -> None:
    path = tmp_path / "leaky.spk"
    spikeport.save(small(LEAKY), path)
    assert answer("energy", path, "--profile", "asic45")["estimates"][0]["dynamic_j"] > 0
    assert {e["profile"] for e in answer("assess", path)["estimates"]} >= {"asic45"}


@pytest.mark.parametrize(
    ("source", "kind"),
    [("synthetic rates in 0..1", "synthetic"), ("observations", "recorded"), (None, "recorded")],
)
def test_what_was_counted_is_said(source: str | None, kind: str) -> None:
    artifact = dataclasses.replace(small(LEAKY), calibration={"seeds": [], "source": source})
    assert spikeport.estimate_energy(artifact)[0].census["decisions"] == 1
    assert (
        api.counted_on(artifact, api.probe_census(artifact)) == f"1 {kind} decisions of the probe"
    )
    assert api.assess(artifact).counted_on == f"1 {kind} decisions of the probe"
    assert f"Counted on 1 {kind} decisions of the probe." in render_assessment(api.assess(artifact))


def test_episodes_need_an_environment() -> None:
    for run in (spikeport.estimate_energy, api.assess):
        with pytest.raises(
            InputError,
            match=(
                r"^--episodes: the artifact names no environment \(got 3\).*Fix: --env ID or omit"
                r" --episodes"
            ),
        ):
            run(small(LEAKY), episodes=3)
