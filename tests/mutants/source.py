"""Python source compared by its tokens, so that layout, comments and quotes do not matter."""

from __future__ import annotations

import ast
import re
import token
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

NEWLINE = "\n"
INDENT = 4
OPENING = frozenset("([{")
CLOSING = frozenset(")]}")
# Signs, the longer ones first.
SIGNS = sorted(token.EXACT_TOKEN_TYPES, key=len, reverse=True)
# The standard library's tokenizer refuses fragments that open or close a bracket too many.
SCANNER = re.compile(
    r"""
    (?P<string>[a-zA-Z]{0,2}(?:
        '''(?:[^\\]|\\.)*?''' | \"\"\"(?:[^\\]|\\.)*?\"\"\" |
        '(?:[^'\\\n]|\\.)*' | "(?:[^"\\\n]|\\.)*"
    ))
    | (?P<space>[ \t\f]+ | \\\n | \#[^\n]*)
    | (?P<newline>\n)
    | (?P<number>(?:0[xX][\da-fA-F_]+ | 0[oO][0-7_]+ | 0[bB][01_]+
        | (?:\d[\d_]*\.?[\d_]* | \.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?[jJ]?))
    | (?P<name>\w+)
    | (?P<sign>"""
    + "|".join(map(re.escape, SIGNS))
    + r""")
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """A token's meaning, and where it stands.

    Attributes:
        meaning: Its text, in one spelling whatever the spelling of the source.
        start: Where it begins in the text.
        end: Where it ends in the text.
        column: Its column if it is the first of its line, otherwise None.
    """

    meaning: str
    start: int
    end: int
    column: int | None


@dataclass(frozen=True)
class Occurrence:
    """Where a fragment stands in a text.

    Attributes:
        start: Where it begins.
        end: Where it ends.
        shift: How many columns further to the right its lines stand here than in the fragment;
            None where the fragment does not tell.
    """

    start: int
    end: int
    shift: int | None


def tokens(text: str) -> list[Token]:
    """The tokens of a source or of a fragment of one, whose brackets need not be balanced.

    The end of a statement is a token, the end of a line within one is not; indentation is none.

    Args:
        text: The source.

    Returns:
        Its tokens, in order, without trailing commas; strings side by side are one.
    """
    found: list[Token] = []
    depth = 0
    for each in raw_tokens(text):
        last = found[-1] if found else None
        if each.meaning == NEWLINE:
            if depth > 0 or last is None or last.meaning in (NEWLINE, ",", *OPENING):
                continue
        elif each.meaning in OPENING:
            depth += 1
        elif each.meaning in CLOSING:
            depth = max(depth - 1, 0)
            while found and found[-1].meaning in (",", NEWLINE):
                found.pop()
        elif last is not None and is_string(last.meaning) and is_string(each.meaning):
            joined = one_spelling(f"{last.meaning} {each.meaning}")
            each = Token(joined, last.start, each.end, last.column)
            found.pop()
        found.append(each)
    return found


def raw_tokens(text: str) -> Iterator[Token]:
    """Every token of a text, with the end of each line that has any.

    Args:
        text: The source.

    Yields:
        The tokens in order.

    Raises:
        ValueError: There is something that is no token.
    """
    at = 0
    line = 0
    is_first = True
    while at < len(text):
        match = SCANNER.match(text, at)
        if match is None:
            raise ValueError(f"no token: {text[at : at + 20]!r}")
        start, at = match.span()
        if match.lastgroup == "space":
            continue
        column = start - line if is_first else None
        is_first = match.lastgroup == "newline"
        if is_first:
            line = at
            column = None
        spelling = match.group()
        if match.lastgroup in ("string", "number"):
            spelling = one_spelling(spelling)
        yield Token(spelling, start, at, column)


def one_spelling(text: str) -> str:
    """A string or a number as Python itself would write it."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return text
    return ast.unparse(tree)


def is_string(text: str) -> bool:
    """Whether a token's meaning is a string, of any kind."""
    return text[-1] in "'\""


@dataclass(frozen=True)
class Canonical:
    """A source in one spelling, with its tokens."""

    text: str
    tokens: list[Token]


@cache
def spellings(source: str) -> tuple[Canonical, Canonical]:
    """The two canonical texts of a source, which have the same syntax tree.

    Args:
        source: The source of a file.

    Returns:
        The source as Python writes a syntax tree, first without the parentheses around the tuples
        of whole statements (`return a, b`), then with them (`return (a, b)`).

    Raises:
        ValueError: The first is not the same program.
    """
    tree = ast.parse(source)
    full = ast.unparse(tree) + NEWLINE
    bare = without_tuple_parentheses(full)
    if ast.dump(ast.parse(bare)) != ast.dump(tree):
        raise ValueError("without the parentheses of its tuples the source is another program")
    return Canonical(bare, tokens(bare)), Canonical(full, tokens(full))


def without_tuple_parentheses(text: str) -> str:
    """A canonical text without the parentheses around the tuples of whole statements.

    Args:
        text: What `ast.unparse` wrote.

    Returns:
        The text with `return a, b` for `return (a, b)`, and the same for assigned values, for
        targets and for loop variables.
    """
    scanned = list(raw_tokens(text))
    dropped: set[int] = set()
    opened: list[tuple[int, str]] = []  # where, and the first of a comma and `for` right within
    for i, each in enumerate(scanned):
        if each.meaning in OPENING:
            opened.append((i, ""))
        elif each.meaning in (",", "for") and opened:
            opened[-1] = (opened[-1][0], opened[-1][1] or each.meaning)
        elif each.meaning in CLOSING:
            first, holds = opened.pop()
            is_tuple = each.meaning == ")" and holds == ","
            before = scanned[first - 1].meaning if first else NEWLINE
            after = scanned[i + 1].meaning
            if is_tuple and not opened and stands_alone(before, after):
                dropped |= {scanned[first].start, each.start}
            elif is_tuple and (before, after) == ("for", "in"):
                dropped |= {scanned[first].start, each.start}
    return "".join(character for at, character in enumerate(text) if at not in dropped)


def stands_alone(before: str, after: str) -> bool:
    """Whether a tuple between these tokens is a whole side of a statement."""
    is_value = before.endswith("=") and before not in ("==", "!=", "<=", ">=")
    return (is_value or before in (NEWLINE, "return")) and after in (NEWLINE, "=")


def occurrences(fragment: str, canonical: Canonical) -> list[Occurrence]:
    """Where a fragment stands in a source.

    Args:
        fragment: A part of a source.
        canonical: The source.

    Returns:
        Every place, in order.
    """
    wanted = tokens(fragment)
    count = len(wanted)
    meanings = [each.meaning for each in wanted]
    found = [each.meaning for each in canonical.tokens]
    result = []
    for i in range(len(found) - count + 1):
        if found[i : i + count] == meanings:
            here = canonical.tokens[i : i + count]
            result.append(Occurrence(here[0].start, here[-1].end, shift(wanted, here)))
    return result


def shift(fragment: list[Token], here: list[Token]) -> int | None:
    """How far to the right a fragment's lines were moved.

    Args:
        fragment: The tokens of the fragment.
        here: The same tokens in the source.

    Returns:
        The columns, measured at the first token that begins a line in both; None without any.
        The first line of a fragment counts where it is indented.
    """
    for i, (wanted, found) in enumerate(zip(fragment, here, strict=True)):
        if found.column is not None and (wanted.column if i == 0 else wanted.column is not None):
            return found.column - int(wanted.column or 0)
    return None


def spliced(text: str, place: Occurrence, replacement: str) -> str:
    """A text with something else at one place.

    Args:
        text: The source.
        place: What is replaced.
        replacement: The new text; its lines are indented like the ones they replace. Where these
            do not tell, the second line belongs to the block of the line it follows.

    Returns:
        The new source.
    """
    line = text.rfind(NEWLINE, 0, place.start) + 1
    begins_line = not text[line : place.start].strip()
    first, *rest = replacement.split(NEWLINE)
    if begins_line:
        first = first.lstrip(" ")
    moved = place.shift
    told = [each for each in rest if each.strip()]
    if moved is None and told:
        inner = INDENT if first.rstrip().endswith(":") else 0
        moved = indentation(text[line : place.end]) + inner - indentation(told[0])
    lines = [first, *(indented(each, moved or 0) for each in rest)]
    head = text[: place.start]
    tail = text[place.end :]
    if not replacement and tail.startswith((" ", NEWLINE)):
        head = head.rstrip(" ")
    return head + NEWLINE.join(lines) + tail


def indented(line: str, columns: int) -> str:
    """A line moved to the right, or to the left by a negative number of columns."""
    bare = line.lstrip(" ")
    if not bare:
        return bare
    return " " * (indentation(line) + columns) + bare


def indentation(line: str) -> int:
    """The number of spaces a line begins with."""
    return len(line) - len(line.lstrip(" "))
