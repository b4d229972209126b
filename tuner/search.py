"""The search: an Optuna study over the plan's candidates and their knobs, made or resumed, asked and told."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.costing import fits
from planner.proposal import BASELINE_NAME, Pins
from planner.records import Candidate
from tuner.bench import MIN_TRIAL_SECONDS, SEARCH_SHARE, Bench
from tuner.space import BASELINE_LEARNING_RATES, default_parameters, suggest

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial as OptunaTrial

TRIAL_NUMBER = "trial_number"
STUDY_NAME = "gnnfit"
STARTUP_TRIALS = 8
DEFAULT_LEARNING_RATE = 0.01
MAX_IDLE_ASKS = 50
"""So many points in a row that were measured before, or cannot fit, end the search."""


def search(bench: Bench, choices: dict[str, Candidate], pins: Pins, max_trials: int | None) -> None:
    """Measure points until the search's share of the budget, or ``max_trials``, is used.

    The first points run to their limit, without a target: the target is what they reach. They are told to the study
    once it is known, and every later trial stops when it reaches it.
    """
    study = open_study(bench.folder.journal)
    points = first_points(bench, choices, pins)
    enqueue_once(study, points)
    reclaim(study, {trial.number: bench.score(trial.measured) for trial in bench.trials})
    waiting: list[OptunaTrial] = []
    idle = 0
    while _goes_on(bench, max_trials) and idle < MAX_IDLE_ASKS:
        asked = study.ask()
        family, spec = suggest(asked, bench.facts, choices, pins)
        known = bench.known("search", spec)
        if known is not None or not fits(bench.facts, bench.forecast(spec)):
            idle += 1
            tell(study, asked, bench.score(known.measured) if known else None)
            continue
        idle = 0
        number = bench.next_number()
        asked.set_user_attr(TRIAL_NUMBER, number)
        exploring = len(bench.trials) < len(points)
        bench.measure(number, "search", family, spec, stop_at_target=not exploring)
        waiting.append(asked)
        if not exploring:
            _tell_all(study, bench, waiting)
            waiting.clear()
    _tell_all(study, bench, waiting)


def _goes_on(bench: Bench, max_trials: int | None) -> bool:
    searched = sum(1 for trial in bench.trials if trial.purpose == "search")
    if max_trials is not None and searched >= max_trials:
        return False
    # However slow the start was, the plan's first choice and PyG's defaults are measured: they are the first points.
    return searched < 2 or bench.left(SEARCH_SHARE) > MIN_TRIAL_SECONDS


def _tell_all(study: Study, bench: Bench, waiting: list[OptunaTrial]) -> None:
    """Tell scores against the target as it is now."""
    by_number = {trial.number: bench.score(trial.measured) for trial in bench.trials}
    for asked in waiting:
        tell(study, asked, by_number[asked.user_attrs[TRIAL_NUMBER]])


def first_points(bench: Bench, choices: dict[str, Candidate], pins: Pins) -> list[Mapping[str, Any]]:
    """The plan's candidates as they are; PyG's defaults with three learning rates in between."""

    def point(family: str, rate: float) -> Mapping[str, Any]:
        return default_parameters(family, choices[family], bench.facts, pins, rate)

    points = [point(family, DEFAULT_LEARNING_RATE) for family in choices if family != BASELINE_NAME]
    if BASELINE_NAME in choices:
        for index, rate in enumerate(BASELINE_LEARNING_RATES):
            points.insert(2 * index + 1, point(BASELINE_NAME, rate))
    return points


def open_study(journal: Path, seed: int = 0) -> Study:
    """Make or load the study of a run.

    The journal needs an absolute path and the open-file lock: with the default lock Optuna 5.0 hangs for ever after a
    kill while the lock is held. TPE with conditional groups, since every family has knobs of its own.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = str(journal.resolve())
    storage = JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, n_startup_trials=STARTUP_TRIALS)
    return optuna.create_study(study_name=STUDY_NAME, storage=storage, sampler=sampler, load_if_exists=True)


def enqueue_once(study: Study, points: list[Mapping[str, Any]]) -> None:
    """Queue fixed points first; those that an earlier session has queued are not queued again."""
    for point in points:
        study.enqueue_trial(dict(point), skip_if_exists=True)


def reclaim(study: Study, scores: Mapping[int, float | None]) -> None:
    """Settle trials that a killed tuner left running: told if they were measured, else queued again.

    ``scores`` maps our trial numbers to their score, ``None`` for infeasible ones.
    """
    from optuna.trial import TrialState

    for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        number = int(frozen.user_attrs.get(TRIAL_NUMBER, -1))
        if number in scores:
            tell(study, frozen.number, scores[number])
            continue
        # Queued before it is given up: a kill in between measures it twice rather than never.
        wanted = {**frozen.system_attrs.get("fixed_params", {}), **frozen.params}
        if wanted:
            study.enqueue_trial(wanted)
        study.tell(frozen.number, state=TrialState.FAIL)


def tell(study: Study, trial: OptunaTrial | int, score: float | None) -> None:
    """Report a score (smaller is better); an infeasible point is pruned, never failed: TPE forgets failures."""
    from optuna.trial import TrialState

    if score is None:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, score)
