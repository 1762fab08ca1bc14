"""What a user may choose of a conversion, checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from spikeport.toolchain.conversion.schemes.conversion_choices import ConversionChoices
from spikeport.toolchain.conversion.schemes.scheme_table import SCHEMES
from spikeport.toolchain.errors import InputError, did_you_mean, refuse_faults, violations


@dataclass(frozen=True)
class ConversionOptions(ConversionChoices):
    """The fields of ConversionChoices; raises InputError that names every fault in them."""

    def __post_init__(self) -> None:
        if self.neuron not in SCHEMES:
            raise InputError(
                "--neuron",
                "neuron not available",
                got=self.neuron,
                limit=", ".join(SCHEMES),
                fix=did_you_mean(self.neuron, SCHEMES) or "--neuron sdn",
            )
        refuse_faults("convert", [*common_problems(self), *SCHEMES[self.neuron].problems(self)])


def common_problems(options: ConversionOptions) -> Iterator[InputError]:
    """Faults that every neuron would have."""
    if not 2 <= options.weight_bits <= 8:
        why = "a synapse has 8 bits"
        if options.weight_bits < 2:
            why = "symmetric weights of 1 bit are all zero"
        yield InputError(
            "--weight-bits",
            "weights need a width that holds something",
            got=options.weight_bits,
            limit="2..8",
            why=why,
            fix="--weight-bits 8",
        )
    if not 1e-6 <= options.wanted_error <= 10:
        yield InputError(
            "--action-error",
            "not a usable error",
            got=options.action_error,
            limit="1e-6..10",
            fix="--action-error 0.1",
        )
    if options.resync_every < 0:
        yield InputError(
            "--resync-every",
            "out of range",
            got=options.resync_every,
            limit="0 (never) or more",
            fix="--resync-every 0",
        )


def options_of(choices: dict[str, Any]) -> ConversionOptions:
    """The options with these fields; raises InputError that lists names that are not fields."""
    known = [field.name for field in fields(ConversionOptions)]
    unknown = [name for name in choices if name not in known]
    if len(unknown) == 1:
        raise InputError(
            "convert",
            "unknown option",
            got=unknown[0],
            limit=", ".join(known),
            fix=did_you_mean(unknown[0], known) or "see spikeport.ConversionOptions",
        )
    if unknown:
        meant = [f"unknown option {name}, {did_you_mean(name, known)}" for name in unknown]
        raise violations(
            "convert", [text.rstrip(", ") for text in meant], fix=f"known are {', '.join(known)}"
        )
    return ConversionOptions(**choices)
