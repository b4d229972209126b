"""Verification: the best few, the plan's first choice and PyG's defaults again on the whole graph, with other random numbers; one wins."""

from __future__ import annotations

from collections.abc import Sequence

from planner.proposal import BASELINE_NAME
from planner.records import Plan
from techniques.errors import NoTrialSucceededError
from techniques.facts import Objective
from tuner.bench import VERIFY_SHARE, Bench
from tuner.budget import seconds_to_end
from tuner.parts import MIN_TRIAL_SECONDS, Fidelity
from tuner.records import Trial, Winner
from tuner.scoring import MISSED
from tuner.space import Point
from tuner.study import Study

VERIFIED = 3
"""So many of the search's best are measured again."""
COMPARED, COMPARED_SHARE = 3, 0.85
"""PyG's defaults, the best and the plan's first choice are compared until so much of the budget is used."""
LONGER = 2.0
"""A verification trains so many times as long as a full trial: what was slow in the search may show its quality."""


def verify(bench: Bench, study: Study, plan: Plan, defaults: Sequence[Point]) -> Winner:
    """Measure what has to be measured again, and choose.

    Args:
        defaults: PyG's defaults with each of their learning rates, in order of preference.

    Raises:
        NoTrialSucceededError: nothing was measured to its end.
    """
    longest = LONGER * bench.ladder[bench.top].seconds
    for place, point in enumerate(to_verify(bench, plan, defaults)):
        # PyG's defaults, the best and the plan's first choice are compared even where that takes from the final training,
        # and without PyG's defaults nothing could be said to be better than these.
        left = bench.left(COMPARED_SHARE) / (COMPARED - place) if place < COMPARED else bench.left(VERIFY_SHARE)
        seconds = min(longest, left - bench.overhead(point.spec))
        if place == 0 and bench.known("search", point.spec) is None and _has_room(bench, point):
            seconds = max(seconds, MIN_TRIAL_SECONDS)
        if seconds <= MIN_TRIAL_SECONDS / 2 or bench.known("verify", point.spec) is not None:
            continue
        number = study.claim("verify", point, "verify")
        if number is not None:
            trial = bench.measure(number, "verify", point, Fidelity(1.0, seconds), None, stop_at_target=False)
            study.tell(number, bench.score(trial), {"family": trial.family, "metric": trial.measured.metric})
    return choose(bench, plan)


def _has_room(bench: Bench, point: Point) -> bool:
    """Whether a shortest trial ends within what a run may take beyond its budget, or is the first to give an answer at all."""
    needs = bench.overhead(point.spec) + MIN_TRIAL_SECONDS
    return needs <= seconds_to_end(bench.budget_seconds, bench.clock()) or not bench.scored(bench.whole())


def to_verify(bench: Bench, plan: Plan, defaults: Sequence[Point]) -> list[Point]:
    """PyG's defaults, the best of the search, the plan's first choice, the next best, PyG's defaults with other learning
    rates; no spec twice, and nothing that the forecast, or a trial, showed not to fit."""
    ranked = [Point(one.family, one.spec) for one in ranking(bench)]
    usual = [point for point in ranked if point.family == BASELINE_NAME] + list(defaults)
    first = [] if plan.best is None else [Point(plan.best.name, plan.best.spec)]
    wanted = usual[:1] + ranked[:1] + first + ranked[1:VERIFIED] + usual[1:]
    chosen = [point for index, point in enumerate(wanted) if all(point.spec != one.spec for one in wanted[:index])]
    failed = [one.spec for one in bench.trials if bench.score(one) is None]
    return [point for point in chosen if point.spec not in failed and bench.fits(point.spec)]


def ranking(bench: Bench) -> list[Trial]:
    """What the search has measured, best first: by what the whole graph says, then by what larger parts of it say."""
    found: list[Trial] = []
    for share in sorted({one.share for one in bench.trials}, reverse=True):
        at_share = [one for one in bench.trials if one.purpose == "search" and one.share == share]
        for _, trial in bench.scored(at_share):
            if all(trial.spec != one.spec for one in found):
                found.append(trial)
    return found


def standings(bench: Bench, plan: Plan) -> list[tuple[float, Trial]]:
    """Verified specs by the worse of their scores on the whole graph: a lucky run does not win.

    PyG's defaults, the plan's first choice and the best of the search stand here with what the search measured where there was no
    time to verify them, so that the winner is worse than none of them.
    """
    found = []
    whole = bench.scored(bench.whole())
    # A trial that lost the race says how it stood at an early age, not what it reaches.
    finished = [pair for pair in whole if not pair[1].measured.lost_race]
    for value, trial in bench.scored(one for one in bench.trials if one.purpose == "verify"):
        same = [pair for pair in finished if pair[1].spec == trial.spec]
        found.append((_worst([(value, trial), *same], bench.objective), trial))
    tried = [one.spec for one in bench.trials if one.purpose == "verify"]
    verified = [trial.spec for _, trial in found]
    searched = [pair for pair in whole if pair[1].spec in verified or pair[1].spec not in tried]
    for place, (value, trial) in enumerate(searched):
        reference = trial.family == BASELINE_NAME or (plan.best is not None and trial.spec == plan.best.spec)
        if (reference or place == 0) and trial.spec not in verified:
            found.append((value, trial))
    if all(trial.family == BASELINE_NAME for _, trial in found):
        known = [*tried, *(trial.spec for _, trial in found)]
        found += bench.scored(one for one in ranking(bench) if one.spec not in known)[:1]
    return sorted(found, key=lambda pair: pair[0])


def _worst(measured: list[tuple[float, Trial]], objective: Objective) -> float:
    """The worse of two measurements of one point; a miss beside a hit says that it takes longer than that trial lasted, or, where
    bytes are compared, that it cannot be relied on."""
    misses = [value for value, _ in measured if value >= MISSED]
    if len(misses) == len(measured) or (misses and objective is Objective.MEMORY):
        return min(misses)
    return max(value if value < MISSED else (trial.limit_seconds or 0.0) for value, trial in measured)


def choose(bench: Bench, plan: Plan) -> Winner:
    """The best of the standings."""
    ranked = standings(bench, plan)
    if not ranked:
        failed = "; ".join(sorted({trial.measured.reason or "no reason" for trial in bench.trials})[:3])
        raise NoTrialSucceededError(f"no trial of {len(bench.trials)} succeeded ({failed})", "See trials/*/log.txt")
    best, trial = ranked[0]
    baselines = [value for value, one in ranked if one.family == BASELINE_NAME]
    reason = _why(bench, trial, best, baselines)
    if bench.known("verify", trial.spec) is None:
        reason += "; measured once, in the search: no time was left to verify it"
    return Winner(family=trial.family, spec=trial.spec, reason=reason)


def _why(bench: Bench, trial: Trial, best: float, baselines: list[float]) -> str:
    objective, target = bench.objective, bench.target
    if objective is Objective.ACCURACY or target is None:
        return f"best by {objective.value} of what was compared"
    if best >= MISSED:
        return (
            f"nothing that was compared reaches validation {target:.3f}; {trial.measured.metric or 0.0:.3f} is nearest"
        )
    if objective is Objective.MEMORY:
        return f"least memory of what reaches validation {target:.3f}"
    text = f"reaches validation {target:.3f} in {best:.2f} s"
    if trial.family == BASELINE_NAME:
        return f"{text}; PyG's defaults are the best that was found"
    if not baselines:
        return f"{text}; PyG's defaults could not be measured"
    if baselines[0] >= MISSED:
        return f"{text}; PyG's defaults miss it in the same limits"
    return f"{text}; PyG's defaults take {baselines[0] / best:.1f} times as long"
