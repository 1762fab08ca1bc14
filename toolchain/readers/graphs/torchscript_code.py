"""The code in a TorchScript archive, walked as a syntax tree on signals.

It is parsed, never executed. Only what a feed-forward policy needs is known: assignments, calls of
the archive's own functions and of torch's operators, and branches whose condition is a constant.
"""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.display_text import printable
from spikeport.toolchain.readers.graphs.aten import call_aten
from spikeport.toolchain.readers.graphs.machine import FIX, UNKNOWN, Machine
from spikeport.toolchain.readers.graphs.overwritten import Overwritten
from spikeport.toolchain.readers.graphs.signal import BATCH, Signal
from spikeport.toolchain.readers.graphs.torchscript_archive import EXPORT, Archive
from spikeport.toolchain.readers.graphs.torchscript_values import (
    NO_VALUES,
    SAME_VALUE,
    SCALARS,
    UNCHANGED,
    assigned_names,
    dtype_of,
    path_of,
)
from spikeport.toolchain.readers.pickles.restricted_pickle import Record

STEP_LIMIT = 100_000
DEPTH_LIMIT = 60
LINE_LIMIT = 20_000


class Interpreter:
    """Walks one archive's code; problems go to the machine."""

    def __init__(self, archive: Archive, machine: Machine) -> None:
        self._archive = archive
        self._machine = machine
        self._modules: dict[str, dict[str, ast.stmt]] = {}
        self._overwritten = Overwritten(machine)
        self._steps = self._depth = 0
        self._fields: dict[tuple[int, str], Any] = {}

    def method(self, record: Record, name: str) -> ast.FunctionDef:
        """The method of a module's class; InputError where the archive has none."""
        definition = self._definition(record.path)
        for statement in definition.body if isinstance(definition, ast.ClassDef) else ():
            if isinstance(statement, ast.FunctionDef) and statement.name == name:
                return statement
        raise InputError(
            self._machine.where,
            f"the archive has no code for {printable(record.path, 80)}.{name}",
            fix=EXPORT,
        )

    def call(self, function: ast.FunctionDef, positional: list[Any], named: dict[str, Any]) -> Any:
        """Return what a function of the archive returns.

        Args:
            function: Its syntax tree.
            positional: Arguments in order.
            named: Arguments by name.
        """
        parameters = [parameter.arg for parameter in function.args.args]
        scope: dict[str, Any] = {}
        defaults = function.args.defaults
        for parameter, default in zip(
            parameters[len(parameters) - len(defaults) :], defaults, strict=True
        ):
            scope[parameter] = self._evaluate(default, {}, function.name)
        scope |= dict(zip(parameters, positional, strict=False)) | named
        if len(positional) > len(parameters) or set(scope) != set(parameters):
            return self._machine.problem(
                f"{printable(function.name, 40)}: the arguments of a call do not fit its parameters"
            )
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise self._endless()
        returned, value = self._block(function.body, scope, function.name)
        self._depth -= 1
        if returned:
            return value
        return None

    def _block(
        self, statements: list[ast.stmt], scope: dict[str, Any], place: str
    ) -> tuple[bool, Any]:
        """(whether the block returned, what)."""
        for statement in statements:
            here = f"{printable(place, 40)} line {statement.lineno}"
            self._step()
            if isinstance(statement, ast.Return):
                return True, (
                    None
                    if statement.value is None
                    else self._evaluate(statement.value, scope, here)
                )
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                self._assign(
                    statement.targets[0], self._evaluate(statement.value, scope, here), scope, here
                )
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                if statement.value is None:
                    scope[statement.target.id] = None
                else:
                    scope[statement.target.id] = self._evaluate(statement.value, scope, here)
            elif isinstance(statement, ast.Expr):
                self._evaluate(statement.value, scope, here)
            elif isinstance(statement, ast.If):
                condition = self._evaluate(statement.test, scope, here)
                chosen = self._truth(condition, here)
                if chosen is None:
                    scope |= dict.fromkeys(assigned_names(statement), UNKNOWN)
                    if any(isinstance(node, ast.Return) for node in ast.walk(statement)):
                        return True, UNKNOWN
                    continue
                returned, value = self._block(
                    statement.body if chosen else statement.orelse, scope, place
                )
                if returned:
                    return True, value
            elif not isinstance(statement, ast.Pass):
                self._machine.problem(
                    f"{here}: {type(statement).__name__} is control flow or a statement that is not"
                    " supported"
                )
                scope |= dict.fromkeys(assigned_names(statement), UNKNOWN)
        return False, None

    def _truth(self, condition: Any, here: str) -> bool | None:
        """A constant condition; None, the problem noted, for one that is not known."""
        if condition is UNKNOWN:
            return None
        if isinstance(condition, (bool, int, float)) or condition is None:
            return bool(condition)
        if isinstance(condition, np.ndarray) and condition.size == 1:
            return bool(condition.reshape(()))
        self._machine.problem(f"{here}: If is control flow that depends on more than constants")
        return None

    def _assign(self, target: ast.expr, value: Any, scope: dict[str, Any], here: str) -> None:
        if isinstance(target, ast.Name):
            scope[target.id] = value
            return
        if not isinstance(target, (ast.Tuple, ast.List)):
            self._machine.problem(
                f"{here}: an assignment to {type(target).__name__} is not supported"
            )
            return
        if isinstance(value, (list, tuple)):
            parts = list(value)
        else:
            parts = []
        if value is not UNKNOWN and len(parts) != len(target.elts):
            self._machine.problem(f"{here}: {len(parts)} values for {len(target.elts)} names")
            value = UNKNOWN
        for index, name in enumerate(target.elts):
            self._assign(name, UNKNOWN if value is UNKNOWN else parts[index], scope, here)

    def _evaluate(self, node: ast.expr, scope: dict[str, Any], here: str) -> Any:
        self._step()
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            if node.id in scope:
                return scope[node.id]
            if node.id in ("inf", "nan"):
                return float(node.id)
            return self._machine.problem(f"{here}: the name {printable(node.id, 40)} is not known")
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self._evaluate(item, scope, here) for item in node.elts]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
            value = self._evaluate(node.operand, scope, here)
            if isinstance(node.op, ast.Not):
                truth = self._truth(value, here)
                if truth is None:
                    return UNKNOWN
                return not truth
            if isinstance(value, (int, float)):
                return -value
            return self._operator("neg", [value], {}, here)
        if isinstance(node, ast.IfExp):
            truth = self._truth(self._evaluate(node.test, scope, here), here)
            if truth is None:
                return UNKNOWN
            return self._evaluate(node.body if truth else node.orelse, scope, here)
        if isinstance(node, ast.BoolOp):
            return self._either(node, scope, here)
        if isinstance(node, ast.Attribute):
            return self._attribute(node, scope, here)
        if isinstance(node, ast.Subscript):
            value = self._evaluate(node.value, scope, here)
            index = self._evaluate(node.slice, scope, here)
            if (
                isinstance(value, list)
                and isinstance(index, int)
                and -len(value) <= index < len(value)
            ):
                return value[index]
            if value is UNKNOWN:
                return UNKNOWN
            return self._machine.problem(f"{here}: an index is not supported")
        if isinstance(node, ast.Call):
            return self._call(node, scope, here)
        return self._machine.problem(f"{here}: {type(node).__name__} is not supported")

    def _either(self, node: ast.BoolOp, scope: dict[str, Any], here: str) -> Any:
        value: Any = UNKNOWN
        for item in node.values:
            value = self._truth(self._evaluate(item, scope, here), here)
            if value is None or value is isinstance(node.op, ast.Or):
                if value is None:
                    return UNKNOWN
                return value
        return value

    def _attribute(self, node: ast.Attribute, scope: dict[str, Any], here: str) -> Any:
        path = path_of(node)
        if path.startswith("CONSTANTS.c") and path[11:].isdigit():
            constants = self._archive.constants
            number = int(path[11:][:9])
            if not isinstance(constants, (list, tuple)) or number >= len(constants):
                return self._machine.problem(f"{here}: the archive has no constant {number}")
            return self._stored(("constants", number), constants[number], "constants", here)
        if path.startswith("__torch__."):  # a function as a value
            definition = self._definition(path)
            if isinstance(definition, ast.FunctionDef):
                return definition
            return self._machine.problem(f"{here}: {printable(path, 80)} is not supported")
        return self._field(self._evaluate(node.value, scope, here), node.attr, here)

    def _field(self, owner: Any, name: str, here: str) -> Any:
        if owner is UNKNOWN:
            return UNKNOWN
        if (
            not isinstance(owner, Record)
            or not isinstance(owner.state, dict)
            or name not in owner.state
        ):
            return self._machine.problem(f"{here}: there is no field {printable(name, 40)}")
        return self._stored((id(owner), name), owner.state[name], "data", here)

    def _stored(self, key: Any, stored: object, folder: str, here: str) -> Any:
        """A stored value, made once: the same tensor is the same array."""
        if key not in self._fields:
            self._fields[key] = self._machine.run(
                here, printable(key[1], 60), self._archive.value, stored, folder
            )
        return self._fields[key]

    def _call(self, node: ast.Call, scope: dict[str, Any], here: str) -> Any:
        path = path_of(node.func)
        if path in UNCHANGED and len(node.args) == 2:
            return self._evaluate(node.args[1], scope, here)
        if path == "uninitialized":
            return UNKNOWN
        if any(keyword.arg is None for keyword in node.keywords) or any(
            isinstance(item, ast.Starred) for item in node.args
        ):
            return self._machine.problem(f"{here}: a call with * is not supported")
        positional = [self._evaluate(item, scope, here) for item in node.args]
        named = {
            str(keyword.arg): self._evaluate(keyword.value, scope, here)
            for keyword in node.keywords
        }
        if path == "getattr" and len(positional) == 2 and isinstance(positional[1], str):
            return self._field(positional[0], positional[1], here)
        if isinstance(node.func, ast.Name) and isinstance(scope.get(node.func.id), ast.FunctionDef):
            return self.call(scope[node.func.id], positional, named)
        if path.startswith("torch.") and path.count(".") == 1:
            return self._operator(path[6:], positional, named, here)
        if path.startswith("__torch__."):
            definition = self._definition(path)
            if isinstance(definition, ast.FunctionDef):
                return self.call(definition, positional, named)
            return self._machine.problem(
                f"{here}: {printable(path, 80)} is not a function of the archive"
            )
        if path.startswith("ops.prim.") or path in ("int", "float", "bool"):
            return self._primitive(path.rsplit(".", 1)[-1], positional, here)
        if isinstance(node.func, ast.Attribute) and not path.startswith("ops."):
            owner = self._evaluate(node.func.value, scope, here)
            if isinstance(owner, Record):
                return self.call(self.method(owner, node.func.attr), [owner, *positional], named)
            if owner is UNKNOWN:
                return UNKNOWN
        return self._machine.problem(f"{here}: {printable(path, 80) or 'a call'} is not supported")

    def _primitive(self, name: str, positional: list[Any], here: str) -> Any:
        if positional:
            value = positional[0]
        else:
            value = None
        if value is UNKNOWN:
            return UNKNOWN
        if name in SAME_VALUE:
            return value
        if name in ("device", "layout"):
            return None
        if name == "dtype":
            return 6
        if name in ("is_cuda", "is_quantized", "is_sparse", "is_mkldnn"):
            return False
        if (
            name in ("int", "float", "bool")
            and value is not None
            and not isinstance(value, Signal)
            and np.size(value) == 1
        ):
            return self._machine.run(
                here,
                name,
                {"int": int, "float": float, "bool": bool}[name],
                np.asarray(value).reshape(()).item(),
            )
        return self._machine.problem(f"{here}: {printable(name, 40)} is not supported")

    def _operator(self, name: str, positional: list[Any], named: dict[str, Any], here: str) -> Any:
        """A torch operator; on plain numbers Python's own."""
        if any(value is UNKNOWN for value in (*positional, *named.values())):
            plain = name in SCALARS or name.startswith("__") or name in NO_VALUES
            if plain:
                return UNKNOWN
            return self._overwritten.call(here, name, positional, named, call_aten)
        if name in ("__is__", "__isnot__") and len(positional) == 2:
            return (positional[0] is positional[1]) is (name == "__is__")
        if name in ("len", "__len__") and len(positional) == 1 and isinstance(positional[0], list):
            return len(positional[0])
        if name == "device":
            return None
        if name in NO_VALUES:
            return self._machine.problem(f"{here}: {name} is not supported")
        if (
            name in SCALARS
            and not named
            and all(isinstance(value, (bool, int, float, str)) for value in positional)
        ):
            if BATCH in positional:
                return self._machine.problem(
                    f"{here}: {name} of the size of the batch is not supported"
                )
            return self._machine.run(here, name, SCALARS[name], *positional)
        if name == "to":
            positional = positional[:1] + [dtype_of(value) for value in positional[1:]]
        if "dtype" in named:
            named = named | {"dtype": dtype_of(named["dtype"])}
        return self._overwritten.call(here, name, positional, named, call_aten)

    def _definition(self, path: str) -> ast.stmt | None:
        module, _, name = path.rpartition(".")
        if module not in self._modules:
            text = self._archive.code(module)
            if text is None:
                self._modules[module] = {}
            else:
                self._modules[module] = self._parsed(text, module)
        return self._modules[module].get(name)

    def _parsed(self, text: str, module: str) -> dict[str, ast.stmt]:
        try:
            if max(map(len, text.splitlines()), default=0) > LINE_LIMIT:
                raise ValueError("a line is too long")
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise InputError(
                self._machine.where,
                f"the code of {printable(module, 80)} is not readable",
                why=f"{type(error).__name__}: {printable(error, 80)}; it is parsed, never executed",
                fix=EXPORT,
            ) from None
        return {
            statement.name: statement
            for statement in tree.body
            if isinstance(statement, (ast.ClassDef, ast.FunctionDef))
        }

    def _step(self) -> None:
        self._steps += 1
        if self._steps > STEP_LIMIT:
            raise self._endless()

    def _endless(self) -> InputError:
        limit = f"{STEP_LIMIT} steps, {DEPTH_LIMIT} calls deep"
        return InputError(
            self._machine.where,
            "the archive's code takes too many steps for a policy",
            limit=limit,
            fix=FIX,
        )
