"""The search on a made-up world whose every curve is known: order, pins, stopping, resuming, joining."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from techniques.base import Slot
from techniques.job import JobSpec
from tests.tuner.search_world import LIMIT, START_SECONDS, World
from tuner.bench import SEARCH_SHARE
from tuner.scoring import TOLERANCE
from tuner.search import FEWEST_STALE, LEAST_GAIN, MOST_STALE
from tuner.space import Point
from tuner.study import Study
from tuner.values import DOUBT, doubt, value


def _specs(bench: Any, purpose: str = "search") -> list[tuple[str, Any]]:
    return [(one.spec.model_dump_json(), one.rung) for one in bench.trials if one.purpose == purpose]


def test_the_plans_ranking_comes_first_and_its_first_choice_in_full(setting: Any) -> None:
    bench, space, search, plan = setting()
    search.run()
    firsts = [one.family for one in bench.trials if one.rung == 0 or one is bench.trials[0]]
    assert firsts[: len(space.choices)] == [point.family for point in space.first()]
    assert bench.trials[0].spec == plan.best.spec
    assert bench.trials[0].rung == bench.top


def test_what_is_forecast_to_be_far_slower_waits_for_the_model(setting: Any) -> None:
    bench, space, search, _ = setting()
    slow = [point.spec for point in space.first()[2:4]]
    usual = bench.outlook(slow[0])
    bench._outlook = lambda spec: usual.model_copy(
        update={"epoch_seconds": usual.epoch_seconds * (9.0 * (spec in slow) + 1.0)}
    )
    bench._outlooks.clear()
    search.run()
    firsts = [one.spec for one in bench.trials[: len(space.choices) - 2]]
    assert firsts == [point.spec for point in space.first() if point.spec not in slow]


def test_survivors_are_promoted_from_the_best_third_one_rung_at_a_time(setting: Any) -> None:
    bench, _, search, _ = setting(shares=(1 / 9, 1 / 3), budget=150.0)
    search.run()
    counts = Counter(one.rung for one in bench.trials)
    assert counts[0] > counts[1] > 0
    for number, one in enumerate(bench.trials[1:], 1):
        below = [before for before in bench.trials[:number] if before.rung == one.rung - 1]
        varied = one.rung == bench.top and all(before.spec != one.spec for before in below)
        assert one.rung == 0 or varied or any(before.spec == one.spec for before in below), "never promoted past a rung"


def test_trials_that_fall_behind_are_stopped_and_leave_time_for_others(setting: Any, world: World) -> None:
    bench, _, search, _ = setting(target=0.8, budget=60.0)
    search.run()
    lost = [one for one in bench.trials if one.measured.reason == "stopped by race"]
    assert len(lost) >= 3
    best = bench.best
    for one in lost:
        assert world.pace(Point(one.family, one.spec)) * math.log(9) > best, "who would have won is not stopped"
        assert value(bench, one) > math.log(best)
        assert doubt(bench, one) == DOUBT, "what it needs was expected, not measured"
    assert all(doubt(bench, one) == 0.0 for one in bench.trials if bench.reached(one))


def test_no_point_is_measured_twice_at_one_rung(setting: Any) -> None:
    bench, _, search, _ = setting()
    search.run()
    assert max(Counter(_specs(bench)).values()) == 1
    assert len(bench.trials) > 15


def test_it_finds_what_is_fast(setting: Any, world: World) -> None:
    bench, _, search, plan = setting(budget=60.0, target=0.8)
    search.run()
    best, trial = bench.scored(bench.whole())[0]
    assert best < 0.6 * world.pace(Point(plan.best.name, plan.best.spec)) * math.log(9)
    assert 0.008 < trial.spec.training.learning_rate < 0.05


def test_a_target_that_nobody_has_reached_lies_beyond_the_longest_that_anybody_has_trained(setting: Any) -> None:
    bench, _, search, _ = setting(target=0.95, max_trials=1)
    search.run()
    (trial,) = bench.trials
    flat = tuple(one.model_copy(update={"metric": 0.5}) for one in trial.measured.history)
    bench.trials[0] = trial.model_copy(update={"measured": trial.measured.model_copy(update={"history": flat})})
    race = bench.race(bench.ladder[0])
    assert race.frontier.seconds == (flat[0].seconds,)
    assert race.goal_seconds == flat[-1].seconds > flat[0].seconds


def test_a_target_that_nobody_can_raise_is_final(setting: Any) -> None:
    bench, _, search, _ = setting(max_trials=1)
    search.run()
    (trial,) = bench.trials
    for metric, final in ((0.95, None), (1.0, 1.0 - TOLERANCE)):
        history = tuple(one.model_copy(update={"metric": metric}) for one in trial.measured.history)
        measured = trial.measured.model_copy(update={"metric": metric, "history": history})
        bench.trials[0] = trial.model_copy(update={"measured": measured})
        assert bench.final_target == final


def test_it_goes_on_while_all_that_is_left_could_bring_something(setting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, search, _ = setting(budget=10_000.0, max_trials=8)
    search.run()
    monkeypatch.setattr(search, "stale", lambda: FEWEST_STALE)
    search.expected = LEAST_GAIN / 2
    assert search._worth_it() is None
    search.expected = LEAST_GAIN / 1_000
    assert f"the next {MOST_STALE - FEWEST_STALE} could bring is 0.1% at most" in search._worth_it()


def test_it_stops_by_itself_and_says_why(setting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.search.MOST_STALE", FEWEST_STALE)
    bench, _, search, _ = setting(budget=10_000.0)
    why = search.run()
    assert "no improvement" in why
    assert search.stale() >= FEWEST_STALE
    assert bench.left(SEARCH_SHARE) > 5_000
    summary = search.summary(why, {"search": SEARCH_SHARE})
    assert summary.stopped == why
    assert sum(rung.trials for rung in summary.rungs) == len(bench.trials)


def test_budget_and_number_of_trials_are_reasons_too(setting: Any, world: World) -> None:
    _, _, search, _ = setting(max_trials=5)
    assert search.run() == "5 trials were asked for"
    world.seconds = 0.0
    _, _, search, _ = setting(budget=20.0)
    assert "share of the budget" in search.run()
    assert world.seconds < 20.0 + LIMIT + START_SECONDS


def _is_whole(spec: JobSpec) -> bool:
    return spec.options[Slot.SAMPLING] == "full_batch"


def test_what_cannot_fit_is_skipped_and_counted(setting: Any) -> None:
    bench, _, search, _ = setting(fits=_is_whole, target=0.8, max_trials=20)
    why = search.run()
    assert {one.spec.options[Slot.SAMPLING] for one in bench.trials} == {"full_batch"}
    summary = search.summary(why, {})
    assert summary.skipped > 0
    assert any("do not fit" in one for one in summary.left_out())


def test_a_model_of_quality_prefers_quality(setting: Any, world: World) -> None:
    bench, _, search, _ = setting(optimize="accuracy", max_trials=8)
    search.run()
    trials = [one for one in bench.trials if one.measured.metric is not None]
    assert sorted(trials, key=lambda one: value(bench, one)) == sorted(
        trials, key=lambda one: -(one.measured.metric or 0.0)
    )


def test_a_resumed_search_repeats_nothing_and_loses_nothing(setting: Any, world: World, tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    first, _, search, _ = setting(max_trials=12, study=Study(journal))
    search.run()
    kept = _specs(first)
    world.seconds = 0.0
    again, _, search, _ = setting(max_trials=30, study=Study(journal), trials=first.trials)
    search.run()
    assert _specs(again)[:12] == kept
    assert len(again.trials) == 30
    assert max(Counter(_specs(again)).values()) == 1
    states = Counter(trial.state.name for trial in search.study.study.trials)
    assert states == {"COMPLETE": 30}


def test_two_that_take_turns_measure_different_trials_and_stop_together(setting: Any, tmp_path: Path) -> None:
    """Each learns of the other's trials, and of what the other is at."""
    journal, shared = tmp_path / "study.journal", list[Any]()
    searches = []
    for _ in range(2):
        bench, _, search, _ = setting(max_trials=30, study=Study(journal), others=lambda: list(shared), target=0.8)
        bench.keep = shared.append
        searches.append(search)
    turn = 0
    while not isinstance(step := searches[turn % 2].next(), str):
        searches[turn % 2].measure(step)
        turn += 1
    assert len(shared) == 30
    assert sorted(one.number for one in shared) == list(range(1, 31))
    assert max(Counter((one.spec.model_dump_json(), one.rung) for one in shared).values()) == 1
    searches[0].study.end(step)
    assert searches[1].next() == step


def test_a_point_that_another_measures_is_left_to_it(setting: Any, tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    bench, space, search, _ = setting(study=Study(journal))
    other = Study(journal)
    first = space.first()[0]
    assert other.claim("search", first, f"rung {bench.top}") == 1
    step = search.next()
    assert not isinstance(step, str)
    assert step.point != first


def test_parts_come_first_and_the_whole_graph_decides(setting: Any) -> None:
    bench, _, search, _ = setting(shares=(1 / 9, 1 / 3), budget=150.0)
    search.run()
    assert bench.trials[0].share == 1.0, "the plan's first choice shows what is to be had"
    shares = Counter(one.share for one in bench.trials)
    assert shares[1 / 9] > shares[1 / 3] > 0
    assert shares[1.0] > 1
    whole = [one for one in bench.trials[1:] if one.share == 1.0]
    assert len({one.spec.options[Slot.SAMPLING] for one in whole}) > 1, "samplers are compared on the whole graph"
    known = {one.spec.model_dump_json() for one in bench.trials if one.share < 1.0}
    varied = [one for one in whole if one.spec.model_dump_json() not in known]
    for one in varied:
        likes = [other.spec for other in bench.trials if other is not one and other.family == one.family]
        same = [other for other in likes if other.training == one.spec.training]
        assert same, "new points on the whole graph differ only in what a part cannot tell"


def test_parts_are_searched_on_where_the_whole_graph_has_nothing_left_to_tell(setting: Any) -> None:
    bench, _, search, _ = setting(shares=(1 / 9, 1 / 3), budget=60.0)
    bench.too_slow = lambda spec: True
    assert "share of the budget" in search.run()
    assert bench.trials[-1].share < 1.0
