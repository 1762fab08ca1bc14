"""The house measured: line lengths, conditional expressions, sizes, names, imports and wording.

`python tests/support/house.py` prints a table of all measures, then the worst offenders of each
with file:line, ten at most; `--all` prints all of them. test_house.py holds the measures to LIMITS.
What is measured: sizes and names here, imports in import_graph.py, questions about policies in
house_policies.py, wording in house_words.py.
"""

from __future__ import annotations

import argparse
import ast
import functools
import sys
import types
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

if __name__ == "__main__":  # lava-dl installs a package `tests`
    sys.modules["tests"] = types.ModuleType("tests")
    sys.modules["tests"].__path__ = [str(Path(__file__).resolve().parents[1])]

from tests.support import house_policies, house_words, import_graph  # noqa: E402
from tests.support.house_files import (
    HOUSES,
    KERNEL_FILES,
    Measure,
    Offender,
    at,
    counted,
    files,
    last_name,
    nodes,
    shown,
    text,
    tracked,
    tree,
)

COLUMNS = 100  # of a line, at most
FUNCTION_LINES = 60
PARAMETERS = 7
FILE_LINES = 400
SMALL_FILE = 25  # lines; a shorter file is asked for a concept of its own

# The largest value of each measure that is held to one, as "measure" or "measure, house".
# Benchmarks and examples are held to the lengths of lines, functions and files only.
LIMITS: dict[str, float] = {
    "long lines": 0,
    "conditionals per 1,000 lines, source": 15,
    "conditionals per 1,000 lines, tests": 15,
    "nested conditionals, source": 0,
    "nested conditionals, tests": 0,
    "parallel assignments per 1,000 lines, source": 5,
    "parallel assignments per 1,000 lines, tests": 5,
    "long functions, source": 0,
    "long functions, tests": 0,
    "long functions, benchmarks": 0,
    "many parameters": 20,
    "long files, source": 0,
    "long files, tests": 0,
    "long files, benchmarks": 0,
    "shared file names, source": 0,
    "shared file names, tests": 0,
    "modules in import circles": 0,
    "rooms in import circles": 0,
    "policy class questions": 0,
    "trained-as-spiking questions": 0,
    "phrases in prose": 0,
    "phrases in messages": 0,
    "coinages": 0,
}

# What numba compiles is long and takes many arrays. Names made by `name = njit(...)` join these.
KERNEL_DECORATORS = {"njit", "jit", "compiled", "intrinsic", "overload"}

# File names that every folder may have: Python's and pytest's own, a neuron's, a format's, and
# Lava's process.
SHARED_NAMES = {
    "__init__",
    "conftest",
    "process",
    "sigma_delta",
    "integrate_and_fire",
    "signed_memory",
    "multi_threshold",
    "differential_coding",
    "leaky_integrate_and_fire",
    "leaky",
    "readout",
    "onnx",
    "nir",
    "netx",
    "lava",
    "torch",
    "c",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def per_thousand(paths: list[str], offenders: list[Offender]) -> Measure:
    """Offenders per 1,000 lines of these files, gathered by file."""
    lines = sum(len(text(path).splitlines()) for path in paths)
    gathered: dict[str, list[int]] = defaultdict(list)
    for offender in offenders:
        path, line = offender.place.rsplit(":", 1)
        gathered[path].append(int(line))
    by_file = []
    for path, found in gathered.items():
        numbers = ", ".join(map(str, sorted(found)))
        what = f"{len(found)} of them, on lines {numbers}"
        by_file.append(Offender(f"{path}:{min(found)}", what, len(found)))
    return Measure(1000 * len(offenders) / max(lines, 1), by_file)


def long_lines() -> Measure:
    """Lines of tracked Python files over COLUMNS columns."""
    return counted(
        [
            Offender(f"{path}:{number}", f"{len(line)} columns", len(line))
            for path in tracked(".py")
            for number, line in enumerate(text(path).splitlines(), 1)
            if len(line) > COLUMNS
        ]
    )


def conditionals(house: str) -> Measure:
    """Conditional expressions per 1,000 lines."""
    found = [Offender(at(path, node), shown(node)) for path, node in nodes(files(house), ast.IfExp)]
    return per_thousand(files(house), found)


def nested_conditionals(house: str) -> Measure:
    """Conditional expressions that hold another one anywhere within."""
    return counted(
        [
            Offender(at(path, node), shown(node), inner)
            for path, node in nodes(files(house), ast.IfExp)
            if (inner := sum(isinstance(part, ast.IfExp) for part in ast.walk(node)) - 1)
        ]
    )


def parallel_assignments(house: str) -> Measure:
    """Assignments `a, b = x, y` per 1,000 lines."""
    row = (ast.Tuple, ast.List)
    found = [
        Offender(at(path, node), shown(node))
        for path, node in nodes(files(house), ast.Assign)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, row)
        and any(isinstance(target, row) for target in node.targets)
    ]
    return per_thousand(files(house), found)


@functools.cache
def kernel_decorators() -> frozenset[str]:
    """KERNEL_DECORATORS and every name that a file binds to a call of njit or jit."""
    found = set(KERNEL_DECORATORS)
    for _, node in nodes(list(tracked(".py")), (ast.Assign, ast.AnnAssign)):
        value = getattr(node, "value", None)
        if isinstance(value, ast.Call) and last_name(value) in ("njit", "jit"):
            targets = getattr(node, "targets", None) or [getattr(node, "target", node)]
            found.update(last_name(target) for target in targets)
    return frozenset(found - {""})


def functions(path: str) -> Iterator[tuple[Function, bool]]:
    """Every function of a file, and whether it is a kernel or stands in one."""

    def walk(node: ast.AST, kernel: bool) -> Iterator[tuple[Function, bool]]:
        for child in ast.iter_child_nodes(node):
            inside = kernel
            if isinstance(child, Function):
                names = {last_name(decorator) for decorator in child.decorator_list}
                inside = kernel or bool(names & kernel_decorators())
                yield child, inside
            yield from walk(child, inside)

    return walk(tree(path), bool(KERNEL_FILES.search(PurePosixPath(path).name)))


def long_functions(house: str) -> Measure:
    """Functions over FUNCTION_LINES lines that are no kernels."""
    found = []
    for path in files(house):
        for function, kernel in functions(path):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > FUNCTION_LINES and not kernel:
                found.append(Offender(at(path, function), f"{function.name}: {lines} lines", lines))
    return counted(found)


def many_parameters(*, kernels: bool) -> Measure:
    """Functions of all houses with more than PARAMETERS named parameters, self and cls not counted.

    Args:
        kernels: Whether kernels are counted, or all other functions.
    """
    found = []
    for path in (path for house in HOUSES for path in files(house)):
        for function, kernel in functions(path):
            arguments = function.args
            names = [
                argument.arg
                for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            ]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            if count > PARAMETERS and kernel == kernels:
                what = f"{function.name}: {count} parameters"
                found.append(Offender(at(path, function), what, count))
    return counted(found)


def long_files(house: str) -> Measure:
    """Files over FILE_LINES lines."""
    sizes = {path: len(text(path).splitlines()) for path in files(house)}
    return counted(
        [
            Offender(f"{path}:1", f"{lines} lines", lines)
            for path, lines in sizes.items()
            if lines > FILE_LINES
        ]
    )


def small_files(house: str) -> Measure:
    """Files under SMALL_FILE lines, and what they define; the shortest first."""
    found = []
    for path in files(house):
        lines = len(text(path).splitlines())
        if lines < SMALL_FILE and not path.endswith("/__init__.py"):
            kinds = (*Function.__args__, ast.ClassDef)
            names = [node.name for node in tree(path).body if isinstance(node, kinds)]
            what = f"{lines} lines: {', '.join(names) or 'no class and no function'}"
            found.append(Offender(f"{path}:1", what, SMALL_FILE - lines))
    return counted(found)


def shared_file_names(house: str) -> Measure:
    """File names that stand more than once in a house, but for SHARED_NAMES."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in files(house):
        places[PurePosixPath(path).stem].append(path)
    return counted(
        [
            Offender(f"{paths[0]}:1", f"also {', '.join(paths[1:])}", len(paths))
            for stem, paths in places.items()
            if len(paths) > 1 and stem not in SHARED_NAMES
        ]
    )


@functools.cache
def imports() -> import_graph.Graph:
    """What imports what among the packages."""
    return import_graph.read({path: tree(path) for path in files("source")})


def circles(graph: import_graph.Graph) -> Measure:
    """How many nodes of a graph are in circles; an offender is a knot with its shortest circle."""
    found = []
    for knot in import_graph.knots(graph):
        steps = import_graph.shortest_circle(graph, knot)
        trail = ", ".join(f"{origin} -> {target} ({place})" for origin, target, place in steps)
        what = f"{len(knot)} in a knot; its shortest circle: {trail}; all: {', '.join(knot)}"
        found.append(Offender(steps[0][2], what, len(knot)))
    return Measure(sum(offender.size for offender in found), found)


# Every measure by its name. Those of LIMITS are held to a value; the others are only printed.
MEASURES: dict[str, Callable[[], Measure]] = {
    "long lines": long_lines,
    "modules in import circles": lambda: circles(imports()),
    "rooms in import circles": lambda: circles(import_graph.rooms(imports())),
    "policy class questions": lambda: house_policies.class_asked("source"),
    "policy class questions, tests": lambda: house_policies.class_asked("tests"),
    "policy class questions, benchmarks": lambda: house_policies.class_asked("benchmarks"),
    "trained-as-spiking questions": lambda: house_policies.spiking_asked("source"),
    "phrases in prose": lambda: house_words.phrases(house_words.prose()),
    "phrases in messages": lambda: house_words.phrases(house_words.messages()),
    "coinages": house_words.coinages,
    "many parameters": lambda: many_parameters(kernels=False),
    "many parameters, kernels": lambda: many_parameters(kernels=True),
    "small files": lambda: small_files("source"),
}
OF_EVERY_HOUSE: dict[str, Callable[[str], Measure]] = {
    "conditionals per 1,000 lines": conditionals,
    "nested conditionals": nested_conditionals,
    "parallel assignments per 1,000 lines": parallel_assignments,
    "long functions": long_functions,
    "long files": long_files,
    "shared file names": shared_file_names,
}
for _name, _measure in OF_EVERY_HOUSE.items():
    for _house in HOUSES:
        MEASURES[f"{_name}, {_house}"] = functools.partial(_measure, _house)


@functools.cache
def measured(name: str) -> Measure:
    """A measure's value and offenders."""
    return MEASURES[name]()


def account(name: str, most: int | None = 10) -> str:
    """A measure against its limit and its worst offenders.

    Args:
        name: The measure.
        most: How many offenders, all if None.
    """
    measure = measured(name)
    worst = measure.worst()
    lines = [f"{name}: {measure.value:.5g} (limit {LIMITS.get(name, 'none')})"]
    lines += [f"  {offender.place}: {offender.what}" for offender in worst[:most]]
    if len(worst) > len(lines) - 1:
        lines.append(f"  and {len(worst) - len(lines) + 1} more")
    return "\n".join(lines)


def main() -> None:
    """Print the table, then the worst offenders of every measure that has any."""
    parser = argparse.ArgumentParser(description="Measures of the house and their limits.")
    parser.add_argument("--all", action="store_true", help="print every offender")
    parser.add_argument("measures", nargs="*", help="the beginnings of measures' names")
    given = parser.parse_args()
    names = [name for name in MEASURES if name.startswith(tuple(given.measures or [""]))]
    width = max(map(len, names), default=0)
    print(f"{'measure':{width}}  {'value':>8}  {'limit':>6}")
    for name in names:
        value = measured(name).value
        limit = LIMITS.get(name)
        verdict = "" if limit is None or value <= limit else "  over"
        print(f"{name:{width}}  {value:>8.5g}  {'none' if limit is None else limit:>6}{verdict}")
    for name in names:
        if measured(name).offenders:
            print(f"\n{account(name, None if given.all else 10)}")


if __name__ == "__main__":
    main()
