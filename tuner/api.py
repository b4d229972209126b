"""``measure``, ``tune`` and ``run``: what people call."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from planner.quantities import MAX_SECONDS
from planner.records import Candidate, Plan
from techniques.base import SettingValue
from techniques.errors import GnnfitError, OptionError
from techniques.facts import Goal
from techniques.sources import short_name
from tuner.events import EventLog, Listener
from tuner.failure import error_of
from tuner.folder import RunFolder, default_folder
from tuner.history import remember
from tuner.ingest import ingest, refuse_bad_graph
from tuner.planning import Wanted, choose, graph_name, planned
from tuner.records import Limits, Measurement, TrialState, TuneReport, WorkRequest
from tuner.report import write_page
from tuner.runner import Progress, Runner

MEASURE_SECONDS = 24 * 3600.0
MEASURE_EPOCHS = 5


def measure(
    graph: Any,
    *,
    plan: Plan | str | Path | None = None,
    candidate: str | None = None,
    epochs: int | None = MEASURE_EPOCHS,
    model: str | None = None,
    goal: Goal | None = None,
    fix: Mapping[str, str] | None = None,
    set: Mapping[str, SettingValue] | None = None,
    calibration: bool = True,
    use_history: bool = False,
    progress: Progress = lambda event: None,
) -> tuple[Candidate, Measurement]:
    """Measure the four metrics of one candidate in a child process.

    Args:
        graph: a GRAPH argument or a PyG object in memory.
        plan: a saved plan; by default one is made for the machine at hand.
        candidate: its name in the plan; by default the best.
        epochs: how many to train; ``None`` trains until the stopping rule holds.

    Returns:
        The candidate with its forecast, and what was measured.

    Raises:
        TrialFailedError: the child failed; out of memory and time-outs are states of the measurement instead.
    """
    _refuse_less_than_one("epochs", epochs)
    wanted = Wanted(plan, model, goal, fix or {}, set or {}, calibration, use_history)
    with tempfile.TemporaryDirectory(prefix="gnnfit-measure-") as temporary:
        stored = ingest(graph, Path(temporary) / "graph")
        made = planned(stored, graph, wanted)
        chosen = choose(made, candidate)
        folder = Path(temporary) / "trial"
        folder.mkdir()
        request = WorkRequest(
            spec=chosen.spec,
            facts=made.facts,
            graph=str(stored.path),
            folder=str(folder),
            limits=Limits(host_bytes=made.facts.host_limit_bytes, seconds=MEASURE_SECONDS, epochs=epochs),
            check_values=False,  # all were looked at before they were written
        )
        with Runner() as runner:
            measured = runner.measure(request, progress)
    if measured.state is TrialState.FAILED:
        problem = f"{chosen.name} could not be measured: {measured.reason}"
        raise error_of(problem, measured, "Report this as a bug")
    remember(made.facts, chosen.spec, chosen.forecast, measured)
    return chosen, measured


def tune(
    graph: Any,
    *,
    plan: Plan | str | Path | None = None,
    out: str | Path | None = None,
    trials: int | None = None,
    budget_seconds: float = 600.0,
    resume: bool = False,
    model: str | None = None,
    goal: Goal | None = None,
    fix: Mapping[str, str] | None = None,
    set: Mapping[str, SettingValue] | None = None,
    study: str | None = None,
    calibration: bool = True,
    use_history: bool = False,
    listener: Listener = lambda event: None,
) -> TuneReport:
    """Measure the plan's candidates, keep the best, train it on the whole graph.

    Args:
        graph: a GRAPH argument, or a PyG object in memory (spilled to ``out/graph``).
        out: the run folder; by default ``gnnfit-runs/NAME-TIME``.
        trials: at most so many search trials; the budget limits them too.
        budget_seconds: everything included: search, verification, final training and report.
        resume: go on with the run in ``out``; it must have been started with the same arguments.
        study: a database URL for Optuna's storage, where several machines work on the run; by default a journal in
            ``out``, which processes that share the folder can ``join`` as well.
        listener: told every event of the run.

    Raises:
        NothingFitsError: no candidate fits.
        NoTrialSucceededError: every measurement failed.
    """
    begun = time.monotonic()
    from tuner.session import Session

    if not isinstance(budget_seconds, (int, float)) or not 0 < budget_seconds <= MAX_SECONDS:
        raise OptionError(
            f"budget_seconds must be seconds above 0 and at most {MAX_SECONDS:,}, got {budget_seconds!r:.40}",
            "Write 600.0",
        )
    _refuse_less_than_one("trials", trials)
    refuse_bad_graph(graph)
    wanted = Wanted(plan, model, goal, fix or {}, set or {}, calibration, use_history)
    folder = RunFolder(out or default_folder(short_name(graph_name(graph))))
    folder.refuse_foreign()
    with folder.begun():
        session = Session.prepare(folder, graph, wanted, budget_seconds, trials, resume, listener, study, begun)
        with told_if_it_fails(folder, session.log):
            return session.go()


def _refuse_less_than_one(name: str, value: int | None) -> None:
    if value is not None and (not isinstance(value, int) or value < 1):
        raise OptionError(f"{name} must be a whole number of at least 1, got {value!r:.40}", f"Leave {name} out")


@contextlib.contextmanager
def told_if_it_fails(folder: RunFolder, log: EventLog) -> Iterator[None]:
    """A run that ends early says so in its events and on its page; where the disk is full, it cannot."""
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError, GnnfitError):
            if isinstance(error, Exception):
                log.add("failed", reason=str(error))
                write_page(folder)
            else:
                log.add("interrupted")
        raise


def join(run: str | Path, *, study: str | None = None, listener: Listener = lambda event: None) -> TuneReport | None:
    """Help a run that another process has started, on this machine or on one like it that shares the folder.

    Its trials are searched together, none twice. If the other process is gone by then, this one finishes the run.

    Returns:
        The report, or ``None`` where the process that leads the run will write it.

    Raises:
        InputError: no such run, not planned yet, or this machine is of another kind.
    """
    from tuner.session import Session

    return Session.join(RunFolder.existing(run), study, listener).help()


def run(
    source: Any,
    *,
    plan: Plan | str | Path | None = None,
    out: str | Path | None = None,
    epochs: int | None = None,
    progress: Progress = lambda event: None,
) -> Measurement:
    """Train on the whole graph: the winner of a run folder, or the best candidate of a plan.

    A run that was interrupted goes on from its last checkpoint. Model, predictions and test metrics are saved.

    Args:
        source: a run folder, or a GRAPH argument with ``plan``.
        epochs: at most so many; by default until the stopping rule holds.
    """
    from tuner.final import train_graph, train_winner

    _refuse_less_than_one("epochs", epochs)
    if isinstance(source, (str, Path)) and (Path(source) / "spec.toml").is_file():
        for name, given in (("plan", plan), ("out", out)):
            if given is not None:
                raise OptionError(
                    f"{source} is a run, with its own plan and folder; got {name} beside it", f"Leave out --{name}"
                )
        folder = RunFolder.existing(source)
        with folder.locked():
            return train_winner(folder, epochs, progress)
    if isinstance(source, (str, Path)) and (Path(source) / "run.lock").is_file():
        RunFolder.existing(source)
    return train_graph(source, plan, out, epochs, progress)
