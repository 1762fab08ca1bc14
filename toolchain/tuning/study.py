"""The optimiser's study: Optuna's TPE, kept in a file where the user wants to go on later."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from toolchain.errors import InputError
from toolchain.tuning.evidence import Evidence
from toolchain.tuning.options import TuningOptions
from toolchain.tuning.point import Point

NAME = "spikeport-tune"
STARTUP = 16  # trials before TPE has a model


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna reports every trial and calls some of its samplers experimental; neither is the user's business."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            optuna.logging.set_verbosity(before)


def open_study(path: Path | None, identity: dict[str, Any], options: TuningOptions) -> Any:
    """A new study, or the one in `path`. Raises InputError for another search's study and for any other file."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if path is not None and not path.parent.is_dir():
        raise InputError("--study", "the folder is not there", got=path.parent, fix="create it first")
    if path is not None and path.exists() and not _is_journal(path):
        raise InputError("--study", "not a study file", got=path.name, fix="name a file that is not there yet, or one that `spikeport tune --study` wrote")
    sampler = optuna.samplers.TPESampler(
        seed=options.seed, multivariate=True, group=True, n_startup_trials=STARTUP, constraints_func=lambda trial: (trial.user_attrs.get("shortfall", 1.0),)
    )
    try:
        storage = None if path is None else JournalStorage(JournalFileBackend(str(path)))
        study = optuna.create_study(storage=storage, sampler=sampler, study_name=NAME, load_if_exists=True)
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError) as error:  # what Optuna's reader does with a journal that is none
        if path is None:
            raise
        raise InputError(
            "--study", f"not a study file: {type(error).__name__} {error}".rstrip(), got=path.name, fix="name a file that is not there yet"
        ) from None
    known = study.user_attrs.get("identity")
    if known is None:
        study.set_user_attr("identity", identity)
    elif known != identity:
        different = ", ".join(f"{name} {known.get(name)}, now {value}" for name, value in identity.items() if known.get(name) != value)
        raise InputError("--study", f"the study belongs to another search ({different})", got=path.name if path else None, fix="name a new study file")
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # the search was interrupted
    return study


def _is_journal(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as stream:
            first = stream.readline(1 << 20)
        return not first or "op_code" in json.loads(first)
    except (OSError, ValueError, TypeError):
        return False


def remember(study: Any, trial: Any, point: Point, evidence: Evidence, seconds: float, options: TuningOptions) -> None:
    """Tell the study what a candidate was worth; an endless cost is one that could not be converted."""
    import optuna

    facts = {name: value if not isinstance(value, float) or np.isfinite(value) else None for name, value in asdict(evidence).items()}
    for name, value in (
        ("point", asdict(point)),
        ("evidence", facts),
        ("seconds", seconds),
        ("shortfall", evidence.shortfall(options.target, options.chatter)),
    ):
        trial.set_user_attr(name, value)
    if np.isfinite(evidence.cost):
        study.tell(trial, evidence.cost)
    else:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)


def recall(study: Any) -> list[tuple[Point, Evidence, float]]:
    """What a study already knows, oldest first: point, evidence, seconds."""
    found = []
    for trial in study.get_trials(deepcopy=False):
        if "evidence" not in trial.user_attrs:
            continue
        point: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in trial.user_attrs["point"].items()}
        evidence: dict[str, Any] = {name: np.inf if value is None else value for name, value in trial.user_attrs["evidence"].items()}
        found.append((Point(**point), Evidence(**evidence), float(trial.user_attrs["seconds"])))
    return found
