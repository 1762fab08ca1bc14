"""The table and its sentence: who wins, with bands, and never with inherited energies."""

from __future__ import annotations

import dataclasses

import pytest

from spikeport.toolchain.energy import Estimate, Grade, baseline_estimates
from spikeport.toolchain.energy.units import joules, seconds
from spikeport.toolchain.report.energy_headline import headline
from spikeport.toolchain.report.energy_table import render_table
from tests.support.networks import random_artifact


def spiking(
    profile: str = "loihi1-davies",
    dynamic: float = 1e-6,
    *,
    static: float | None = 1e-3,
    shown: bool = True,
) -> Estimate:
    grade = Grade("simulated" if shown else "inherited", "quoted")
    return Estimate(
        profile=profile,
        runs="spiking network",
        dynamic_j=dynamic,
        low_j=0.8 * dynamic,
        high_j=1.5 * dynamic,
        static_inference_j=5e-6,
        static_period_j=static,
        latency_s=50e-6,
        realtime=None if static is None else True,
        grade="derived",
        unpriced=("host input and output",),
        census={},
        read="quoted",
        grades={"dynamic_j": grade},
        headline=shown,
        control_period_s=None if static is None else 0.01,
        host_j=3e-8,
        host="stm32l4r5",
    )


TEXTS = {
    1.234e-6: "1.23 uJ",
    9.996e-7: "1 uJ",
    1.044e-3: "1.04 mJ",
    2.5e-13: "2.5e-13 J",
    0.0: "0 J",
    3.0: "3 J",
    None: "-",
}


@pytest.mark.parametrize(("value", "text"), TEXTS.items())
def test_energies_as_text(value: float | None, text: str) -> None:
    assert joules(value) == text


def test_times_as_text() -> None:
    assert (seconds(0.02), seconds(557e-6)) == ("20 ms", "557 us")


def test_the_sentence_says_less_more_or_neither() -> None:
    dense = baseline_estimates(71_424, 0.01)  # 1.42 1.97 12.8 32.2 72.0 87.3 uJ
    assert "less energy than 6 of the 6" in headline([spiking(dynamic=0.5e-6)], dense)
    assert (
        "less energy than 4 and within its band neither less nor more than 2 of the 6"
        in headline([spiking(dynamic=1.6e-6)], dense)
    )
    assert "more energy than 6 of the 6" in headline([spiking(dynamic=200e-6)], dense)
    assert (
        "less energy than 3 and more energy than 2 and within its band neither less nor more than 1"
        " of the 6" in headline([spiking(dynamic=13e-6)], dense)
    )


def test_the_sentence_says_what_static_power_does() -> None:
    text = headline([spiking()], baseline_estimates(71_424, 0.01))
    assert "its static power adds 1 mJ over the control period of 10 ms" in text
    assert "are more energy than 6 of the 6 take, their sleep power not priced." in text
    assert "over a control period more, but none is known" in headline(
        [spiking(static=None)], baseline_estimates(71_424)
    )


def test_the_sentence_names_grades_and_what_the_chip_cannot_do() -> None:
    estimate = dataclasses.replace(spiking(), not_expressible=("sdn@1 needs programmable neurons",))
    text = headline([estimate], baseline_estimates(71_424, 0.01))
    assert "priced as if it could do what it cannot (sdn@1 needs programmable neurons)" in text
    assert "simulated, quoted" in text and "derived, primary" in text


def test_inherited_energies_are_in_the_table_but_in_no_sentence() -> None:
    dense = baseline_estimates(71_424, 0.01)
    inherited = spiking("loihi2", 1e-9, shown=False)
    assert "is not said" in headline([inherited], dense) and "loihi2" not in headline(
        [inherited], dense
    )
    assert "loihi2" not in headline([inherited, spiking()], dense)
    table = render_table([inherited, spiking()], dense)
    assert "loihi2 *" in table and "inherited" in table
    assert "loihi2" not in table.splitlines()[-1]


def test_without_baselines_nothing_is_said_about_who_wins() -> None:
    assert "is not said" in headline([spiking()], [])


def test_the_table() -> None:
    dense = baseline_estimates(random_artifact(1).macs, 0.01)
    lines = render_table([spiking()], dense).splitlines()
    assert lines[0].split()[:3] == ["profile", "runs", "dynamic"]
    assert (
        lines[2].startswith("loihi1-davies  spiking network")
        and "800 nJ to 1.5 uJ" in lines[2]
        and "simulated, quoted" in lines[2]
    )
    assert sum("source policy, dense int8" in line for line in lines) == 6
    assert any(line.startswith("  - host input and output [loihi1-davies]") for line in lines)
    assert any("encode and decode" in line and "30 nJ on stm32l4r5" in line for line in lines)


def test_a_baseline_that_was_asked_for_appears_once() -> None:
    dense = baseline_estimates(71_424, 0.01)
    table = render_table([spiking(), dense[0]], dense)
    assert sum(line.startswith("gap9-650mv") for line in table.splitlines()) == 1
    assert "of the 6 dense" in table
