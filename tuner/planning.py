"""The plan that a measurement or a run follows: a saved one, or a new one for a graph that lies in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner.api import inspect, make_plan, pins_of, with_history
from planner.inspect.calibration import calibrated
from planner.inspect.machine import inspect_machine
from planner.inspect.opened import drawer, open_any, profiled
from planner.records import Candidate, Plan
from techniques.base import SettingValue
from techniques.errors import InputError, NothingFitsError, OptionError, UnsupportedTaskError
from techniques.facts import Goal, Task
from techniques.remote.source.folder import FolderGraph
from tuner.ingest import needs_child


def planned(
    stored: FolderGraph,
    graph: Any,
    *,
    plan: Plan | str | Path | None = None,
    model: str | None = None,
    goal: Goal | None = None,
    fix: Mapping[str, str] | None = None,
    set: Mapping[str, SettingValue] | None = None,
    calibration: bool = True,
    use_history: bool = False,
) -> Plan:
    """A plan for a graph that lies in a folder: the saved one with this machine's limits, or a new one.

    Raises:
        UnsupportedTaskError: the task cannot be trained in this version.
        OptionError: the saved plan is for another graph.
    """
    source = _lasting_name(graph, stored)
    facts = profiled(stored, goal.task if goal else None, source, check_values=True)
    refuse_untrainable(facts.task, facts.labels.num_classes, source)
    if plan is not None:
        loaded = plan if isinstance(plan, Plan) else Plan.load(plan)
        return _for_this_graph(loaded, facts.fingerprint, facts.model_copy(update={"source": source}), goal, fix, set)
    everything, _ = inspect(facts, model=model, on=None, goal=goal or Goal(), set=set, calibration=calibration)
    everything = with_history(everything) if use_history else everything
    return make_plan(everything, pins_of(fix, set), drawer(stored, facts))


def _lasting_name(graph: Any, stored: FolderGraph) -> str:
    """A name that means the same graph from any working directory."""
    if not isinstance(graph, (str, os.PathLike)):
        return str(stored.path)
    text = os.fspath(graph)
    return str(Path(text).expanduser().resolve()) if Path(text).expanduser().exists() else text


def _for_this_graph(
    plan: Plan,
    fingerprint: str | None,
    graph_facts: Any,
    goal: Goal | None,
    fix: Mapping[str, str] | None,
    set: Mapping[str, SettingValue] | None,
) -> Plan:
    before = plan.facts.graph.fingerprint
    if before is not None and before != fingerprint:
        raise OptionError(f"the plan is for another graph: {before} planned, {fingerprint} given", "Plan again")
    here = {"graph": graph_facts, "goal": goal or plan.facts.goal, "hardware": calibrated(inspect_machine())}
    facts = plan.facts.model_copy(update=here)
    if fix or set:
        return make_plan(facts, pins_of(fix, set, plan))
    return plan.model_copy(update={"facts": facts})


def kept_plan(path: Path) -> Plan:
    """The plan of a run that was begun; it names its calibration, whose rates are read again where they are still there."""
    plan = Plan.load(path)
    before = plan.facts.hardware
    if before.calibration is None:
        return plan
    now = calibrated(before).calibration
    if now is None or now.date != before.calibration.date:
        return plan
    hardware = before.model_copy(update={"calibration": now})
    return plan.model_copy(update={"facts": plan.facts.model_copy(update={"hardware": hardware})})


def refuse_untrainable(task: Task, num_classes: int, source: str) -> None:
    """Refuse tasks that this version plans for but cannot train."""
    if task is Task.NODE and num_classes < 1:
        raise UnsupportedTaskError(
            f"a {task.value}-level task needs labelled nodes, {source} has none", "Use gnnfit plan for its forecast"
        )


def choose(plan: Plan, name: str | None) -> Candidate:
    """A candidate by name, the best by default.

    Raises:
        NothingFitsError: the plan has none.
        OptionError: no candidate has this name.
    """
    known = [*plan.candidates, *([plan.baseline] if plan.baseline else [])]
    if name is None:
        if plan.best is None:
            if plan.nearest is None and plan.rejected:
                raise NothingFitsError(
                    f"no combination can be used: {plan.rejected[0].reason}", "Change what is pinned"
                )
            change = plan.nearest.change if plan.nearest else "see gnnfit plan"
            raise NothingFitsError("no candidate fits this machine", f"The nearest change: {change}")
        return plan.best
    for one in known:
        if one.name == name:
            return one
    raise OptionError(f"the plan has no candidate {name!r}", f"Choose one of: {', '.join(one.name for one in known)}")


def refuse_changed_graph(graph: Any, plan: Plan) -> None:
    """Refuse to go on with a run whose graph is not the one that it was planned for.

    Raises:
        InputError: with both fingerprints. Forms that are read in a child process are not compared.
    """
    if isinstance(graph, str) and needs_child(graph):
        return
    before, now = plan.facts.graph.fingerprint, profiled(open_any(graph), None, None, False).fingerprint
    if before is not None and before != now:
        raise InputError(f"the graph has changed since the run began: {before} then, {now} now", "Choose another --out")


def graph_name(graph: Any) -> str:
    """As given, or the kind of object."""
    return os.fspath(graph) if isinstance(graph, (str, os.PathLike)) else type(graph).__name__
