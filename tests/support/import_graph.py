"""Which module imports which, and the circles in it.

Imports within functions and for type checking count like all others, and so does a call of
import_module with a module's name. What a `plugins` module imports by name does not: it holds the
names as strings. `from package import name` leads to the package's __init__ and, if that is one,
to the module `name`; `import package.module` leads to the module only. Through the links in
spikeport/ a package has a second name: `spikeport.toolchain.x` is the module `toolchain.x`.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

LINKING = "spikeport"  # the package with links to others
LINKED = ("toolchain", "export", "hardware_profiles")

Graph = dict[str, dict[str, str]]  # a node, the nodes that it imports, and where it first does
Step = tuple[str, str, str]  # a node, one that it imports, and where


def module_name(path: str) -> str:
    """The module that a file is; a package is its __init__."""
    parts = PurePosixPath(path).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


def canonical(name: str) -> str:
    """The name of a module that does not go through a link."""
    parts = name.split(".")
    if parts[0] == LINKING and parts[1:2] and parts[1] in LINKED:
        return ".".join(parts[1:])
    return name


def room(path: str) -> str:
    """The folder of a file."""
    return str(PurePosixPath(path).parent)


def named(path: str, tree: ast.Module) -> Iterator[tuple[str, int]]:
    """What a file's imports name, and on which lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = PurePosixPath(path).parent.parts
                above = package[: len(package) - node.level + 1]
                base = ".".join((*above, *filter(None, [node.module])))
            yield base, node.lineno
            for alias in node.names:
                yield f"{base}.{alias.name}", node.lineno
        elif isinstance(node, ast.Call) and node.args and PurePosixPath(path).stem != "plugins":
            function = node.func
            called = function.attr if isinstance(function, ast.Attribute) else ""
            if isinstance(function, ast.Name):
                called = function.id
            name = node.args[0]
            if called == "import_module" and isinstance(name, ast.Constant):
                yield str(name.value), node.lineno


def read(trees: Mapping[str, ast.Module]) -> Graph:
    """The graph of these files, by path."""
    paths = {module_name(path): path for path in trees}
    graph: Graph = {path: {} for path in sorted(trees)}
    for path, edges in graph.items():
        for name, line in sorted(named(path, trees[path]), key=lambda found: found[1]):
            target = paths.get(canonical(name))
            if target is not None and target != path:
                edges.setdefault(target, f"{path}:{line}")
    return graph


def rooms(graph: Graph) -> Graph:
    """The graph of the folders of a graph's files; every folder is a room of its own."""
    found: Graph = {}
    for path, edges in graph.items():
        leading = found.setdefault(room(path), {})
        for target, place in edges.items():
            if room(target) != room(path):
                leading.setdefault(room(target), place)
    return found


def knots(graph: Graph) -> list[list[str]]:
    """The strongly connected components of two nodes or more, largest first (Tarjan)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = len(order)
        lowest[node] = order[node]
        stack.append(node)
        for target in graph.get(node, {}):
            if target not in order:
                visit(target)
                lowest[node] = min(lowest[node], lowest[target])
            elif target in stack:
                lowest[node] = min(lowest[node], order[target])
        if lowest[node] == order[node]:
            begin = stack.index(node)
            found.append(sorted(stack[begin:]))
            del stack[begin:]

    for node in graph:
        if node not in order:
            visit(node)
    return sorted((knot for knot in found if len(knot) > 1), key=lambda knot: (-len(knot), knot))


def way(graph: Graph, origin: str, goal: str, allowed: set[str]) -> list[Step]:
    """The fewest steps from one node to another through allowed nodes; empty if there are none."""
    came: dict[str, Step] = {}
    queue = deque([origin])
    while queue and goal not in came:
        node = queue.popleft()
        for target, place in graph[node].items():
            if target in allowed and target not in came:
                came[target] = (node, target, place)
                queue.append(target)
    steps: list[Step] = []
    node = goal
    while node in came and (node != origin or not steps):
        steps.append(came[node])
        node = came[node][0]
    return steps[::-1]


def shortest_circle(graph: Graph, knot: list[str]) -> list[Step]:
    """The shortest circle within a knot."""
    return min((way(graph, node, node, set(knot)) for node in knot), key=len)
