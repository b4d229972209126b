"""Training on the whole graph, with checkpoints: what is left when the search is over."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path
from typing import Any

from planner.costing import cost
from planner.records import Candidate, Plan
from techniques.assembly import forecast
from techniques.errors import InputError
from techniques.facts import Facts
from techniques.forecast import Phase
from techniques.job import JobSpec
from techniques.sources import short_name
from tuner.failure import error_of
from tuner.folder import RunFolder, default_folder, fingerprint, write_text
from tuner.history import remember
from tuner.ingest import ingest, refuse_bad_graph
from tuner.planning import Wanted, choose, graph_name, ingested, planned, refuse_changed_graph, refuse_changed_model
from tuner.records import MAX_EPOCHS_BETWEEN_EVALUATIONS, Limits, Measurement, TrialState, Winner, WorkRequest
from tuner.report import write_report
from tuner.resumed import with_earlier
from tuner.runner import Progress, Runner
from tuner.space import Point

UNLIMITED_SECONDS = 30 * 24 * 3600.0
MARK = "spec.txt"
STEPPED_OVER = (TrialState.OUT_OF_MEMORY, TrialState.KILLED)
"""A child that is killed again, where it has gone on, may be so by a kernel without memory."""


def final_measurement(
    runner: Runner,
    folder: RunFolder,
    facts: Facts,
    spec: JobSpec,
    graph: str,
    seconds: float,
    epochs: int | None,
    progress: Progress = lambda event: None,
    wall_seconds: float | None = None,
) -> Measurement:
    """Train ``spec`` in ``RUN/final``, going on from the checkpoint of the same spec if there is one; once, too, where the
    child is killed on the way. What was trained with another spec stays there until this training is complete."""
    place = _place(folder, fingerprint(spec.model_dump(mode="json")))
    request = WorkRequest(
        spec=spec,
        facts=facts,
        graph=graph,
        folder=str(place),
        limits=Limits(host_bytes=facts.host_limit_bytes, seconds=seconds, epochs=epochs, wall_seconds=wall_seconds),
        checkpoint=True,
        save=True,
        check_values=False,
        evaluate_every=forecast_interval(facts, spec),
    )
    measured = with_earlier(_measured(runner, request, progress), place / "measurement.json")
    if measured.state is TrialState.COMPLETE or not (place / "model.pt").is_file():
        write_text(place / "measurement.json", measured.model_dump_json(indent=1))
    if measured.state is TrialState.COMPLETE and place != folder.final:
        _replace(folder.final, place)
    return measured


def _place(folder: RunFolder, spec: str) -> Path:
    """``RUN/final``, or ``RUN/final.next`` beside a training of another spec; empty but for what ``spec`` left there."""
    place = folder.final if _mark(folder.final) in (None, spec) else folder.next_final
    if _mark(place) != spec:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        write_text(place / MARK, spec)
    return place


def _mark(place: Path) -> str | None:
    """Fingerprint of the spec that is trained in a folder."""
    mark = place / MARK
    return mark.read_text(encoding="utf-8").strip() if mark.is_file() else None


def _measured(runner: Runner, request: WorkRequest, progress: Progress) -> Measurement:
    """One training; who kills a child may have meant another, so it goes on from its checkpoint once, in the time left."""
    begun = time.monotonic()
    measured = runner.measure(request, progress)
    if measured.state is not TrialState.KILLED or not (Path(request.folder) / "checkpoint.pt").is_file():
        return measured
    took, limits = time.monotonic() - begun, request.limits
    wall = None if limits.wall_seconds is None else limits.wall_seconds - took
    if min(limits.seconds - took, math.inf if wall is None else wall) <= 0:
        return measured
    left = limits.model_copy(update={"seconds": limits.seconds - took, "wall_seconds": wall})
    return runner.measure(request.model_copy(update={"limits": left}), progress)


def _replace(final: Path, place: Path) -> None:
    """Swap a complete training in; a kill in between loses neither."""
    old = final.with_name(".final.partial")
    shutil.rmtree(old, ignore_errors=True)
    final.rename(old)
    place.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def forecast_interval(facts: Facts, spec: JobSpec) -> int:
    """Epochs between evaluations by the forecast, not by the clock: a resumed training must be the same training."""
    phases = forecast(spec, facts).phases
    share = phases[Phase.EVALUATE].seconds.expected / max(phases[Phase.TRAIN].seconds.expected, 1e-9)
    return min(max(1, math.ceil(share)), MAX_EPOCHS_BETWEEN_EVALUATIONS)


def train_winner(folder: RunFolder, epochs: int | None, progress: Progress) -> Measurement:
    """Train the winner of a finished search to convergence, or on from where a budget stopped it.

    Where it runs out of memory after all, the next verified candidate is trained instead, and is the winner from then on.

    Raises:
        TrialFailedError: nothing that was verified can be trained.
    """
    winner, plan = folder.winner(), Plan.load(folder.plan)
    refuse_changed_model(plan)
    if not folder.graph.is_dir():  # read where it is
        refuse_changed_graph(plan.facts.graph.source, plan, folder)
    stored = ingest(plan.facts.graph.source, folder.graph)
    with Runner() as runner:
        for one in (winner, *runners_up(folder, winner)):
            measured = final_measurement(
                runner, folder, plan.facts, one.spec, str(stored.path), UNLIMITED_SECONDS, epochs, progress
            )
            if measured.state not in STEPPED_OVER:
                break
            progress({"event": "stepped_down", "family": one.family, "reason": measured.reason})
    _refuse_incomplete(folder, measured)
    if one is not winner:
        write_text(folder.best, one.model_dump_json(indent=1))
    predicted = _predicted(folder, plan, one)
    remember(plan.facts, one.spec, predicted.forecast, measured)
    if folder.report.is_file():
        _report_again(folder, one, predicted, measured)
    return measured


def runners_up(folder: RunFolder, winner: Winner) -> list[Winner]:
    """The other verified candidates, best first."""
    trials = [one for one in folder.finished_trials() if one.purpose == "verify" and one.spec != winner.spec]
    ranked = sorted((one for one in trials if one.score is not None), key=lambda one: one.score or 0.0)
    reason = f"next verified: {winner.family} ran out of memory, or was killed, on the whole graph"
    return [Winner(family=one.family, spec=one.spec, reason=reason) for one in ranked]


def _predicted(folder: RunFolder, plan: Plan, winner: Winner) -> Candidate:
    """What the run said before it measured: a saved plan has no rates of its calibration, and no batches to draw."""
    if folder.report.is_file() and (final := folder.finished_report().final).spec == winner.spec:
        return final.predicted
    whole = (one for one in folder.finished_trials() if one.spec == winner.spec and one.share == 1.0)
    found = next((one.predicted for one in whole), None)
    return found or Point(winner.family, winner.spec).candidate(cost(plan.facts, winner.spec))


def _report_again(folder: RunFolder, winner: Winner, predicted: Candidate, measured: Measurement) -> None:
    report = folder.finished_report()
    last = {"family": winner.family, "spec": winner.spec, "predicted": predicted, "measured": measured}
    update = {"winner": winner, "final": report.final.model_copy(update=last), "stopped_by_budget": False}
    write_report(folder, report.model_copy(update=update))


def train_graph(
    graph: Any, plan: Plan | str | Path | None, out: str | Path | None, epochs: int | None, progress: Progress
) -> Measurement:
    """Train the best candidate of a plan without a search; ``out`` is ``gnnfit-runs/NAME-TIME`` by default."""
    refuse_bad_graph(graph)
    loaded = Plan.load(plan) if isinstance(plan, (str, Path)) else plan
    folder = RunFolder(out or default_folder(short_name(graph_name(graph))))
    if (folder.path / "spec.toml").is_file():
        raise InputError(f"{folder.path} holds a tuned run", f"Use gnnfit run {folder.path}, or choose another --out")
    if not folder.lock.is_file():
        folder.refuse_foreign()
    with folder.begun():
        if folder.plan.is_file():
            begun = Plan.load(folder.plan)
            refuse_changed_graph(graph, begun, folder)
            refuse_changed_model(begun)
            loaded = loaded or begun  # planned again, it might be another training
        stored = ingested(graph, folder)
        made = planned(stored, graph, Wanted(plan=loaded))
        if folder.plan.is_file() and Plan.load(folder.plan).facts.graph.source != made.facts.graph.source:
            raise InputError(f"{folder.path} holds a training of another graph", "Choose another --out")
        chosen = choose(made, None)
        made.save(folder.plan)
        measured = _train(folder, made.facts, chosen.spec, str(stored.path), epochs, progress)
        remember(made.facts, chosen.spec, chosen.forecast, measured)
        return measured


def _train(
    folder: RunFolder, facts: Facts, spec: JobSpec, graph: str, epochs: int | None, progress: Progress
) -> Measurement:
    with Runner() as runner:
        measured = final_measurement(runner, folder, facts, spec, graph, UNLIMITED_SECONDS, epochs, progress)
    _refuse_incomplete(folder, measured)
    return measured


def _refuse_incomplete(folder: RunFolder, measured: Measurement) -> None:
    if measured.state is not TrialState.COMPLETE:
        problem = f"training ended as {measured.state.value}: {measured.reason}"
        raise error_of(
            problem, measured, f"See {folder.path}/final*/log.txt; the same command goes on from a checkpoint"
        )
