"""What a run may take beyond its budget on a machine that is slower than anybody knew."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from planner import plan
from planner.inspect.estimate import from_counts
from planner.records import Plan
from tuner.bench import Bench
from tuner.budget import overrun_seconds, seconds_to_end
from tuner.folder import RunFolder
from tuner.live import Live
from tuner.parts import MIN_TRIAL_SECONDS, Fidelity, ladder
from tuner.records import Trial, Winner
from tuner.session import Session
from tuner.space import Point, changed

BUDGET = 20.0


@pytest.fixture(scope="module")
def made() -> Plan:
    return plan(from_counts(500, 2_000, 8, 3, directed=False))


@pytest.fixture
def tried(made: Plan, measured: Any) -> Trial:
    """The plan's first choice, two seconds of training in three."""
    assert made.best is not None
    return Trial(
        number=1,
        purpose="search",
        family=made.best.name,
        spec=made.best.spec,
        predicted=made.best,
        measured=measured(0.5, 0.7, wall_seconds=3.0),
        limit_seconds=2.0,
    )


@pytest.mark.parametrize("budget, most", [(20.0, 10.0), (600.0, 30.0)])
def test_the_end_is_within_what_the_budget_promises(budget: float, most: float) -> None:
    assert 0.5 * most <= overrun_seconds(budget) < most
    assert seconds_to_end(budget, budget + most) < 0


@pytest.mark.parametrize("elapsed, trains", [(21.0, True), (24.9, True), (25.1, False), (60.0, False)])
def test_no_final_training_begins_that_could_not_end_in_time(
    elapsed: float, trains: bool, made: Plan, tried: Trial, tmp_path: Path, monkeypatch: Any
) -> None:
    """It takes three seconds at least; 28 s are the end."""
    asked: list[float] = []

    def final(*given: Any) -> Any:
        asked.append(given[-1])
        return tried.measured

    monkeypatch.setattr("tuner.session.final_measurement", final)
    monkeypatch.setattr("tuner.session.remember", lambda *ignored: None)
    log: Any = SimpleNamespace(add=lambda *ignored, **values: None, elapsed_seconds=elapsed)
    figures = tried.predicted.forecast
    bench = Bench(made.facts, ladder(2.0), None, lambda: elapsed, BUDGET, lambda spec: figures, [tried])  # type: ignore[arg-type]
    session = Session(RunFolder(tmp_path), made, SimpleNamespace(path=""), log, None, None, BUDGET, None)  # type: ignore[arg-type]
    winner = Winner(family=tried.family, spec=tried.spec, reason="best")
    found = session._train(None, bench, winner)  # type: ignore[arg-type]
    assert found.measured.history == tried.measured.history
    assert asked == ([pytest.approx(28.0 - elapsed)] if trains else [])


@pytest.mark.parametrize(
    "elapsed, known, most", [(5.0, True, 23.0), (25.0, True, 3.0), (25.0, False, 10.0), (40.0, True, 2.0)]
)
def test_a_trial_that_hangs_ends_in_time_unless_it_is_the_first(
    elapsed: float, known: bool, most: float, made: Plan, tried: Trial, tmp_path: Path
) -> None:
    folder, started = RunFolder(tmp_path), []
    log: Any = SimpleNamespace(add=lambda *ignored, **values: None, elapsed_seconds=elapsed)

    def measure(request: Any) -> float:
        assert started, "a server that starts takes none of the trial's time"
        return float(request.limits.wall_seconds)

    runner: Any = SimpleNamespace(start=lambda: started.append(elapsed), measure=measure)
    live = Live(runner, folder, made, SimpleNamespace(path=""), log, BUDGET, {})  # type: ignore[arg-type]
    if known:
        folder.new_trial_folder(1)
        folder.keep_trial(tried)
    assert len(live.others()) == known
    wall = live.measure(2, "verify", Point(tried.family, tried.spec), Fidelity(1.0, MIN_TRIAL_SECONDS), None)
    assert wall == pytest.approx(most)


def test_a_verification_draws_other_random_numbers_than_the_search(made: Plan, tried: Trial, tmp_path: Path) -> None:
    """With the same ones a lucky trial would be as lucky again."""
    log: Any = SimpleNamespace(add=lambda *ignored, **values: None, elapsed_seconds=5.0)
    runner: Any = SimpleNamespace(start=lambda: None, measure=lambda request: request.spec)
    live = Live(runner, RunFolder(tmp_path), made, SimpleNamespace(path=""), log, BUDGET, {})  # type: ignore[arg-type]
    point, fidelity = Point(tried.family, tried.spec), Fidelity(1.0, MIN_TRIAL_SECONDS)
    searched, verified = (
        live.measure(place, what, point, fidelity, None) for place, what in enumerate(("search", "verify"))
    )
    assert searched == tried.spec
    assert verified == changed(tried.spec, {"seed": tried.spec.training.seed + 1})
