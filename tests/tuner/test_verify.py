"""What is measured again on the whole graph, and what wins, in a made-up world."""

from __future__ import annotations

import math
from typing import Any

import pytest

from planner.pins import Pins
from planner.proposal import BASELINE_NAME
from techniques.base import Slot
from techniques.errors import NoTrialSucceededError
from tests.tuner.search_world import LIMIT, LONGEST, World
from tuner.bench import SEARCH_SHARE
from tuner.parts import Fidelity
from tuner.race import Frontier, Race
from tuner.scoring import MISSED, score
from tuner.space import Point
from tuner.verify import standings, verify


def test_a_start_that_took_the_whole_budget_leaves_the_plans_first_choice_alone(setting: Any, world: World) -> None:
    bench, space, search, plan = setting(budget=20.0)
    world.seconds = 10 * bench.budget_seconds
    search.run()
    assert verify(bench, search.study, plan, space.defaults()).family == plan.best.name
    assert [one.spec for one in bench.trials] == [plan.best.spec]


def test_where_that_fails_pygs_defaults_are_the_answer(setting: Any, world: World) -> None:
    bench, space, search, plan = setting(budget=20.0)
    world.seconds, world.out_of_memory = 10 * bench.budget_seconds, {plan.best.name}
    search.run()
    assert verify(bench, search.study, plan, space.defaults()).family == BASELINE_NAME
    assert len(bench.trials) == 2


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
    winner = verify(bench, search.study, plan, space.defaults())
    assert winner.spec == best.spec
    assert winner.reason.endswith("measured once, in the search: no time was left to verify it")


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


def test_a_miss_in_a_shorter_trial_is_no_miss(setting: Any, world: World) -> None:
    """The search cuts what cannot win: PyG's defaults may still reach the target when they are verified."""
    bench, space, search, plan = setting(target=0.8, budget=100.0)
    default = space.defaults()[0]
    bench.measure(900, "search", default, Fidelity(1.0, 0.5), bench.top, stop_at_target=True)
    search.run()
    winner = verify(bench, search.study, plan, space.defaults())
    assert "PyG's defaults take" in winner.reason
    assert "no time was left to verify" not in winner.reason
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


def test_memory_and_accuracy_are_goals_too(setting: Any, world: World) -> None:
    world.top = lambda point: 0.9 if point.spec.settings.get("hidden") == 256 else 0.7
    bench, space, search, plan = setting(optimize="accuracy", budget=300.0)
    search.run()
    assert verify(bench, search.study, plan, space.defaults()).spec.settings["hidden"] == 256
    bench, space, search, plan = setting(optimize="memory", max_trials=12)
    search.run()
    assert "least memory of what reaches" in verify(bench, search.study, plan, space.defaults()).reason
    bench, space, search, plan = setting(optimize="memory", target=0.95, max_trials=12)
    search.run()
    assert (
        "nothing that was compared reaches validation 0.950"
        in verify(bench, search.study, plan, space.defaults()).reason
    )


def test_bytes_of_a_run_that_misses_when_it_is_verified_do_not_count(setting: Any, world: World) -> None:
    bench, space, search, plan = setting(optimize="memory", target=0.85, max_trials=12)
    search.run()
    hits = [one.spec for one in bench.whole() if bench.reached(one)]
    world.top = lambda point: 0.5
    verify(bench, search.study, plan, space.defaults())
    again = [value for value, one in standings(bench, plan) if one.purpose == "verify" and one.spec in hits]
    assert again
    assert min(again) >= MISSED
