"""Training on the whole graph, with checkpoints: what is left when the search is over."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from planner.records import Plan
from techniques.errors import TrialFailedError
from techniques.facts import Facts
from techniques.job import JobSpec
from tuner.folder import RunFolder, fingerprint, write_text
from tuner.ingest import ingest
from tuner.records import Limits, Measurement, TrialState, WorkRequest
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
    graph = folder.graph if folder.graph.is_dir() else Path(str(plan.facts.graph.source))
    return _train(folder, plan.facts, winner.spec, str(graph), epochs, progress)


def train_graph(
    graph: Any, plan: Plan | str | Path | None, out: str | Path | None, epochs: int | None, progress: Progress
) -> Measurement:
    """Train the best candidate of a plan without a search."""
    from tuner.api import choose, planned

    with tempfile.TemporaryDirectory(prefix="gnnfit-run-") as temporary:
        folder = RunFolder(out or Path(temporary) / "run")
        stored = ingest(graph, folder.graph)
        made = planned(stored, graph, plan=plan)
        with folder.locked():
            return _train(folder, made.facts, choose(made, None).spec, str(stored.path), epochs, progress)


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
