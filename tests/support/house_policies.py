"""Questions about a policy's class and about being trained as spiking, and where they may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.support.house_files import (
    KERNEL_FILES,
    Measure,
    Offender,
    at,
    counted,
    files,
    gathered_by_file,
    last_name,
    nodes,
    shown,
)

POLICY_ROOM = "toolchain/readers/"  # where a policy's class may be asked for
SPIKING_POLICIES = {"SpikingPolicy", "LeakyPolicy"}
SPIKING_NAMES = {"LIF", "LEAKY", "lif", "leaky"}
TRAINED_VARIANTS = {"clif", "plif", "cuba"}  # next to these, "lif" is one of several checkpoints'
SPIKING_FIELDS = {"spike_coding", "dynamics", "leak"}  # None where not trained as spiking
SPIKING_ROOMS = re.compile(r"toolchain/(conversion/schemes|([a-z_]+/)*(codes|host))(/|\.py$)")


def class_questions(paths: list[str]) -> Iterator[tuple[str, ast.AST, set[str]]]:
    """Every question for a class, and the names asked for: isinstance, type(...) is, case."""
    for path, node in nodes(paths, (ast.Call, ast.Compare, ast.MatchClass)):
        asked: list[ast.AST] = []
        if isinstance(node, ast.MatchClass):
            asked = [node.cls]
        elif isinstance(node, ast.Call) and last_name(node) in ("isinstance", "issubclass"):
            asked = list(node.args[1:])
        elif isinstance(node, ast.Compare) and last_name(node.left) == "type":
            asked = list(node.comparators)
        names = {last_name(part) for whole in asked for part in ast.walk(whole)}
        yield path, node, names - {""}


def located(path: str, node: ast.AST) -> str:
    """The place of a question; a pattern's is where its class stands."""
    return at(path, node.cls if isinstance(node, ast.MatchClass) else node)


def class_asked(house: str) -> Measure:
    """Questions for a policy's class outside POLICY_ROOM."""
    return counted(
        [
            Offender(located(path, node), shown(node))
            for path, node, names in class_questions(files(house))
            if not path.startswith(POLICY_ROOM) and any(name.endswith("Policy") for name in names)
        ]
    )


def asks_for_spiking(left: ast.AST, operator: ast.AST, right: ast.AST) -> bool:
    """Whether a comparison asks if something was trained as spiking."""
    sides = [left, right]
    if isinstance(operator, (ast.In, ast.NotIn)):
        sides = list(right.elts) if isinstance(right, (ast.Tuple, ast.List, ast.Set)) else []
    words = {last_name(side) for side in sides}
    words |= {side.value for side in sides if isinstance(side, ast.Constant) and side.value}
    if words & SPIKING_NAMES and not words & TRAINED_VARIANTS:
        return True
    if any(ast.unparse(side).endswith("Coding.SPIKES") for side in sides):
        return True
    is_none = isinstance(right, ast.Constant) and right.value is None
    known = isinstance(left, ast.Attribute) or last_name(left) == "spike_coding"
    return is_none and known and last_name(left) in SPIKING_FIELDS


def spiking_asked(house: str) -> Measure:
    """Questions outside SPIKING_ROOMS whether a network or policy was trained as spiking, by file.

    An assertion decides nothing and is no question; compiled code branches by every neuron.
    """
    paths = [
        path
        for path in files(house)
        if not SPIKING_ROOMS.match(path) and not KERNEL_FILES.search(path.rsplit("/", 1)[-1])
    ]
    asserted = {part for path, node in nodes(paths, ast.Assert) for part in ast.walk(node)}
    found = [
        (path, at(path, node), shown(node))
        for path, node in nodes(paths, ast.Compare)
        if isinstance(node, ast.Compare) and node not in asserted
        for left, operator, right in zip(
            [node.left, *node.comparators], node.ops, node.comparators, strict=False
        )
        if asks_for_spiking(left, operator, right)
    ]
    found += [
        (path, located(path, node), shown(node))
        for path, node, names in class_questions(paths)
        if names & SPIKING_POLICIES and node not in asserted
    ]
    found += [
        (path, at(path, node), shown(node))
        for path, node in nodes(paths, ast.MatchValue)
        if isinstance(node, ast.MatchValue) and last_name(node.value) in SPIKING_NAMES
    ]
    return gathered_by_file(found)
