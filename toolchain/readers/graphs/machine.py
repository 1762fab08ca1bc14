"""The bookkeeping while a graph is read: problems, what it has cost, and which stages exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import printable
from spikeport.toolchain.readers.graphs.signal import Signal, Stage, Unsupported, whole

NODE_LIMIT = 5000
MEMORY_LIMIT = 3 * 2**28  # bytes of everything computed from one file
SUPPORTED = (
    "a graph is read as one chain of dense layers with relu, tanh, elu, silu, gelu, leaky_relu,"
    " sigmoid or softplus, a normaliser before it and tanh, scale, offset or clip behind it"
)
FIX = (
    "export the deterministic actor alone as a feed-forward network",
    "torch.save(actor.state_dict(), FILE)",
)


class Unknown:
    """The result of an operation that could not be read.

    What follows from it is not reported again.
    """


UNKNOWN = Unknown()
Value = NDArray[Any] | Signal | Unknown


class Machine:
    """Runs operations on values of a graph.

    `where` is the file; problems are collected and raised by `finish`.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self._problems: list[str] = []
        self._nodes = self._bytes = 0
        self._stages: dict[object, Stage] = {}

    def problem(self, text: str) -> Unknown:
        """Note a problem; the value is not known."""
        self._problems.append(text)
        return UNKNOWN

    def run(
        self,
        place: str,
        label: str,
        operation: Callable[..., Any],
        *operands: Any,
        **attributes: Any,
    ) -> Any:
        """Run an operation on values without the machine.

        Args:
            place: Of the call, for problems.
            label: Of the operation, for problems.
            operation: What is run.
            *operands: Its values; UNKNOWN ones make the result UNKNOWN.
            **attributes: Its parameters.

        Returns:
            Its result, or UNKNOWN with the problem noted as `place: label ...`.
        """
        self._nodes += 1
        if self._nodes > NODE_LIMIT:
            raise InputError(
                self.where,
                "the graph has too many operations for a policy",
                got=f"more than {NODE_LIMIT}",
                limit=NODE_LIMIT,
                fix=FIX,
            )
        if any(_unknown(operand) for operand in (*operands, *attributes.values())):
            return UNKNOWN
        try:
            with np.errstate(all="ignore"):
                result = operation(*operands, **attributes)
        except Unsupported as error:
            if error.like is not None:  # refused where the action depends on it
                return whole(self.stage(f"{label} {error}", error.like, place), error.like.shape)
            return self.problem(f"{place}: {label} {printable(error, 300)}".replace(":  ", ": "))
        except (
            ValueError,
            TypeError,
            IndexError,
            KeyError,
            OverflowError,
            RecursionError,
            MemoryError,
            AttributeError,
            ArithmeticError,
        ) as error:
            # operands of shapes and kinds that the operation does not take
            reason = f"{type(error).__name__}: {printable(error, 160)}"
            text = f"{place}: {label} cannot be read ({reason})"
            return self.problem(text.replace(":  ", ": "))  # where the label is empty
        self._charge(result)
        return result

    def stage(
        self,
        kind: str,
        before: Signal,
        place: str,
        low: NDArray[np.float64] | None = None,
        high: NDArray[np.float64] | None = None,
    ) -> Stage:
        """Return the stage of a function of a signal.

        It is the same one for the same function of the same signal, so that branches can meet
        again.

        Args:
            kind: The function.
            before: The signal.
            place: Of the call, for problems.
            low: [n], of a clip.
            high: [n], of a clip.
        """
        low, high = (np.zeros(0) if bound is None else bound for bound in (low, high))
        key = (kind, id(before), low.tobytes(), high.tobytes())
        return self._stages.setdefault(key, Stage(kind, before, place, low, high))

    def finish(self) -> None:
        """InputError with every problem, if there was one."""
        if self._problems:
            found = list(dict.fromkeys(self._problems))
            shown = found[:20] + ([f"and {len(found) - 20} more"] if len(found) > 20 else [])
            raise violations(self.where, shown, why=SUPPORTED, fix=FIX)

    def _charge(self, result: object) -> None:
        for value in result if isinstance(result, (list, tuple)) else (result,):
            if isinstance(value, Signal):
                affine = value.affine
                self._bytes += affine.offset.nbytes * 3 + (
                    0 if affine.weight is None else affine.weight.nbytes
                )
            elif isinstance(value, np.ndarray):
                self._bytes += value.nbytes
        if self._bytes > MEMORY_LIMIT:
            raise InputError(
                self.where,
                "the graph's values take too much memory",
                got=f"more than {MEMORY_LIMIT} bytes",
                limit=MEMORY_LIMIT,
                fix=FIX,
            )


def _unknown(value: object) -> bool:
    return value is UNKNOWN or (
        isinstance(value, (list, tuple)) and any(item is UNKNOWN for item in value)
    )
