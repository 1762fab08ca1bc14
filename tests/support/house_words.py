"""Wording: phrases and coinages that are not to be said."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.support.house_files import Measure, gathered_by_file, text, tracked, tree

OWN_FILES = (
    "tests/support/house_words.py",
    "tests/project/test_house.py",
)  # they name what is not to be said
PHRASES = re.compile(
    r"leave\s+[^.;]{,80}?\baway\b|the\s+command\s+that\s+mends|for\s+who\s+converts|hears\s+of"
    r"|would\s+be\s+called\s+for\s+in\s+vain|is\s+no\s+chain|whom\s+to\s+judge",
    re.IGNORECASE,
)
COINAGES = re.compile(
    r"Room|Keeper|[Dd]resses|DRESSES|[Dd]oors|DOORS|[Cc]rew|CREW|[Ss]haken|SHAKEN"
)
IDENTIFIER_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")

Passage = tuple[str, int, str]  # a file, the line on which it begins, and its text


def comments(path: str) -> Iterator[Passage]:
    """A file's comments; those on consecutive lines are one passage."""
    begin = 0
    last = 0
    said = ""
    for token in tokenize.generate_tokens(io.StringIO(text(path)).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            if said and line != last + 1:
                yield path, begin, said
                said = ""
            begin = begin if said else line
            said += " " + token.string.lstrip("# ")
            last = line
    if said:
        yield path, begin, said


def docstrings(path: str) -> set[ast.AST]:
    """The nodes of a file that are docstrings, or strings that stand alone."""
    found = (node for node in ast.walk(tree(path)) if isinstance(node, ast.Expr))
    return {node.value for node in found if isinstance(node.value, ast.Constant)}


def strings(path: str) -> Iterator[tuple[ast.AST, str]]:
    """A file's strings; what an f-string fills in reads {}."""
    inner = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.JoinedStr):
            inner.update(node.values)
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inner:
            yield node, node.value


def prose() -> Iterator[Passage]:
    """Comments, docstrings, and the paragraphs of README.md and docs/."""
    for path in python_files():
        yield from comments(path)
        alone = docstrings(path)
        for node, said in strings(path):
            if node in alone:
                yield path, node.lineno, said  # type: ignore[attr-defined]
    for path in tracked(".md"):
        if path == "README.md" or path.startswith("docs/"):
            line = 1
            for paragraph in re.split(r"(\n\s*\n)", text(path)):
                yield path, line, paragraph
                line += paragraph.count("\n")


def messages() -> Iterator[Passage]:
    """Strings that are no docstrings."""
    for path in python_files():
        alone = docstrings(path)
        for node, said in strings(path):
            if node not in alone:
                yield path, node.lineno, said  # type: ignore[attr-defined]


def python_files() -> list[str]:
    """Every Python file, but for those that name what is not to be said."""
    return [path for path in tracked(".py") if path not in OWN_FILES]


def phrases(passages: Iterator[Passage]) -> Measure:
    """PHRASES in these passages; a line's end within a phrase does not hide it."""
    found = []
    for path, line, said in passages:
        for match in PHRASES.finditer(said):
            number = line + said.count("\n", 0, match.start())
            found.append((path, f"{path}:{number}", " ".join(match[0].split())))
    return gathered_by_file(found)


def coinages() -> Measure:
    """COINAGES as words of identifiers, of file names and of prose."""
    found = []
    for path in python_files():
        words = [(0, PurePosixPath(path).stem)]
        for token in tokenize.generate_tokens(io.StringIO(text(path)).readline):
            if token.type == tokenize.NAME:
                words.append((token.start[0], token.string))
        for line, name in words:
            if any(COINAGES.fullmatch(word) for word in IDENTIFIER_WORDS.findall(name)):
                found.append((path, f"{path}:{line or 1}", name))
    for path, line, said in prose():
        for match in re.finditer(r"[A-Za-z]+", said):
            if COINAGES.fullmatch(match[0]):
                number = line + said.count("\n", 0, match.start())
                found.append((path, f"{path}:{number}", match[0]))
    return gathered_by_file(found)
