"""Strangers' text in our messages: printable and bounded."""

from __future__ import annotations

from collections.abc import Iterable


def printable(value: object, length: int = 80) -> str:
    """Return a value as ASCII text, control characters escaped, at most `length` characters.

    Of a container it is its type alone.
    """
    if isinstance(value, (dict, list, tuple)):  # its repr could be huge or deeper than the stack
        return f"a {type(value).__name__}"
    return ascii(str(value)[:length])[1:-1][:length]


def words(value: object) -> str:
    """The value itself where it is text, else nothing."""
    if isinstance(value, str):
        return value
    return ""


def shorten(keys: Iterable[str], most: int = 12) -> str:
    """Names for a message: the first `most`, and how many more there are."""
    found = list(keys)
    shown = ", ".join(printable(key, 60) for key in found[:most])
    return shown + (f" and {len(found) - most} more" if len(found) > most else "")


def short_reason(error: BaseException, length: int = 140) -> str:
    """The type and the first line of a third party's message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {printable(lines[0], length) if lines else ''}"[
        :length
    ].rstrip(": ")


def plain(text: str) -> str:
    """Return a text without control characters.

    Names that a file carries must not reach the terminal's escape codes.
    """
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text
    )
