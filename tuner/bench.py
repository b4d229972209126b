"""Where trials happen: measures one spec, keeps it in the run folder, scores it against the target."""

from __future__ import annotations

from typing import Any

from planner.costing import cost
from planner.inspect.opened import drawer, profiled
from planner.proposal import BASELINE_NAME
from planner.records import Candidate, ForecastFigures, Plan
from techniques.facts import Facts, Objective
from techniques.job import JobSpec
from techniques.remote.source.folder import FolderGraph
from tuner.events import EventLog
from tuner.folder import RunFolder
from tuner.records import Limits, Measurement, Trial, WorkRequest
from tuner.runner import Runner
from tuner.scoring import evaluations_target, score

SEARCH_SHARE, VERIFY_SHARE, FINAL_SHARE = 0.55, 0.75, 0.97
"""Of the budget: search until here, verification until here, final training until here, report the rest."""
TRIAL_SHARE = 1 / 20
"""Of the budget, for one trial: the search should see a dozen."""
MIN_TRIAL_SECONDS = 2.0
MAX_TRIAL_SECONDS = 1800.0


class Bench:
    """The run's trials, past and present."""

    def __init__(
        self, runner: Runner, folder: RunFolder, plan: Plan, graph: FolderGraph, log: EventLog, budget: float
    ) -> None:
        self.runner, self.folder, self.plan, self.graph, self.log = runner, folder, plan, graph, log
        self.budget_seconds = budget
        self.trials = folder.finished_trials()
        self.trial_graph = graph
        self.trial_facts = plan.facts
        self.draw = drawer(graph, plan.facts.graph)

    @property
    def facts(self) -> Facts:
        return self.plan.facts

    @property
    def trial_seconds(self) -> float:
        return min(max(self.budget_seconds * TRIAL_SHARE, MIN_TRIAL_SECONDS), MAX_TRIAL_SECONDS)

    def left(self, share: float) -> float:
        """Seconds until this share of the budget is used."""
        return self.budget_seconds * share - self.log.elapsed_seconds

    def search_on(self, part: FolderGraph) -> None:
        """Search on a part of the graph from now on; verification stays on the whole."""
        facts = profiled(part, self.facts.graph.task, str(part.path), check_values=True)
        labels = self.facts.graph.labels
        same = {"num_classes": labels.num_classes, "num_targets": labels.num_targets}
        facts = facts.model_copy(update={"labels": facts.labels.model_copy(update=same)})
        self.trial_graph, self.trial_facts = part, self.facts.model_copy(update={"graph": facts})

    @property
    def target(self) -> float | None:
        """What a candidate must reach: the baseline's best, or almost the best of all if that is higher.

        What was reached on a part of the graph says nothing about the whole: there the verified trials set it.
        """
        verified = [trial for trial in self.trials if trial.purpose == "verify"]
        searched = [trial for trial in self.trials if trial.purpose == "search"]
        on_part = self.trial_graph is not self.graph
        return evaluations_target(verified if on_part and verified else searched, BASELINE_NAME)

    def score(self, measured: Measurement) -> float | None:
        """Smaller is better; ``None`` is infeasible."""
        return score(measured, self.target, self.facts.goal.optimize)

    def scored(self, purpose: str) -> list[tuple[float, Trial]]:
        """Feasible trials of one purpose, best first."""
        found = [(self.score(trial.measured), trial) for trial in self.trials if trial.purpose == purpose]
        return sorted(((value, trial) for value, trial in found if value is not None), key=lambda pair: pair[0])

    def known(self, purpose: str, spec: JobSpec) -> Trial | None:
        """The trial that has measured this already."""
        return next((trial for trial in self.trials if trial.purpose == purpose and trial.spec == spec), None)

    def forecast(self, spec: JobSpec) -> ForecastFigures:
        """What the planner expects of a spec on the whole graph."""
        return cost(self.facts, spec, self.draw)

    def next_number(self) -> int:
        return 1 + max((trial.number for trial in self.trials), default=0)

    def measure(self, number: int, purpose: str, family: str, spec: JobSpec, stop_at_target: bool) -> Trial:
        """Measure one spec as a trial of this run: on the searched graph, or on the whole one to verify."""
        whole = purpose != "search"
        seconds = min(self.trial_seconds * (2 if whole else 1), max(self.left(FINAL_SHARE), MIN_TRIAL_SECONDS))
        early = stop_at_target and self.facts.goal.optimize is Objective.TIME
        request = WorkRequest(
            spec=spec,
            facts=self.facts if whole else self.trial_facts,
            graph=str((self.graph if whole else self.trial_graph).path),
            folder=str(self.folder.new_trial_folder(number)),
            limits=Limits(
                host_bytes=self.facts.host_limit_bytes, seconds=seconds, target=self.target if early else None
            ),
            check_values=False,
        )
        self.log.add("trial_started", number=number, purpose=purpose, family=family)
        measured = self.runner.measure(request)
        trial = Trial(
            number=number,
            purpose=purpose,
            family=family,
            spec=spec,
            predicted=as_candidate(family, spec, self.forecast(spec)),
            measured=measured,
        )
        trial = trial.model_copy(update={"score": self.score(measured)})
        self.folder.keep_trial(trial)
        self.trials.append(trial)
        self.log.add("trial_finished", number=number, purpose=purpose, family=family, **told(measured, trial.score))
        return trial


def as_candidate(family: str, spec: JobSpec, figures: ForecastFigures) -> Candidate:
    """A spec with its forecast, under the name of the plan's candidate that it varies."""
    return Candidate(
        name=family, options=spec.options, settings=spec.settings, training=spec.training, forecast=figures
    )


def told(measured: Measurement, value: float | None) -> dict[str, Any]:
    """A measurement as an event."""
    return {
        "state": measured.state.value,
        "reason": measured.reason,
        "metric": measured.metric,
        "score": value,
        "epoch_seconds": measured.epoch_seconds,
        "peak_host_bytes": measured.peak_host_bytes,
        "epochs": measured.epochs,
        "wall_seconds": round(measured.wall_seconds, 2),
    }
