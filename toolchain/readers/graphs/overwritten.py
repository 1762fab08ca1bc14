"""Operations in place: the value they change may not be read again under its old name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spikeport.toolchain.readers.graphs.machine import Machine
from spikeport.toolchain.readers.graphs.signal import Signal


class Overwritten:
    """Remembers the values that were changed in place; reading one again is a problem."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._changed: list[Any] = []  # affine maps and arrays: what shapes of one value share

    def call(
        self,
        place: str,
        name: str,
        positional: Sequence[Any],
        named: Mapping[str, Any],
        run: Callable[..., Any],
    ) -> Any:
        """Run an operator, and note its first operand where the name ends in an underscore.

        Args:
            place: Of the call, for problems.
            name: Of the operator.
            positional: Arguments in order.
            named: Arguments by name.
            run: Called with the machine, the place, the name without its underscore, and the
                arguments.
        """
        operands = [*positional, *named.values()]
        for value in operands + [
            item for several in operands if isinstance(several, list) for item in several
        ]:
            if any(_content(value) is changed for changed in self._changed):
                return self._machine.problem(
                    f"{place}: {name} reads a value after it was changed in place"
                )
        in_place = name.endswith("_") and not name.endswith("__")
        operand = next(iter(operands), None)
        result = run(self._machine, place, name[:-1] if in_place else name, positional, named)
        if in_place and _content(result) is not _content(operand):
            self._changed.append(_content(operand))
        return result


def _content(value: Any) -> Any:
    if isinstance(value, Signal):
        return value.affine
    return value
