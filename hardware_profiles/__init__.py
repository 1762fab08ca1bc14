"""Hardware profiles: limits, times and energies as TOML data, with the source and grade of each.

One file per chip or microcontroller and operating point. A profile is used whole: an energy of one
profile next to an energy of another would add numbers that put the same cost in different places.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from spikeport.hardware_profiles.schema import KINDS as KINDS
from spikeport.hardware_profiles.schema import PRICED as PRICED
from spikeport.hardware_profiles.schema import READS as READS
from spikeport.hardware_profiles.schema import SPIKING as SPIKING
from spikeport.hardware_profiles.schema import Number as Number
from spikeport.hardware_profiles.schema import Profile as Profile
from spikeport.hardware_profiles.schema import check_profile as check_profile
from spikeport.hardware_profiles.schema import worst as worst
from spikeport.toolchain.errors import InputError, did_you_mean


@cache
def profile_names(kind: str = "") -> tuple[str, ...]:
    """Names of all profiles, or of those of one kind (schema.Profile), sorted."""
    files = (file.name for file in resources.files(__name__).iterdir())
    names = sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml"))
    return tuple(name for name in names if not kind or load_profile(name).kind == kind)


@cache
def load_profile(name: str) -> Profile:
    """The profile `name`.

    Raises InputError for an unknown name and for a file that breaks a rule.
    """
    names = profile_names()
    if name not in names:
        raise InputError(
            "hardware profile",
            "unknown name",
            got=repr(name),
            limit=", ".join(names),
            fix=did_you_mean(name, names) or "use one of the names",
        )
    where = f"hardware_profiles/{name}.toml"
    profile = parse_profile((resources.files(__name__) / f"{name}.toml").read_text("utf-8"), where)
    if profile.name != name:
        raise InputError(
            where,
            "the name inside is not the file's",
            got=profile.name,
            limit=name,
            fix="rename one of them",
        )
    return profile


def parse_profile(text: str, where: str) -> Profile:
    """The profile in TOML text. Raises InputError naming every violation."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    # numbers of too many digits and deep nesting do not raise TOMLDecodeError
    except (ValueError, RecursionError) as error:
        raise InputError(where, f"not a TOML file: {error}", fix="correct the line") from error
    return check_profile(data, where)
