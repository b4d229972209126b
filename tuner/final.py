"""Training on the whole graph, with checkpoints: what is left when the search is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from planner.records import Plan
from techniques.errors import InputError, TrialFailedError
from techniques.facts import Facts
from techniques.job import JobSpec
from tuner.folder import RunFolder, default_folder, fingerprint, write_text
from tuner.history import remember
from tuner.ingest import ingest, refuse_bad_graph
from tuner.planning import choose, graph_name, planned
from tuner.records import Limits, Measurement, TrialState, WorkRequest
from tuner.report import write_report
from tuner.runner import Progress, Runner

UNLIMITED_SECONDS = 30 * 24 * 3600.0


def final_measurement(
    runner: Runner,
    folder: RunFolder,
    facts: Facts,
    spec: JobSpec,
    graph: str,
    seconds: float,
    epochs: int | None,
    progress: Progress = lambda event: None,
) -> Measurement:
    """Train ``spec`` in ``RUN/final``, going on from the checkpoint of the same spec if there is one."""
    final = folder.final
    final.mkdir(parents=True, exist_ok=True)
    mark = final / "spec.txt"
    now = fingerprint(spec.model_dump(mode="json"))
    if not mark.is_file() or mark.read_text(encoding="utf-8").strip() != now:
        for name in ("checkpoint.pt", "model.pt", "predictions.pt"):
            (final / name).unlink(missing_ok=True)
        write_text(mark, now)
    request = WorkRequest(
        spec=spec,
        facts=facts,
        graph=graph,
        folder=str(final),
        limits=Limits(host_bytes=facts.host_limit_bytes, seconds=seconds, epochs=epochs),
        checkpoint=True,
        save=True,
        check_values=False,
    )
    measured = runner.measure(request, progress)
    write_text(final / "measurement.json", measured.model_dump_json(indent=1))
    return measured


def train_winner(folder: RunFolder, epochs: int | None, progress: Progress) -> Measurement:
    """Train the winner of a finished search to convergence, or on from where a budget stopped it."""
    winner, plan = folder.winner(), Plan.load(folder.plan)
    stored = ingest(plan.facts.graph.source, folder.graph)
    measured = _train(folder, plan.facts, winner.spec, str(stored.path), epochs, progress)
    if folder.report.is_file():
        report = folder.finished_report()
        final = report.final.model_copy(update={"measured": measured})
        stopped = {"final": final, "stopped_by_budget": False}
        write_report(folder, report.model_copy(update=stopped))
    return measured


def train_graph(
    graph: Any, plan: Plan | str | Path | None, out: str | Path | None, epochs: int | None, progress: Progress
) -> Measurement:
    """Train the best candidate of a plan without a search; ``out`` is ``gnnfit-runs/NAME-TIME`` by default."""
    refuse_bad_graph(graph)
    loaded = Plan.load(plan) if isinstance(plan, (str, Path)) else plan
    folder = RunFolder(out or default_folder(Path(graph_name(graph)).stem))
    if (folder.path / "spec.toml").is_file():
        raise InputError(f"{folder.path} holds a tuned run", f"Use gnnfit run {folder.path}, or choose another --out")
    with folder.begun():
        stored = ingest(graph, folder.graph)
        made = planned(stored, graph, plan=loaded)
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
    if measured.state is not TrialState.COMPLETE:
        raise TrialFailedError(
            f"training ended as {measured.state.value}: {measured.reason}", f"See {folder.final}/log.txt"
        )
    return measured
