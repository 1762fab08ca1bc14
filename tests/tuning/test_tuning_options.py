"""Options that cannot be used are refused, every fault by name."""

from __future__ import annotations

import pytest

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.tuning import TuningOptions


def test_all_faults_of_the_options_are_named_at_once() -> None:
    with pytest.raises(InputError) as refused:
        TuningOptions(target=3, cost="joules", profile="lohi", neurons=(), trials=0, seed=-1)
    said = str(refused.value)
    assert said.startswith("tune: 5 problems: --target: not a return ratio (got 3, ")
    places = ("--target: ", "unknown name (got 'lohi'", "--neurons: ", "--trials: ", "--seed: ")
    assert all(place in said for place in places)
    assert "Fix: --target 0.99; " in said and "--trials 100" in said
    with pytest.raises(InputError, match=r"^--trials: nothing to try \(got 0, limit 1 or more\)"):
        TuningOptions(trials=0)
