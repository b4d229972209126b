"""The search on a made-up world whose every curve is known: order, pins, stopping, resuming, joining, and what wins."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.api import make_plan
from planner.pins import Pins
from planner.proposal import BASELINE_NAME
from planner.records import Plan
from techniques.base import Slot
from techniques.errors import NoTrialSucceededError
from tuner.bench import SEARCH_SHARE, Bench
from tuner.parts import Fidelity, ladder
from tuner.race import Frontier, Race
from tuner.records import Evaluation, Measurement, TrialState
from tuner.replay import Lookup, Row, Table, TablePlaces, cut
from tuner.scoring import MISSED, score
from tuner.search import FEWEST_STALE, Search
from tuner.space import Point, Space, families
from tuner.study import Study
from tuner.verify import standings, verify

START_SECONDS = 0.5
LIMIT, LONGEST = 9.0, 18.0


class World:
    """Learning curves by formula: the fastest at a learning rate of 0.02 and few hidden units, seconds on a clock."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.asked: list[tuple[str, Fidelity, float | None]] = []
        self.out_of_memory: set[str] = set()
        self.top: Callable[[Point], float] = lambda point: 0.9

    def pace(self, point: Point) -> float:
        """Seconds until two thirds are learnt."""
        training, hidden = point.spec.training, point.spec.settings.get("hidden", 64)
        slow = 4.0 if point.family == BASELINE_NAME else 1.0
        slow *= 1.5 if point.spec.options[Slot.SAMPLING] != "full_batch" else 1.0
        return slow * 0.3 * (1 + math.log10(training.learning_rate / 0.02) ** 2 * 4) * (float(str(hidden)) / 32) ** 0.5

    def __call__(
        self, number: int, purpose: str, point: Point, fidelity: Fidelity, target: float | None
    ) -> Measurement:
        self.asked.append((point.spec.model_dump_json(), fidelity, target))
        if point.family in self.out_of_memory:
            self.seconds += START_SECONDS
            return Measurement(state=TrialState.OUT_OF_MEMORY, reason="used too much", wall_seconds=START_SECONDS)
        steps = [0.15 * one for one in range(1, int(LONGEST / 0.15) + 1)]
        history = tuple(
            Evaluation(epoch=epoch, seconds=t, loss=1.0, metric=self.top(point) * (1 - math.exp(-t / self.pace(point))))
            for epoch, t in enumerate(steps, 1)
        )
        whole = Measurement(
            state=TrialState.COMPLETE,
            reason="stopped by time",
            metric=history[-1].metric,
            history=history,
            peak_host_bytes=10**6,
            wall_seconds=START_SECONDS + history[-1].seconds,
        )
        found = cut(whole, fidelity.seconds, target, fidelity.race)
        self.seconds += found.wall_seconds
        return found


@pytest.fixture
def world() -> World:
    return World()


PLANS: dict[str, Plan] = {}
"""One for each world that is planned for."""


@pytest.fixture
def setting(make_facts: Any, world: World) -> Callable[..., Any]:
    """``setting(pins, budget=, shares=, study=, trials=, **goal)``: bench, space, search and plan."""

    def build(
        pins: Pins | None = None,
        budget: float = 120.0,
        shares: tuple[float, ...] = (),
        study: Any = None,
        trials: Any = (),
        max_trials: int | None = None,
        fits: Callable[[Any], bool] | None = None,
        others: Any = list,
        **goal: Any,
    ) -> Any:
        facts = make_facts((50_000, 400_000, 64, 5), **goal)
        asked = facts.model_dump_json() + repr(pins)
        if asked not in PLANS:
            PLANS[asked] = make_plan(facts, pins or Pins())
        plan = PLANS[asked]
        assert plan.best is not None
        space = Space(facts, families(plan.candidates, plan.baseline), pins or Pins())
        figures = plan.best.forecast
        too_large = figures.model_copy(update={"peak_host_bytes": figures.peak_host_bytes * 1e6})
        bench = Bench(
            facts,
            ladder(LIMIT, shares),
            world,
            lambda: world.seconds,
            budget / SEARCH_SHARE,
            lambda spec: figures if fits is None or fits(spec) else too_large,
            trials=trials,
            others=others,
        )
        return bench, space, Search(bench, space, study or Study(None), max_trials), plan

    return build


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
        assert bench.value(one) > math.log(best)


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


def test_it_stops_by_itself_and_says_why(setting: Any) -> None:
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


def test_a_start_that_took_the_whole_budget_leaves_pygs_defaults_alone(setting: Any, world: World) -> None:
    bench, space, search, plan = setting(budget=20.0)
    world.seconds = 20.0 / SEARCH_SHARE
    assert search.run() == "the budget was used after 36 s, before anything could be measured"
    assert verify(bench, search.study, plan, space.defaults()).family == BASELINE_NAME
    assert len(bench.trials) == 1


def test_what_cannot_fit_is_skipped_and_counted(setting: Any) -> None:
    bench, _, search, _ = setting(fits=lambda spec: spec.options[Slot.SAMPLING] == "full_batch", target=0.8)
    why = search.run()
    assert {one.spec.options[Slot.SAMPLING] for one in bench.trials} == {"full_batch"}
    summary = search.summary(why, {})
    assert summary.skipped > 0
    assert any("do not fit" in one for one in summary.left_out())


def test_the_infeasible_is_learnt_from_and_never_wins(setting: Any, world: World) -> None:
    bench, space, search, plan = setting()
    world.out_of_memory = {plan.best.name}
    search.run()
    winner = verify(bench, search.study, plan, space.defaults())
    assert winner.family != plan.best.name
    pruned = [trial for trial in search.study.study.trials if trial.state.name == "PRUNED"]
    assert pruned, "told as infeasible, not failed"


def test_nothing_that_succeeds_is_an_error_that_says_so(setting: Any, world: World) -> None:
    bench, space, search, plan = setting(max_trials=4)
    world.out_of_memory = set(space.choices)
    search.run()
    with pytest.raises(NoTrialSucceededError, match="used too much"):
        verify(bench, search.study, plan, space.defaults())


def test_pins_hold_in_every_trial_and_in_the_winner(setting: Any) -> None:
    pins = Pins({Slot.SAMPLING: "neighbor"}, {"hidden": 128, "learning_rate": 0.004, "dropout": 0.1, "fanouts": (7, 3)})
    bench, space, search, plan = setting(pins, max_trials=25, budget=1000.0)
    search.run()
    winner = verify(bench, search.study, plan, space.defaults())
    ours = [one.spec for one in bench.trials if one.family != BASELINE_NAME] + [winner.spec]
    for spec in ours:
        assert spec.options[Slot.SAMPLING] == "neighbor"
        assert (spec.settings["hidden"], spec.settings["fanouts"], spec.settings["layers"]) == (128, (7, 3), 2)
        assert (spec.training.learning_rate, spec.training.dropout) == (0.004, 0.1)
    assert len({spec.model_dump_json() for spec in ours}) > 2


@pytest.mark.parametrize("budget", [60.0, 99.0, 200.0])
def test_the_winner_is_never_worse_than_the_baseline_or_the_plans_first(
    setting: Any, world: World, budget: float
) -> None:
    """Here PyG's defaults are by far the best: the only ones that learn much."""
    world.top = lambda point: 0.9 if point.family == BASELINE_NAME else 0.4
    bench, space, search, plan = setting(budget=budget)
    search.run()
    winner = verify(bench, search.study, plan, space.defaults())
    assert winner.family == BASELINE_NAME
    assert "PyG's defaults are the best" in winner.reason
    verified = {one.spec.model_dump_json() for one in bench.trials if one.purpose == "verify"}
    assert plan.best.spec.model_dump_json() in verified
    best = standings(bench, plan)[0][0]
    for one in bench.trials:
        if one.purpose == "verify":
            assert best <= (score(one.measured, bench.target, bench.objective) or math.inf)


@pytest.mark.parametrize("late, measured", [(0.0, True), (10_000.0, False)])
def test_pygs_defaults_are_measured_where_the_budget_is_used_up_but_not_what_it_may_be_exceeded_by(
    late: float, measured: bool, setting: Any, world: World
) -> None:
    bench, space, search, plan = setting(max_trials=1)
    search.run()
    world.seconds = bench.budget_seconds + late
    winner = verify(bench, search.study, plan, space.defaults())
    assert [one.family for one in bench.trials if one.purpose == "verify"] == measured * [BASELINE_NAME]
    assert winner.family == plan.best.name
    assert ("could not be measured" in winner.reason) is not measured


def test_a_lucky_search_trial_does_not_win(setting: Any, world: World) -> None:
    """One point is ten times as fast in the search as when it is measured again."""
    bench, space, search, plan = setting(target=0.8, budget=60.0)
    search.run()
    lucky = bench.scored(bench.whole())[0][1]
    slow = world.pace

    def luck_is_over(point: Point) -> float:
        return slow(point) * (30.0 if point.spec == lucky.spec else 1.0)

    world.pace = luck_is_over  # type: ignore[method-assign]
    assert verify(bench, search.study, plan, space.defaults()).spec != lucky.spec


def test_the_best_of_the_search_stands_where_there_was_no_time_to_verify_it(setting: Any, world: World) -> None:
    """PyG's defaults took all of it; the plan's first choice stands with what the search measured, too, and is slower."""
    bench, space, search, plan = setting(target=0.8, budget=60.0)
    search.run()
    best = bench.scored(bench.whole())[0][1]
    assert best.spec != plan.best.spec
    world.seconds = 10_000.0
    assert verify(bench, search.study, plan, space.defaults()).spec == best.spec


def test_a_trial_that_lost_the_race_is_no_second_measurement(setting: Any, world: World) -> None:
    """PyG's defaults were stopped early in the search; what counts is what they reach when they are verified."""
    bench, space, search, plan = setting(target=0.8, budget=100.0)
    default = space.defaults()[0]
    slow = Race(
        frontier=Frontier(seconds=(0.01,), metrics=(0.99,)), goal_seconds=0.01, bound_seconds=0.02, cap_seconds=9.0
    )
    bench.measure(900, "search", default, Fidelity(1.0, LIMIT, slow), bench.top, stop_at_target=True)
    assert bench.trials[0].measured.reason == "stopped by race"
    verify(bench, search.study, plan, space.defaults())
    seconds = next(value for value, one in standings(bench, plan) if one.spec == default.spec)
    assert seconds == pytest.approx(world.pace(default) * math.log(9), abs=0.16)


def test_a_model_of_quality_prefers_quality(setting: Any, world: World) -> None:
    bench, _, search, _ = setting(optimize="accuracy", max_trials=8)
    search.run()
    trials = [one for one in bench.trials if one.measured.metric is not None]
    assert sorted(trials, key=bench.value) == sorted(trials, key=lambda one: -(one.measured.metric or 0.0))


def test_a_miss_in_a_shorter_trial_is_no_miss(setting: Any, world: World) -> None:
    """The search cuts what cannot win: PyG's defaults may still reach the target when they are verified."""
    bench, space, search, plan = setting(target=0.8, budget=100.0)
    default = space.defaults()[0]
    bench.measure(900, "search", default, Fidelity(1.0, 0.5), bench.top, stop_at_target=True)
    search.run()
    winner = verify(bench, search.study, plan, space.defaults())
    assert "PyG's defaults take" in winner.reason
    seconds = next(value for value, one in standings(bench, plan) if one.spec == default.spec)
    assert seconds == pytest.approx(world.pace(default) * math.log(9), abs=0.16)


def test_verification_stays_within_the_budget(setting: Any, world: World) -> None:
    """What a trial takes beside its training is known by then."""
    bench, space, search, plan = setting(budget=40.0)
    search.run()
    winner = verify(bench, search.study, plan, space.defaults())
    assert world.seconds <= 40.0 / SEARCH_SHARE
    assert winner.spec in [trial.spec for _, trial in standings(bench, plan)]


def test_a_miss_beside_a_hit_is_as_long_as_the_trial_that_missed(setting: Any, world: World) -> None:
    """Verification on a machine that is busy by then: what reached the target before is not behind what never did."""
    bench, space, search, plan = setting(target=0.85, max_trials=8, budget=300.0)
    world.top = lambda point: 0.9 if point.spec == plan.best.spec else 0.8
    search.run()
    first = Point(plan.best.name, plan.best.spec)
    bench.measure(900, "search", first, Fidelity(1.0, LIMIT), bench.top, stop_at_target=True)
    slow = world.pace
    world.pace = lambda point: 30.0 * slow(point)  # type: ignore[method-assign]
    assert verify(bench, search.study, plan, space.defaults()).spec == first.spec
    value = next(value for value, one in standings(bench, plan) if one.spec == first.spec)
    assert LIMIT < value <= LONGEST


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


def test_memory_and_accuracy_are_goals_too(setting: Any, world: World) -> None:
    world.top = lambda point: 0.9 if point.spec.settings.get("hidden") == 256 else 0.7
    bench, space, search, plan = setting(optimize="accuracy", budget=300.0)
    search.run()
    assert verify(bench, search.study, plan, space.defaults()).spec.settings["hidden"] == 256
    bench, space, search, plan = setting(optimize="memory", max_trials=12)
    search.run()
    assert "least memory of the verified that reach" in verify(bench, search.study, plan, space.defaults()).reason
    bench, space, search, plan = setting(optimize="memory", target=0.95, max_trials=12)
    search.run()
    assert "nothing verified reaches validation 0.950" in verify(bench, search.study, plan, space.defaults()).reason


def test_bytes_of_a_run_that_misses_when_it_is_verified_do_not_count(setting: Any, world: World) -> None:
    bench, space, search, plan = setting(optimize="memory", target=0.85, max_trials=12)
    search.run()
    hits = [one.spec for one in bench.whole() if bench.reached(one)]
    world.top = lambda point: 0.5
    verify(bench, search.study, plan, space.defaults())
    again = [value for value, one in standings(bench, plan) if one.purpose == "verify" and one.spec in hits]
    assert again
    assert min(again) >= MISSED


def test_the_same_search_runs_from_a_table(setting: Any, world: World, tmp_path: Path) -> None:
    bench, space, _, _ = setting()
    table = Table(tmp_path / "table.csv")
    import numpy as np

    for point in [*space.first(), *space.draw(np.random.default_rng(0), 40)]:
        if table.find(point.spec, point.family) is None:
            measured = world(0, "search", point, Fidelity(1.0, LIMIT), None)
            table.append(Row.of(point.family, point.spec, LIMIT, {1.0: measured}, 0.0, bench.forecast(point.spec)))
    with table.file.open("a") as torn:
        torn.write('gcn,"{')
    rows = Table(table.file).rows
    assert len(rows) == len(table.rows)
    table.append(rows[0].model_copy(update={"family": "again"}))
    assert Table(table.file).rows[-1].family == "again", "a torn row does not swallow the next"
    lookup = Lookup(rows)
    replayed = Bench(bench.facts, ladder(LIMIT), lookup, lambda: lookup.seconds, 60 / SEARCH_SHARE, bench.forecast)
    Search(replayed, TablePlaces(rows), Study(None)).run()
    assert 5 < len(replayed.trials) < len(rows) * 3
    assert lookup.seconds == pytest.approx(sum(one.measured.wall_seconds for one in replayed.trials))
    first = replayed.trials[0]
    row = table.find(first.spec)
    assert row is not None
    assert first.measured.metric == pytest.approx(row.measurement(1.0).metric, rel=1e-3)


def test_a_trial_is_cut_as_if_it_had_been_stopped(measured: Any) -> None:
    whole = measured(0.2, 0.5, 0.4, 0.8, wall_seconds=5.0, reason="stopped by patience")
    short = cut(whole, 2.0)
    assert [one.metric for one in short.history] == [0.2, 0.5]
    assert (short.metric, short.epochs, short.wall_seconds, short.reason) == (0.5, 2, 3.0, "stopped by time")
    assert cut(whole, 9.0, target=0.5).epochs == 2
    assert cut(whole, 9.0).history == whole.history
    assert cut(whole, 9.0).wall_seconds == 5.0


def test_rungs_are_parts_of_the_graph() -> None:
    assert [(one.share, one.seconds) for one in ladder(9.0)] == [(1.0, 9.0)]
    assert [(one.share, one.seconds) for one in ladder(9.0, [1 / 3, 1 / 90])] == [
        (1 / 90, 0.5),
        (1 / 3, 3.0),
        (1.0, 9.0),
    ]
