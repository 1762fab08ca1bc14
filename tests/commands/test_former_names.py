"""The public functions: keywords are checked, and those of 0.1 work with a warning."""

from __future__ import annotations

import inspect
import warnings

import pytest

import spikeport
from spikeport.former_names import named, public, staged
from spikeport.toolchain.errors import InputError
from tests.support.front_door import TOY_ENV, toy


def test_a_former_keyword_works_and_warns() -> None:
    with pytest.warns(DeprecationWarning, match="simulate: `environment` is called `env` since"):
        former = spikeport.simulate(toy(), environment=TOY_ENV, episodes=1)
    with pytest.raises(InputError, match="`environment` is the former name of `env` .got both"):
        spikeport.simulate(toy(), env=TOY_ENV, environment=TOY_ENV)
    assert (former.returns == spikeport.simulate(toy(), env=TOY_ENV, episodes=1).returns).all()


def test_a_former_progress_callback_works_and_warns() -> None:
    done: list[int] = []
    with pytest.warns(DeprecationWarning, match=r"progress\(stage, done, total\) since"):
        spikeport.simulate(toy(), env=TOY_ENV, episodes=2, progress=done.append)
    assert sum(done) == 2


def test_the_warnings_are_those_of_the_callers_line() -> None:
    """Python's default filter shows a DeprecationWarning only where a script itself caused it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        spikeport.simulate(toy(), environment=TOY_ENV, episodes=1, progress=[].append)
        spikeport.verify(toy(), backends=["reference"], decisions=4, progress=[].append)
    files = [w.filename for w in told if issubclass(w.category, DeprecationWarning)]
    assert files == [__file__] * 3


def test_progress_says_stage_done_and_total() -> None:
    calls: list[tuple[str, int, int]] = []
    spikeport.simulate(
        toy(), env=TOY_ENV, episodes=2, compare=True, progress=lambda *call: calls.append(call)
    )
    assert {(stage, total) for stage, _, total in calls} == {("episodes", 4)}
    assert sum(done for _, done, _ in calls) == 4


def test_verify_names_the_backend_that_begins() -> None:
    calls: list[tuple[str, int, int]] = []
    spikeport.verify(
        toy(),
        backends=["reference", "fast"],
        decisions=4,
        progress=lambda *call: calls.append(call),
    )
    assert calls == [("reference", 1, 2), ("fast", 1, 2)]


@pytest.mark.parametrize(
    ("name", "options", "suggestion"),
    [
        ("simulate", {"episode": 3}, "did you mean 'episodes'"),
        ("verify", {"backend": ["fast"]}, "did you mean 'backends'"),
        ("diagnose", {"seeds": 3}, "did you mean 'seed'"),
        ("estimate_energy", {"profile": "loihi2"}, "did you mean 'profiles'"),
        ("assess", {"control_period": 1}, "did you mean 'control_period_s'"),
        ("load_policy", {"squashing": "tanh"}, "did you mean 'squash'"),
    ],
)
def test_a_misspelt_keyword_is_told(name: str, options: dict, suggestion: str) -> None:
    with pytest.raises(InputError) as told:
        getattr(spikeport, name)(toy(), **options)
    assert f"{name}: unknown option (got {next(iter(options))}" in str(told.value)
    assert suggestion in str(told.value)


def test_signatures_are_those_of_the_functions() -> None:
    @public(before="after")
    def function(first: int, *, after: int = 3) -> int:
        """Add."""
        return first + after

    assert [*inspect.signature(function).parameters] == ["first", "after"]
    assert (function(1), function(1, after=4), function.__doc__) == (4, 5, "Add.")


def test_callbacks_of_compiled_functions_are_told_apart() -> None:
    with pytest.warns(DeprecationWarning):
        assert staged([].append, "episodes", 3)(2) is None
    calls: list[tuple[str, int, int]] = []
    named(lambda *call: calls.append(call), 5)("lava")
    assert calls == [("lava", 1, 5)]
