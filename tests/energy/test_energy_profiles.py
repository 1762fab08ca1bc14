"""Profiles.

Every number has its source and grade, and a profile that breaks a rule is refused with all reasons.
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources

import pytest

from spikeport.hardware_profiles import KINDS, READS, load_profile, parse_profile, profile_names
from spikeport.toolchain.errors import InputError

CHIPS = ("loihi1-davies", "loihi1-sanafe", "loihi2")
COUNTS = ("kerasspiking-loihi", "kerasspiking-spinnaker", "spinnaker2")
OTHERS = ("asic45", "odin", "speck2f", "truenorth", "xylo-audio2")
MCUS = ("gap9-650mv", "gap9-800mv", "stm32h7a3", "stm32l4r5", "stm32u575", "xg24")


def text(name: str) -> str:
    return (resources.files("spikeport.hardware_profiles") / f"{name}.toml").read_text("utf-8")


def test_the_profiles_that_there_are() -> None:
    assert profile_names("chip") == CHIPS
    assert profile_names("mcu") == MCUS
    assert (
        profile_names("counts") == COUNTS
        and profile_names("textbook") == ("asic45",)
        and profile_names("fit") == ("odin", "truenorth")
    )
    assert set(profile_names()) == {*CHIPS, *MCUS, *COUNTS, *OTHERS}


@pytest.mark.parametrize("name", (*CHIPS, *MCUS, *COUNTS, *OTHERS))
def test_every_number_has_value_unit_source_kind_and_read(name: str) -> None:
    """Read from the file itself, without the loader's help.

    Anything that is a number is such a table.
    """
    data = tomllib.loads(text(name))
    sections = {
        name: entries
        for name, entries in data.items()
        if isinstance(entries, dict) and name != "expressible"
    }
    numbers = {
        f"{section}.{key}": table
        for section, entries in sections.items()
        for key, table in entries.items()
    }
    assert numbers
    for key, table in numbers.items():
        assert set(table) >= {"value", "unit", "source", "kind", "read"}, key
        assert set(table) <= {"value", "unit", "source", "kind", "read", "low", "high", "note"}, key
        assert table["kind"] in KINDS and table["read"] in READS and len(table["source"]) > 15, key
    bare = {
        key
        for key, value in data.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    assert not bare


@pytest.mark.parametrize("name", (*CHIPS, *MCUS, *COUNTS, *OTHERS))
@pytest.mark.parametrize("missing", ["value", "unit", "source", "kind", "read"])
def test_a_number_without_one_of_the_five_is_refused(name: str, missing: str) -> None:
    """In every shipped file: the first number loses one of its lines."""
    lines = text(name).splitlines()
    first = next(
        index
        for index, line in enumerate(lines)
        if line.startswith("[") and line != "[expressible]"
    )
    at = next(
        index for index in range(first, len(lines)) if lines[index].startswith(f"{missing} = ")
    )
    with pytest.raises(InputError, match=rf"{re.escape(lines[first][1:-1])}: {missing} is missing"):
        parse_profile("\n".join(lines[:at] + lines[at + 1 :]), f"{name}.toml")


def test_inherited_energies_are_never_in_a_headline() -> None:
    assert not load_profile("loihi2").headline
    assert {
        number.kind
        for key, number in load_profile("loihi2").numbers.items()
        if key.startswith("energy.")
    } == {"inherited"}
    assert all(load_profile(name).headline for name in (*CHIPS[:2], *MCUS))


def test_grades_of_what_is_priced() -> None:
    """The table of Davies et al.

    2018 is simulated, although often cited as measured; SANA-FE's are regressions.
    """
    assert load_profile("loihi1-davies").grade("energy") == ("simulated", "quoted")
    assert load_profile("loihi1-sanafe").grade("energy") == ("derived", "primary")
    assert load_profile("xg24").numbers["energy.inference"].kind == "measured"
    for key, number in load_profile("loihi2").numbers.items():
        if key in ("time.synop", "time.neuron_active", "time.neuron_inactive"):
            assert number.kind == "derived"


def test_si_units_and_bands() -> None:
    profile = load_profile("loihi1-davies")
    assert profile["energy.synop"] == pytest.approx(23.6e-12)
    assert profile.band("energy.synop") == pytest.approx((23.6e-12, 18.9e-12, 35.5e-12))
    assert profile.band("energy.hop_y") == pytest.approx((4e-12,) * 3)
    assert profile["barrier.32"] == pytest.approx(465e-9)
    assert profile.band("power.static") == pytest.approx((0.104375, 0.029, 0.45))


def test_an_unknown_name_says_what_is_near() -> None:
    with pytest.raises(InputError, match=r"unknown name \(got 'loihi1'.*did you mean"):
        load_profile("loihi1")


BREAKAGES = {
    "missing source": (
        lambda t: t.replace('source = "', 'sauce = "', 1),
        ["energy.inference: source is missing", "unknown sauce did you mean 'source'"],
    ),
    "wrong kind": (
        lambda t: t.replace('kind = "measured"', 'kind = "guessed"'),
        ["energy.inference: kind is 'guessed'", "rate.inference: kind is 'guessed'"],
    ),
    "wrong read": (
        lambda t: t.replace('read = "primary"', 'read = "heard"', 1),
        ["read is 'heard', one of primary, quoted, secondary"],
    ),
    "wrong unit": (
        lambda t: t.replace('unit = "uJ"', 'unit = "J/op"'),
        ["unit is 'J/op', one of pJ, nJ, uJ"],
    ),
    "bare number": (lambda t: t + "\n[power]\nsleep = 3.0\n", ["power.sleep is a bare 3.0"]),
    "unknown number": (
        lambda t: t.replace("[rate.inference]", "[rate.inferences]"),
        ["unknown rate.inferences", "rate.inference is missing"],
    ),
    "unknown key": (lambda t: "clock = 3\n" + t, ["the profile: unknown clock"]),
    "missing key": (
        lambda t: t.replace("headline = true", ""),
        ["the profile: headline is missing"],
    ),
    "not a number": (
        lambda t: t.replace("value = 119.113", "value = nan"),
        ["energy.inference: value is nan"],
    ),
    "outside its band": (
        lambda t: t.replace("value = 119.113", "value = 119.113\nlow = 200"),
        ["the value 119.113 is outside its band"],
    ),
    "short source": (lambda t: re.sub(r'"MLPerf Tiny [^"]*"', '"web"', t), ["source is 'web'"]),
    "wrong kind of profile": (
        lambda t: t.replace('kind = "mcu"', 'kind = "gpu"'),
        ["kind is 'gpu', one of chip, mcu"],
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_profile_is_refused(breakage: str) -> None:
    change, reasons = BREAKAGES[breakage]
    broken = change(text("stm32u575"))
    assert broken != text("stm32u575")
    with pytest.raises(InputError) as caught:
        parse_profile(broken, "broken.toml")
    assert str(caught.value).startswith("broken.toml: ")
    for reason in reasons:
        assert reason in str(caught.value)


def test_a_chip_with_inherited_energies_may_not_ask_for_the_headline() -> None:
    with pytest.raises(InputError, match="headline must be false where an energy is inherited"):
        parse_profile(text("loihi2").replace("headline = false", "headline = true"), "loihi2.toml")


def test_a_chip_without_its_barrier_or_what_it_can_express_is_refused() -> None:
    broken = (
        text("loihi2")
        .replace("[barrier.1]", "[barrier.one]")
        .replace("graded_payloads = true\n", "")
    )
    with pytest.raises(
        InputError,
        match=(
            "barrier.one must name a number of tiles.*barrier.1 is missing.*expressible:"
            " graded_payloads is missing"
        ),
    ):
        parse_profile(broken, "loihi2.toml")


def test_text_that_is_not_toml() -> None:
    with pytest.raises(InputError, match="not a TOML file"):
        parse_profile("name = ", "x.toml")
