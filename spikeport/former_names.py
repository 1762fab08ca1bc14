"""How the public functions take their arguments.

A misspelt keyword is an InputError with a suggestion. What was called otherwise in 0.1 works for
one more version, with a DeprecationWarning.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from spikeport.toolchain.errors import InputError, did_you_mean

OWN_FILES = os.path.dirname(os.path.abspath(__file__)) + os.sep
Function = TypeVar("Function", bound=Callable[..., Any])


def public(**former: str) -> Callable[[Function], Function]:
    """Check the keywords of a public function, and take those of before by their former names.

    Args:
        former: The former name of each keyword, and the name that it has now.

    Returns:
        A decorator. The decorated function raises InputError for a keyword that it does not have.
    """

    def decorate(function: Function) -> Function:
        known = [*inspect.signature(function).parameters]

        @functools.wraps(function)
        def checked(*arguments: Any, **options: Any) -> Any:
            for old, new in former.items():
                if old in options and new in options:
                    raise InputError(
                        function.__name__,
                        f"`{old}` is the former name of `{new}`",
                        got="both",
                        limit="one of them",
                        fix=f"omit {old}",
                    )
                if old in options:
                    _warn(f"{function.__name__}: `{old}` is called `{new}`")
                    options[new] = options.pop(old)
            for option in options:
                if option not in known:
                    raise InputError(
                        function.__name__,
                        "unknown option",
                        got=option,
                        limit=", ".join(known),
                        fix=did_you_mean(option, known) or f"help(spikeport.{function.__name__})",
                    )
            return function(*arguments, **options)

        return checked  # type: ignore[return-value]

    return decorate


def staged(progress: Callable[..., Any], stage: str, total: int) -> Callable[[int], None]:
    """A callback of one number that reports to `progress(stage, done, total)`.

    `done` is what has been done since the last call, as for progress bars that add up.

    A callback of one argument, as 0.1 had it for all but `convert`, is called as it was.

    Args:
        progress: The user's callback.
        stage: What the steps are, such as "episodes".
        total: How many there are.

    Returns:
        The callback for the function that does the work.
    """
    if takes_one_argument(progress):
        return progress
    return lambda done: progress(stage, done, total)


def named(progress: Callable[..., Any], total: int) -> Callable[[str], None]:
    """As `staged`, for work that names each of its `total` steps when it begins."""
    if takes_one_argument(progress):
        return progress
    return lambda name: progress(name, 1, total)


def takes_one_argument(progress: Callable[..., Any]) -> bool:
    """Whether a callback is one of 0.1; a DeprecationWarning says so."""
    try:
        inspect.signature(progress).bind("stage", 0, 0)
    except TypeError:
        _warn("a progress callback takes three arguments: progress(stage, done, total)")
        return True
    except ValueError:  # a compiled callable that tells no signature
        return False
    return False


def _warn(text: str) -> None:
    """Warn at the caller's line: Python shows a DeprecationWarning only in the script itself."""
    level = 2
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(OWN_FILES):
        frame = frame.f_back
        level += 1
    warnings.warn(f"{text} since Spikeport 0.2", DeprecationWarning, stacklevel=level)
