"""The optimiser's study: Optuna's TPE, kept in a file where the user wants to go on later."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import open_regular
from spikeport.toolchain.tuning.point import Point, suggest
from spikeport.toolchain.tuning.tuning_evidence import Batch, Episodes, Evidence, as_json
from spikeport.toolchain.tuning.tuning_options import TuningOptions

NAME = "spikeport-tune"
STARTUP = 16  # trials before TPE has a model
SECONDS = "seconds"
# What Optuna's reader raises for a journal that is not one.
UNREADABLE = (AssertionError, KeyError, TypeError, ValueError, AttributeError)


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna reports every trial and calls some of its samplers experimental.

    Neither is the user's business.
    """
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            optuna.logging.set_verbosity(before)


@dataclass(frozen=True, eq=False)
class Study:
    """Candidates that were asked for, by their numbers.

    A candidate's episodes are written after each of its rungs; Optuna is told its cost once it is
    out or safe.
    """

    optuna: Any
    shortfalls: dict[int, float] = field(default_factory=dict)

    def ask(
        self, point: Point | None, neuron: str, weight_bits: tuple[int, ...], hidden: int
    ) -> tuple[int, Point]:
        """Start a candidate.

        Args:
            point: The candidate, or None for one that the optimiser suggests.
            neuron: Short name of the suggestion's neurons.
            weight_bits: Widths that may be suggested.
            hidden: Number of hidden layers.

        Returns:
            The candidate's number and point.
        """
        if point is not None:
            self.optuna.enqueue_trial(point.parameters())
        trial = self.optuna.ask()
        return trial.number, suggest(trial, point.neuron if point else neuron, weight_bits, hidden)

    def remember(self, number: int, point: Point, episodes: Episodes, evidence: Evidence) -> None:
        """Write down what a candidate has shown so far."""
        facts = {
            "point": asdict(point),
            "episodes": [asdict(batch) for batch in episodes.batches],
            "evidence": as_json(evidence),
        }
        self.optuna.set_user_attr(_key(number), facts)

    def settle(self, number: int, evidence: Evidence, shortfall: float) -> None:
        """Tell Optuna what a candidate was worth.

        An endless cost is one that could not be converted.
        """
        import optuna

        self.shortfalls[number] = shortfall
        if np.isfinite(evidence.cost):
            self.optuna.tell(number, evidence.cost)
        else:
            self.optuna.tell(number, state=optuna.trial.TrialState.FAIL)

    def spend(self, seconds: float) -> None:
        """Write down how long the search has taken in all."""
        self.optuna.set_user_attr(SECONDS, seconds)

    def spent(self) -> float:
        """Seconds that the search has taken in all."""
        return float(self.optuna.user_attrs.get(SECONDS, 0.0))

    def recall(self) -> list[tuple[int, Point, Episodes, Evidence, bool]]:
        """What a study already knows, oldest first.

        Number, point, episodes, evidence, and whether it is settled.
        """
        import optuna

        found = []
        kept = self.optuna.user_attrs
        for trial in self.optuna.get_trials(deepcopy=False):
            facts = kept.get(_key(trial.number))
            running = trial.state == optuna.trial.TrialState.RUNNING
            if facts is not None:
                found.append((trial.number, *_known(facts), not running))
            elif running:  # interrupted before it was written down
                self.optuna.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        return found


def _known(facts: dict[str, Any]) -> tuple[Point, Episodes, Evidence]:
    """What `Study.remember` wrote of a candidate."""
    point: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in facts["point"].items()
    }
    evidence: dict[str, Any] = {
        name: np.inf if value is None else value for name, value in facts["evidence"].items()
    }
    batches = tuple(Batch.from_json(batch) for batch in facts["episodes"])
    return Point(**point), Episodes(batches), Evidence(**evidence)


def _key(number: int) -> str:
    return f"candidate {number}"


def open_study(path: Path | None, identity: dict[str, Any], options: TuningOptions) -> Study:
    """A new study, or the one in `path`.

    Args:
        path: The study's file; None keeps it in memory.
        identity: What two searches must share to continue one another.
        options: Of the search.

    Returns:
        The study.

    Raises:
        InputError: For another search's study and for any other file.
    """
    import optuna

    if path is not None:
        _refuse_unusable(path)
    shortfalls: dict[int, float] = {}
    sampler = optuna.samplers.TPESampler(
        seed=options.seed,
        multivariate=True,
        group=True,
        n_startup_trials=STARTUP,
        constraints_func=lambda trial: (shortfalls.get(trial.number, 1.0),),
    )
    study = _create(path, sampler)
    known = study.user_attrs.get("identity")
    if known is None:
        study.set_user_attr("identity", identity)
    elif known != identity:
        raise _other_search(path, known, identity)
    return Study(study, shortfalls)


def _refuse_unusable(path: Path) -> None:
    if not path.parent.is_dir():
        raise InputError(
            "--study", "the folder is not there", got=path.parent, fix="create it first"
        )
    if path.exists() and not _is_journal(path):
        raise InputError(
            "--study",
            "not a study file",
            got=path.name,
            fix="name a file that is not there yet, or one that `spikeport tune --study` wrote",
        )


def _create(path: Path | None, sampler: Any) -> Any:
    """Optuna's study, in memory or in a journal."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if path is None:
        return optuna.create_study(sampler=sampler, study_name=NAME, load_if_exists=True)
    try:
        storage = JournalStorage(JournalFileBackend(str(path)))
        return optuna.create_study(
            storage=storage, sampler=sampler, study_name=NAME, load_if_exists=True
        )
    except UNREADABLE as error:
        raise InputError(
            "--study",
            f"not a study file: {type(error).__name__} {error}".rstrip(),
            got=path.name,
            fix="name a file that is not there yet",
        ) from None


def _other_search(path: Path | None, known: Any, identity: dict[str, Any]) -> InputError:
    """The error for a study of another search."""
    different = ", ".join(
        f"{name} {known.get(name)}, now {value}"
        for name, value in identity.items()
        if known.get(name) != value
    )
    return InputError(
        "--study",
        f"the study belongs to another search ({different})",
        got=path.name if path else None,
        fix="name a new study file",
    )


def _is_journal(path: Path) -> bool:
    try:
        with open_regular(path) as stream:
            first = stream.readline(1 << 20)
        return not first or "op_code" in json.loads(first)
    except (OSError, ValueError, TypeError):
        return False
