"""What the measures of the house share: its files, their syntax trees, and what is found there."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("spikeport", "toolchain", "export", "hardware_profiles")
HOUSES = {"source": PACKAGES, "tests": ("tests",), "benchmarks": ("benchmarks", "examples")}
KERNEL_FILES = re.compile("kernels|lanes|scans")  # names of files with compiled code alone


@dataclass(frozen=True)
class Offender:
    """What a measure found at a place. The larger `size`, the worse."""

    place: str
    what: str
    size: float = 1


@dataclass(frozen=True)
class Measure:
    """A measure's value and what it counted."""

    value: float
    offenders: list[Offender] = field(default_factory=list)

    def worst(self) -> list[Offender]:
        """The offenders, largest first; as large ones by place."""
        return sorted(self.offenders, key=lambda offender: (-offender.size, offender.place))


@functools.cache
def tracked(suffix: str) -> tuple[str, ...]:
    """The tracked files with this suffix that are there; symbolic links count as absent."""
    listing = subprocess.run(
        ["git", "ls-files", "--stage", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    found = set()
    for entry in filter(None, listing.split("\0")):
        facts, path = entry.split("\t", 1)
        if not facts.startswith("120000") and path.endswith(suffix) and (ROOT / path).is_file():
            found.add(path)
    return tuple(sorted(found))


def files(house: str) -> list[str]:
    """The tracked Python files of a house."""
    return [path for path in tracked(".py") if path.split("/")[0] in HOUSES[house]]


@functools.cache
def text(path: str) -> str:
    """A file's text."""
    return (ROOT / path).read_text(encoding="utf-8")


@functools.cache
def tree(path: str) -> ast.Module:
    """A Python file's syntax tree."""
    return ast.parse(text(path), path)


@functools.cache
def walked(path: str) -> tuple[ast.AST, ...]:
    """Every node of a Python file."""
    return tuple(ast.walk(tree(path)))


def nodes(paths: list[str], kind: type | tuple[type, ...]) -> Iterator[tuple[str, ast.AST]]:
    """Every node of a kind with its file."""
    for path in paths:
        for node in walked(path):
            if isinstance(node, kind):
                yield path, node


def at(path: str, node: ast.AST) -> str:
    """A node's place, as file:line."""
    return f"{path}:{node.lineno}"  # type: ignore[attr-defined]


def shown(node: ast.AST) -> str:
    """The beginning of a node's code, in one line."""
    code = ast.unparse(node)
    return code if len(code) <= 90 else f"{code[:87]}..."


def counted(offenders: list[Offender]) -> Measure:
    """The measure that is the number of its offenders."""
    return Measure(len(offenders), offenders)


def last_name(node: ast.AST) -> str:
    """The name that an expression or a call of it ends in; empty if it has none."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def gathered_by_file(found: list[tuple[str, str, str]]) -> Measure:
    """The measure that counts (file, place, what); an offender's size is its file's count."""
    counts: dict[str, int] = defaultdict(int)
    for path, _, _ in found:
        counts[path] += 1
    offenders = [Offender(place, what, counts[path]) for path, place, what in found]
    return counted(offenders)
