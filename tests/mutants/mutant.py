"""One wrong reading of the contract: a change of one rule in one file."""

from __future__ import annotations

from dataclasses import dataclass

from tests.mutants.places import PLACES
from tests.mutants.source import Canonical, occurrences, spellings, spliced, tokens


@dataclass(frozen=True)
class Mutant:
    """A change of one place in one file. Layout, comments and quotes of the file do not matter.

    Attributes:
        rule: What the contract says.
        file: The path of the file, relative to the root of the repository.
        before: What stands in the file exactly once, in the spelling of `ast.unparse`: without
            parentheses that change nothing.
        after: What is put there. Its lines are indented as those of `before` are.
        checks: The part of the conformance suite that must notice.
    """

    rule: str
    file: str
    before: str
    after: str
    checks: str

    def apply(self, source: str) -> str:
        """The file's mutated source.

        Args:
            source: The source of the file.

        Returns:
            The mutated source, in a layout of its own and without comments.

        Raises:
            ValueError: The text has moved on.
        """
        for canonical in spellings(source):
            found = occurrences(self.before, canonical)
            if found:
                break
        if len(found) != 1:
            raise ValueError(f"{self.file}: {len(found)} times, 1 expected: {self.before}")
        return spliced(canonical.text, found[0], self.after)


def mutants(place: str, checks: str, *changes: tuple[str, str, str]) -> tuple[Mutant, ...]:
    """Mutants of one file.

    Args:
        place: The name of the file in `tests/mutants/places.py`.
        checks: The part of the conformance suite that must notice.
        changes: For each mutant its rule, the text before and the text after.

    Returns:
        The mutants, in the order given.
    """
    file = PLACES[place]
    return tuple(Mutant(rule, file, before, after, checks) for rule, before, after in changes)


def inside(rule: str, block: str, before: str, after: str) -> tuple[str, str, str]:
    """A change where it stands in a block, for lines that several functions of a file share.

    Args:
        rule: What the contract says.
        block: The lines, as a mutant's `before`.
        before: What stands in the block exactly once.
        after: What is put there.

    Returns:
        The rule, the block and the changed block.

    Raises:
        ValueError: The block does not hold `before` exactly once.
    """
    found = occurrences(before, Canonical(block, tokens(block)))
    if len(found) != 1:
        raise ValueError(f"{rule}: {len(found)} times in its block, 1 expected: {before}")
    return rule, block, spliced(block, found[0], after)
