"""Verification: the best few, the plan's first choice and PyG's defaults again on the whole graph; one wins."""

from __future__ import annotations

from planner.proposal import BASELINE_NAME
from techniques.errors import NoTrialSucceededError
from techniques.facts import Objective
from tuner.bench import FINAL_SHARE, MIN_TRIAL_SECONDS, VERIFY_SHARE, Bench
from tuner.folder import write_text
from tuner.records import Trial, Winner
from tuner.scoring import MISSED

VERIFIED = 2
"""So many of the search's best are measured again."""


def verify(bench: Bench) -> Winner:
    """Measure what has to be measured again, choose, and write the choice down.

    Raises:
        NoTrialSucceededError: nothing was measured to its end.
    """
    if bench.folder.best.is_file():
        return bench.folder.winner()
    for place, trial in enumerate(to_verify(bench)):
        # The best and the best baseline are compared even where that takes from the final training.
        share = FINAL_SHARE if place < 2 else VERIFY_SHARE
        if bench.left(share) > MIN_TRIAL_SECONDS and bench.known("verify", trial.spec) is None:
            bench.measure(bench.next_number(), "verify", trial.family, trial.spec, stop_at_target=False)
    winner = choose(bench)
    write_text(bench.folder.best, winner.model_dump_json(indent=1))
    bench.log.add("winner", family=winner.family, reason=winner.reason)
    return winner


def to_verify(bench: Bench) -> list[Trial]:
    """The best of the search, the best baseline, the second best, the plan's first choice; no spec twice."""
    ranked = [trial for _, trial in bench.scored("search")]
    best = bench.plan.best.name if bench.plan.best else ""
    baseline, first = ([trial for trial in ranked if trial.family == name][:1] for name in (BASELINE_NAME, best))
    chosen = ranked[:1] + baseline + ranked[1:VERIFIED] + first
    return [trial for index, trial in enumerate(chosen) if all(trial.spec != one.spec for one in chosen[:index])]


def standings(bench: Bench) -> list[tuple[float, Trial]]:
    """Verified specs by their worse score of search and verification: a lucky run does not win.

    Where the search saw only a part of the graph, its scores say nothing about the whole and are left out.
    """
    found = []
    for value, trial in bench.scored("verify"):
        before = bench.known("search", trial.spec)
        searched = bench.score(before.measured) if before and bench.trial_graph is bench.graph else None
        found.append((max(value, searched) if searched is not None else value, trial))
    return sorted(found, key=lambda pair: pair[0]) or bench.scored("search")


def choose(bench: Bench) -> Winner:
    """The best of the standings."""
    ranked = standings(bench)
    if not ranked:
        failed = "; ".join(sorted({trial.measured.reason or "no reason" for trial in bench.trials})[:3])
        raise NoTrialSucceededError(f"no trial of {len(bench.trials)} succeeded ({failed})", "See trials/*/log.txt")
    best, trial = ranked[0]
    baselines = [value for value, one in ranked if one.family == BASELINE_NAME]
    return Winner(family=trial.family, spec=trial.spec, reason=_why(bench, trial, best, baselines))


def _why(bench: Bench, trial: Trial, best: float, baselines: list[float]) -> str:
    objective = bench.facts.goal.optimize
    if objective is not Objective.TIME or bench.target is None:
        return f"best by {objective.value} among the verified"
    if best >= MISSED:
        return f"nothing verified reaches validation {bench.target:.3f}; {trial.measured.metric or 0.0:.3f} is nearest"
    text = f"reaches validation {bench.target:.3f} in {best:.2f} s"
    if baselines and baselines[0] >= MISSED:
        return f"{text}; PyG's defaults miss it in the same limits"
    if baselines and best < baselines[0]:
        return f"{text}; PyG's defaults take {baselines[0] / best:.1f} times as long"
    return text
