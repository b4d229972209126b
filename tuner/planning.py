"""The plan that a measurement or a run follows: a saved one, or a new one for a graph that lies in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planner.api import checked_goal, inspect, make_plan, pins_of, with_history
from planner.inspect.calibration import calibrated
from planner.inspect.fingerprint_machine import machine_fingerprint
from planner.inspect.machine import inspect_machine
from planner.inspect.opened import drawer, open_any, profiled
from planner.pins import Pins
from planner.records import Candidate, Plan
from planner.render import unusable
from techniques.base import SettingValue
from techniques.errors import InputError, NothingFitsError, OptionError, UnsupportedTaskError
from techniques.facts import Goal, GraphFacts, Task
from techniques.remote.source.folder import FolderGraph
from techniques.sources import dataset_fingerprint, factory_fingerprint, file_fingerprint
from tuner.folder import RunFolder, fingerprint, write_text
from tuner.ingest import PYG, ingest, needs_child


@dataclass(frozen=True)
class Wanted:
    """What the user wants planned, measured or tuned: a saved plan or what a new one is made from."""

    plan: Plan | str | Path | None = None
    model: str | None = None
    goal: Goal | None = None
    fix: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, SettingValue] = field(default_factory=dict)
    calibration: bool = True
    use_history: bool = False

    def __post_init__(self) -> None:
        checked_goal(self.goal)

    def loaded(self) -> Plan | None:
        """The saved plan."""
        return Plan.load(self.plan) if isinstance(self.plan, (str, Path)) else self.plan

    def goal_over(self, plan: Plan | None) -> Goal:
        """What is asked for, over what the saved plan was asked for; a default may be asked for, too."""
        goal = self.goal or Goal()
        if plan is None:
            return goal
        return plan.facts.goal.model_copy(update={name: getattr(goal, name) for name in goal.model_fields_set})

    def pins(self, plan: Plan | None = None) -> Pins:
        """What is fixed and set, over the pins of a plan that is there already."""
        return pins_of(self.fix, self.set, plan)

    def described(self) -> dict[str, Any]:
        """As it stands in ``spec.toml``; how the machine's rates are known changes no answer of a run."""
        by = fingerprint(self.plan.to_json()) if isinstance(self.plan, Plan) else self.plan and os.fspath(self.plan)
        settings = {
            key: list(value) if isinstance(value, tuple) else value for key, value in self.pins().settings.items()
        }
        goal = (self.goal or Goal()).model_dump(mode="json", exclude_none=True)
        given = {key: value for key, value in (("plan", by), ("model", self.model)) if value is not None}
        return {**given, "goal": goal, "fix": dict(self.fix), "set": settings}


def planned(stored: FolderGraph, graph: Any, wanted: Wanted) -> Plan:
    """A plan for a graph that lies in a folder: the saved one with this machine's limits, or a new one.

    Raises:
        UnsupportedTaskError: the task cannot be trained in this version.
        OptionError: the saved plan is for another graph.
    """
    source, loaded = _lasting_name(graph, stored), wanted.loaded()
    goal = wanted.goal_over(loaded)
    facts = profiled(stored, goal.task, source, check_values=True)
    refuse_untrainable(facts.task, facts.labels.num_classes, source)
    if loaded is not None:
        return _for_this_graph(loaded, facts.model_copy(update={"source": source}), goal, wanted, stored)
    everything, _ = inspect(
        facts, model=wanted.model, on=None, goal=goal, set=wanted.set, calibration=wanted.calibration
    )
    everything = with_history(everything) if wanted.use_history else everything
    return make_plan(everything, wanted.pins(), drawer(stored, facts))


def _lasting_name(graph: Any, stored: FolderGraph) -> str:
    """A name that means the same graph from any working directory."""
    if not isinstance(graph, (str, os.PathLike)):
        return str(stored.path)
    text = os.fspath(graph)
    return str(Path(text).expanduser().resolve()) if Path(text).expanduser().exists() else text


def _for_this_graph(plan: Plan, graph: GraphFacts, goal: Goal, wanted: Wanted, stored: FolderGraph) -> Plan:
    """The saved plan; made again where it was for counts or another machine, or something else is asked for beside it."""
    before = plan.facts.graph.fingerprint
    if before is not None and before != graph.fingerprint:
        raise OptionError(f"the plan is for another graph: {before} planned, {graph.fingerprint} given", "Plan again")
    own = plan.facts.model.custom
    if wanted.model not in (None, plan.facts.model.architecture, own and own.factory):
        raise OptionError(
            f"a saved plan has its model, got {wanted.model} beside it", f"Plan again with --model {wanted.model}"
        )
    hardware, there = inspect_machine(), plan.facts.hardware
    hardware = calibrated(hardware) if wanted.calibration else hardware
    elsewhere = machine_fingerprint(hardware) != machine_fingerprint(there)
    if elsewhere:
        note = f"the saved plan was for {there.name}: planned again for this machine"
        hardware = hardware.model_copy(update={"notes": (*hardware.notes, note)})
    facts = plan.facts.model_copy(update={"graph": graph, "goal": goal, "hardware": hardware})
    facts = with_history(facts) if wanted.use_history else facts
    uncalibrated = there.calibration is not None and not wanted.calibration
    asked = (
        wanted.fix
        or wanted.set
        or wanted.use_history
        or uncalibrated
        or _untargeted(goal) != _untargeted(plan.facts.goal)
    )
    if before is None or elsewhere or asked:
        return make_plan(facts, wanted.pins(plan), drawer(stored, graph))
    return plan.model_copy(update={"facts": facts})


def _untargeted(goal: Goal) -> Goal:
    """What a plan depends on."""
    return goal.model_copy(update={"target": None})


def kept_plan(path: Path) -> Plan:
    """The plan of a run that was begun; it names its calibration, whose rates are read again where they are still there.

    Raises:
        InputError: its own module, or what this imports from beside it, has changed.
    """
    plan = Plan.load(path)
    refuse_changed_model(plan)
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
            if plan.nearest is None:
                why, remedy = unusable(plan)
                raise NothingFitsError(f"no combination can be used: {why}", remedy[0].upper() + remedy[1:])
            raise NothingFitsError("no candidate fits this machine", f"The nearest change: {plan.nearest.change}")
        return plan.best
    for one in known:
        if one.name == name:
            return one
    raise OptionError(f"the plan has no candidate {name!r}", f"Choose one of: {', '.join(one.name for one in known)}")


def refuse_changed_graph(graph: Any, plan: Plan, folder: RunFolder) -> None:
    """Refuse to go on with a run whose graph is not the one that it was planned for.

    Raises:
        InputError: with both fingerprints. Of what is read in a child process, files are compared, byte by byte.
    """
    if isinstance(graph, str) and needs_child(graph):
        before = folder.source.read_text(encoding="utf-8").strip() if folder.source.is_file() else None
        now = source_fingerprint(graph) if before is not None else None
    else:
        before, now = plan.facts.graph.fingerprint, profiled(open_any(graph), None, None, False).fingerprint
    if before is not None and now is not None and before != now:
        raise InputError(f"the graph has changed since the run began: {before} then, {now} now", "Choose another --out")


def ingested(graph: Any, folder: RunFolder) -> FolderGraph:
    """The graph in the run's folder; notes which files it was read from in a child process, so that they can be told from changed
    ones: a data set of PyG's, which may be downloaded for it, when it has been read, others before."""
    new = isinstance(graph, str) and needs_child(graph) and not (folder.graph.is_dir() or folder.plan.is_file())
    downloads = new and graph.startswith(PYG)
    if new and not downloads:
        _keep_source(graph, folder)
    stored = ingest(graph, folder.graph)
    if downloads:
        _keep_source(graph, folder)
    return stored


def _keep_source(graph: str, folder: RunFolder) -> None:
    now = source_fingerprint(graph)
    folder.source.unlink(missing_ok=True) if now is None else write_text(folder.source, now)


def source_fingerprint(graph: str) -> str | None:
    """Of the files of a GRAPH that is read in a child process, or of those that make it; ``None`` where there are none."""
    if graph.startswith(PYG):
        from techniques.remote.source.pyg_dataset import cache_folder

        return dataset_fingerprint(graph, cache_folder(graph.removeprefix(PYG).partition("/")[0]))
    file = Path(graph).expanduser()
    return file_fingerprint(file) if file.exists() else factory_fingerprint(graph, str(Path.cwd()))


def refuse_changed_model(plan: Plan) -> None:
    """Refuse to go on with an own module whose file, or what it imports from beside it, is not the one that was planned for.

    Raises:
        InputError: with both fingerprints.
    """
    own = plan.facts.model.custom
    now = factory_fingerprint(own.factory, own.folder) if own is not None else None
    if own is not None and now is not None and own.source not in (None, now):
        raise InputError(
            f"{own.factory} has changed since the run began: {own.source} then, {now} now",
            "Restore its file and those that it imports, or choose another --out",
        )


def graph_name(graph: Any) -> str:
    """As given, or the kind of object."""
    return os.fspath(graph) if isinstance(graph, (str, os.PathLike)) else type(graph).__name__
