"""What a hardware profile holds, and the check that refuses anything less.

A number is a TOML table: `value`, `unit`, `source`, `kind`, `read`, optionally `low`, `high`,
`note`.

kind  how the number came to be, best first: measured, simulated, derived (arithmetic on published
      numbers), inherited (another chip's number, for want of one), vendor (a specification or a
      claim)
read  how near the source was to the reader, best first: primary (the artefact itself), quoted (a
      document that quotes it word for word), secondary (a paraphrase)
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from spikeport.toolchain.errors import did_you_mean, violations

KINDS = ("measured", "simulated", "derived", "inherited", "vendor")
READS = ("primary", "quoted", "secondary")
UNITS = {
    "energy": {"pJ": 1e-12, "nJ": 1e-9, "uJ": 1e-6},
    "memory": {"pJ": 1e-12},
    "time": {"ns": 1e-9, "us": 1e-6},
    "io": {"us": 1e-6, "ms": 1e-3},
    "barrier": {"ns": 1e-9, "us": 1e-6},
    "power": {"uW": 1e-6, "mW": 1e-3, "W": 1.0, "uW/MHz": 1e-12},
    "limits": {"count": 1.0, "bit": 1.0},
    "proxy": {"synop": 1.0},
    "rate": {"1/s": 1.0},
    "work": {"MAC": 1.0},
}
CHIP_NEEDS = frozenset(
    "energy.synop energy.neuron_active energy.neuron_inactive energy.message energy.hop_x"
    " energy.hop_y time.synop time.neuron_active time.neuron_inactive time.hop_x time.hop_y"
    " power.static limits.cores limits.cores_per_tile limits.mesh_width limits.neurons_per_core"
    " limits.soft_reset_compartments limits.words_per_core limits.word_bits limits.header_bits"
    " limits.weight_bits limits.index_bits".split()
)
CHIP_MAY = frozenset(
    "time.tile time.message_in time.message_out limits.block_synapses limits.axons_in"
    " limits.axons_out limits.words_per_axon proxy.neuron_update limits.weight_bits_least"
    " limits.weight_bits_absent limits.sparse_index_least limits.sparse_index_most"
    " io.inference".split()
)
SPECK_CORES = range(9)
LARGEST = sys.float_info.max
# What each kind of profile must hold, and what else it may.
NEEDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "chip": (CHIP_NEEDS, CHIP_MAY),
    "mcu": (
        frozenset("energy.inference rate.inference work.inference".split()),
        frozenset(["power.sleep"]),
    ),
    "counts": (
        frozenset("energy.synop energy.neuron_update".split()),
        frozenset(
            "limits.cores limits.words_per_core limits.word_bits limits.header_bits"
            " limits.weight_bits limits.index_bits".split()
        ),
    ),
    "textbook": (
        frozenset(
            "energy.add8 energy.add32 energy.mul8 energy.mul32 memory.sram_8k memory.sram_32k"
            " memory.sram_1m memory.dram".split()
        ),
        frozenset(),
    ),
    "fit": (frozenset(["power.base", "energy.synop"]), frozenset(["power.clock"])),
    "convolution": (
        frozenset("limits.features limits.weight_bits limits.state_bits".split())
        | {
            f"limits.{memory}_memory_{core}"
            for memory in ("kernel", "neuron")
            for core in SPECK_CORES
        },
        frozenset(),
    ),
    "pool": (
        frozenset(
            "limits.network_inputs limits.network_neurons limits.network_outputs limits.weight_bits"
            " limits.state_bits".split()
        ),
        frozenset(),
    ),
}
SPIKING = ("chip", "counts", "convolution", "pool")  # chips that a spiking network is put on
# Profiles that price a policy; the others only limit it or stand for one measured chip.
PRICED = ("chip", "mcu", "counts", "textbook")
NUMBER_NEEDS = frozenset("value unit source kind read".split())
NUMBER_MAY = frozenset("low high note".split())
PROFILE_NEEDS = frozenset("name title kind headline".split())
PROFILE_MAY = frozenset("unpriced notes expressible".split())
EXPRESSIBLE_NEEDS = frozenset("graded_payloads programmable_neurons source".split())


@dataclass(frozen=True)
class Number:
    """One published or derived number; `low` and `high` default to `value`, all three in `unit`."""

    key: str
    value: float
    low: float
    high: float
    unit: str
    source: str
    kind: str
    read: str
    note: str = ""

    @property
    def factor(self) -> float:
        """One `unit` in SI units."""
        return UNITS[self.key.split(".")[0]][self.unit]


@dataclass(frozen=True)
class Profile:
    """A piece of hardware, used whole: no number goes with another profile's.

    Its kind says what can be done with it.

    chip         a mesh of cores with energies, times and limits
    mcu          a dense int8 baseline measured all-in
    counts       energies of a synop and a neuron update only, as other tools count; limits where
                 they are known
    textbook     energies of arithmetic and memory accesses, for spiking and dense networks alike
    fit          power of one measured chip as base + per synop; checks our pricing, prices no
    policy convolution  limits of a chip that puts one layer on one core (Speck), no energies pool
    limits of a chip with one pool of neurons (Xylo), no energies
    """

    name: str
    title: str
    kind: str
    headline: bool  # False: energies are inherited, never named in a headline
    unpriced: tuple[str, ...]
    notes: tuple[str, ...]
    graded_payloads: bool
    programmable_neurons: bool
    numbers: dict[str, Number]

    def __contains__(self, key: str) -> bool:
        return key in self.numbers

    def __getitem__(self, key: str) -> float:
        """The value of a number in SI units."""
        return self.numbers[key].value * self.numbers[key].factor

    def band(self, key: str) -> tuple[float, float, float]:
        """Value, low and high of a number in SI units."""
        number = self.numbers[key]
        return number.value * number.factor, number.low * number.factor, number.high * number.factor

    def limit(self, name: str) -> int:
        """Return a limit, in its own unit."""
        return round(self[f"limits.{name}"])

    def grade(self, *sections: str) -> tuple[str, str]:
        """The worst kind and the worst read of all numbers in `sections`."""
        used = [number for key, number in self.numbers.items() if key.split(".")[0] in sections]
        return worst((number.kind for number in used), KINDS), worst(
            (number.read for number in used), READS
        )


def worst(grades: Iterable[str], order: tuple[str, ...]) -> str:
    """The grade that stands last in `order`."""
    return max(grades, key=order.index)


def check_profile(data: dict[str, Any], where: str) -> Profile:
    """Return the profile in parsed TOML.

    Raises one InputError that lists everything wrong with it.
    """
    problems: list[str] = []
    kind = str(data.get("kind"))
    if kind not in NEEDS:
        problems.append(f"kind is {data.get('kind')!r}, one of {', '.join(NEEDS)} expected")
    sections = {
        name: value for name, value in data.items() if name in UNITS and isinstance(value, dict)
    }
    problems += _keys("the profile", data.keys() - sections.keys(), PROFILE_NEEDS, PROFILE_MAY)
    tables = {
        f"{section}.{name}": table
        for section, entries in sections.items()
        for name, table in entries.items()
    }
    problems += _table_problems(kind, tables)
    problems += _fact_problems(data)
    expressible = data.get("expressible", {})
    if not isinstance(expressible, dict):
        problems.append("expressible must be a table")
        expressible = {}
    if kind in SPIKING or expressible:
        problems += _keys("expressible", expressible, EXPRESSIBLE_NEEDS, frozenset())
    if data.get("headline") is True and any(
        isinstance(t, dict) and t.get("kind") == "inherited"
        for k, t in tables.items()
        if k.startswith("energy.")
    ):
        problems.append("headline must be false where an energy is inherited")
    if problems:
        raise violations(
            where,
            problems,
            why="a profile is used whole or not at all",
            fix="give every number value, unit, source, kind and read",
        )
    numbers = {
        key: Number(**{"key": key, "low": table["value"], "high": table["value"], **table})
        for key, table in tables.items()
    }
    return Profile(
        data["name"],
        data["title"],
        data["kind"],
        data["headline"],
        tuple(data.get("unpriced", ())),
        tuple(data.get("notes", ())),
        bool(expressible.get("graded_payloads")),
        bool(expressible.get("programmable_neurons")),
        numbers,
    )


def _table_problems(kind: str, tables: dict[str, Any]) -> list[str]:
    """Return what is wrong with the numbers of a profile of this kind."""
    problems: list[str] = []
    needs, may = NEEDS.get(kind, NEEDS["chip"])
    steps = {key for key in tables if key.startswith("barrier.")}
    if kind == "chip":
        problems += [
            f"{key} must name a number of tiles, as barrier.1"
            for key in sorted(steps)
            if not key[8:].isdecimal()
        ]
        if "barrier.1" not in steps:
            problems.append("barrier.1 is missing")
        may = may | steps
    problems += _keys("the numbers", tables, needs, may)
    for key, table in tables.items():
        problems += _number_problems(key, table)
    return problems


def _fact_problems(data: dict[str, Any]) -> list[str]:
    """Return what is wrong with the texts and the headline of a profile."""
    problems = []
    for name in ("unpriced", "notes"):
        lines = data.get(name, [])
        if not (isinstance(lines, list) and all(isinstance(line, str) for line in lines)):
            problems.append(f"{name} must be a list of sentences")
    problems += [
        f"{name} must be text"
        for name in ("name", "title")
        if not isinstance(data.get(name, ""), str)
    ]
    if not isinstance(data.get("headline", True), bool):
        problems.append("headline must be true or false")
    return problems


def _keys(
    place: str, found: Iterable[str], needs: frozenset[str], may: frozenset[str]
) -> list[str]:
    found = set(found)
    known = needs | may
    unknown = [
        f"{place}: unknown {key} {did_you_mean(key, known)}".rstrip()
        for key in sorted(found - known)
    ]
    return unknown + [f"{place}: {key} is missing" for key in sorted(needs - found)]


def _number_problems(key: str, table: Any) -> list[str]:
    if not isinstance(table, dict):
        return [
            f"{key} is a bare {table!r}, a table with value, unit, source, kind and read expected"
        ]
    problems = _keys(key, table.keys(), NUMBER_NEEDS, NUMBER_MAY)
    for name in ("value", "low", "high"):
        number = table.get(name, 0)
        if (
            isinstance(number, bool)
            or not isinstance(number, (int, float))
            or not 0 <= number <= LARGEST
        ):
            problems.append(f"{key}: {name} is {number!r}, a finite number >= 0 expected")
    for name, allowed in (
        ("unit", tuple(UNITS[key.split(".")[0]])),
        ("kind", KINDS),
        ("read", READS),
    ):
        if name in table and table[name] not in allowed:
            problems.append(
                f"{key}: {name} is {table[name]!r}, one of {', '.join(allowed)} expected"
            )
    if "source" in table and not (isinstance(table["source"], str) and len(table["source"]) > 10):
        problems.append(
            f"{key}: source is {table['source']!r}, a document and a place in it expected"
        )
    if not problems and not table.get("low", table["value"]) <= table["value"] <= table.get(
        "high", table["value"]
    ):
        problems.append(
            f"{key}: the value {table['value']} is outside its band {table.get('low')} to"
            f" {table.get('high')}"
        )
    return problems
