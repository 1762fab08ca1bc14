"""One wrong reading of the contract: a textual change of one rule in one file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """`before` stands in `file` exactly once; `checks` names the part of the conformance suite that must notice."""

    rule: str
    file: str
    before: str
    after: str
    checks: str

    def apply(self, source: str) -> str:
        """The file's mutated source. Raises ValueError where the text has moved on."""
        if source.count(self.before) != 1:
            raise ValueError(f"{self.file}: {source.count(self.before)} times, 1 expected: {self.before}")
        return source.replace(self.before, self.after)


def mutants(file: str, checks: str, *changes: tuple[str, str, str]) -> tuple[Mutant, ...]:
    """Mutants of one file, each given as rule, text before, text after."""
    return tuple(Mutant(rule, file, before, after, checks) for rule, before, after in changes)


def inside(rule: str, block: str, before: str, after: str) -> tuple[str, str, str]:
    """A change of `before` where it stands in `block`: for lines that several functions of a file share."""
    if block.count(before) != 1:
        raise ValueError(f"{rule}: {block.count(before)} times in its block, 1 expected: {before}")
    return rule, block, block.replace(before, after)
