"""``plan``: inspect, propose, forecast, rank."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from planner.baseline import baseline_spec
from planner.coarse import coarsening_reasons, last_resorts, level_pins, refuse_lost_settings, whole_graph_pins
from planner.costing import Costed, candidate, cost, fits, fitted
from planner.explain import nearest, one_per_fact, refused_by_option, refused_for_memory, too_large
from planner.inspect.model import inspect_model
from planner.ordering import with_order
from planner.pins import Pins, refuse_two_models
from planner.proposal import BASELINE_NAME, Refusal, check, proposals
from planner.quantities import format_seconds
from planner.ranking import order, reasons, samples_for_nothing, varied
from planner.records import Candidate, Plan, Rejected, Verdict
from planner.rules import apply_rules, judgements
from planner.typed import type_warnings
from techniques import compiled
from techniques.base import SettingValue, Slot
from techniques.errors import OptionError
from techniques.facts import Facts, Goal, GraphFacts, HardwareFacts, ModelFacts, Task
from techniques.step_shape import Draw

GraphLike = Any
"""A GRAPH argument, ``GraphFacts``, or a PyG ``Data``, ``HeteroData`` or ``Dataset``."""


def plan(
    graph: GraphLike,
    *,
    model: str | ModelFacts | None = None,
    on: str | HardwareFacts | None = None,
    goal: Goal | None = None,
    fix: Mapping[str, str] | None = None,
    set: Mapping[str, SettingValue] | None = None,
    check_values: bool = False,
    calibration: bool = True,
    use_history: bool = False,
) -> Plan:
    """Say whether training on a graph fits a machine, and how to make it fit.

    Args:
        graph: a GRAPH argument (path, ``module:factory``, ``pyg:NAME``, ``like:NAME@SCALE``), a PyG ``Data`` or
            ``HeteroData``, or ``GraphFacts`` (from ``planner.from_counts``) where there is no data yet.
        model: a built-in architecture by name, or ``module:factory`` for a module of your own; ``None`` compares all
            that are built in.
        on: a machine of the catalog; ``None`` is the one at hand.
        goal: what is wanted, and limits.
        fix: option by slot, such as ``{"sampling": "neighbor"}``.
        set: knob by name, such as ``{"batch_size": 512}``.
        check_values: look at every feature value, also where they take more than 16 MiB.
        calibration: whether what ``gnnfit calibrate`` measured counts, for the machine at hand.
        use_history: correct forecasts by how earlier ones were off on this machine.

    Returns:
        The plan; its verdict is ``does_not_fit`` where no candidate fits.

    Raises:
        InputError: the graph, a name or a value cannot be used.
    """
    pins = pins_of(fix, set)
    if model is not None and not isinstance(model, (str, ModelFacts)):
        kind = type(model).__name__
        raise OptionError(f"model must be a name or module:factory, got a {kind}", "Save it as a module: 'mine:build'")
    refuse_two_models(model.architecture if isinstance(model, ModelFacts) else model, pins)
    goal = checked_goal(goal)
    started, compiled_before = time.perf_counter(), compiled.seconds
    facts, draw = inspect(
        graph, model=model, on=on, goal=goal, check_values=check_values, set=set, calibration=calibration
    )
    facts = with_history(facts) if use_history and on is None else facts
    inspected, compiled_then = time.perf_counter(), compiled.seconds
    made = make_plan(facts, pins, draw)
    ended, compiled_after = time.perf_counter(), compiled.seconds
    timing = {
        "inspect_seconds": inspected - started - (compiled_then - compiled_before),
        "planning_seconds": ended - inspected - (compiled_after - compiled_then),
        "compile_seconds": compiled_after - compiled_before,
    }
    return made.model_copy(update=timing)


def inspect(
    graph: GraphLike,
    *,
    model: str | ModelFacts | None,
    on: str | HardwareFacts | None,
    goal: Goal,
    check_values: bool = False,
    set: Mapping[str, SettingValue] | None = None,
    calibration: bool = True,
) -> tuple[Facts, Draw | None]:
    """The world as facts; with a graph at hand also a way to draw batches from it.

    A ``module:factory`` is looked at with the knobs in ``set``, in a child process.
    """
    graph_facts, draw = _graph_facts(graph, goal.task, check_values)
    hardware = _hardware_facts(on, calibration)
    if isinstance(model, str) and ":" in model:
        from planner.inspect.own_model import inspect_own_model

        facts = Facts(graph=graph_facts, model=ModelFacts(), hardware=hardware, goal=goal)
        return facts.model_copy(update={"model": inspect_own_model(model, facts, set or {})}), draw
    model_facts = model if isinstance(model, ModelFacts) else inspect_model(model)
    if goal.hierarchy is not None:
        from techniques.coarsening.hierarchy import checked_hierarchy

        hierarchy = checked_hierarchy(goal.hierarchy, graph_facts.num_nodes)
        hierarchy.own(goal.hierarchy_level or hierarchy.middle)
    return Facts(graph=graph_facts, model=model_facts, hardware=hardware, goal=goal), draw


def with_history(facts: Facts) -> Facts:
    """The same facts, and how forecasts were off on this machine."""
    from planner.history import corrections, nothing_to_correct, read_history
    from planner.inspect.fingerprint_machine import machine_fingerprint

    rows = read_history(fingerprint=machine_fingerprint(facts.hardware))
    found, hardware = corrections(rows), facts.hardware
    if not found:
        hardware = hardware.model_copy(update={"notes": (*hardware.notes, nothing_to_correct(rows))})
    return facts.model_copy(update={"corrections": found, "hardware": hardware})


def make_plan(facts: Facts, pins: Pins, draw: Draw | None = None) -> Plan:
    """Facts to a plan; looks at nothing else."""
    usable: list[Costed] = []
    short: list[Costed] = []
    rejected: list[Rejected] = []

    def consider(pins: Pins) -> None:
        for proposed in proposals(facts, pins):
            if isinstance(proposed, Refusal):
                rejected.append(refused_by_option(proposed))
                continue
            costed = with_order(facts, fitted(facts, proposed, pins, draw), pins, draw)
            (usable if fits(facts, costed.figures) else short).append(costed)

    refuse_lost_settings(pins)
    consider(pins)
    if (level := level_pins(facts, pins)) is not None:
        consider(level)
    for coarser in last_resorts(facts, pins) if short and not usable else ():
        consider(coarser)
        if usable:
            break
    if (whole := whole_graph_pins(facts, pins)) is not None:
        refused = next((one for one in proposals(facts, whole) if isinstance(one, Refusal)), None)
        rejected = [*([refused_by_option(refused)] if refused else []), *rejected]
    if pins.settings:
        from planner.pinned import refuse_unheeded

        refuse_unheeded(facts, [*usable, *short], pins)
    ranked = varied(order(facts, usable))
    found = tuple(_candidate(facts, one, short, pins, draw) for one in ranked)
    rejected = [refused_for_memory(facts, one) for one in short] + rejected
    baseline = _baseline(facts, pins, draw)
    return Plan(
        facts=facts,
        rules=apply_rules(facts),
        verdict=_verdict(facts, found, baseline, pins),
        best=found[0] if found else None,
        alternatives=found[1:],
        rejected=tuple(rejected),
        nearest=None if found else nearest(facts, short, pins, draw),
        baseline=baseline,
        pinned_options=dict(pins.options),
        pinned_settings=dict(pins.settings),
    )


def _candidate(facts: Facts, costed: Costed, short: list[Costed], pins: Pins, draw: Draw | None) -> Candidate:
    warned = check(facts, costed.spec).warnings + type_warnings(facts, costed.spec)
    if pins.settings:
        from planner.pinned import pin_warnings

        warned += pin_warnings(facts, costed, pins, draw)
    deadline, seconds = facts.goal.deadline_seconds, costed.figures.convergence_seconds
    if deadline is not None and seconds.high > deadline:
        late = "about " if seconds.expected > deadline else "perhaps up to "
        until = format_seconds(seconds.expected if seconds.expected > deadline else seconds.high)
        warned += (f"{late}{until} to converge, the deadline is {format_seconds(deadline)}",)
    if samples_for_nothing(costed):
        whole = "graphs: full_batch does the same"
        held = whole if facts.task is Task.GRAPH else "nodes: sampling drops neighbours without saving a step"
        warned += (f"one batch holds all training {held}",)
    why = (
        coarsening_reasons(facts, costed, Slot.COARSENING in pins.options)
        + reasons(facts, costed)
        + too_large(facts, costed, short)
        + judgements(facts)
    )
    made = candidate(facts, costed, one_per_fact(why))
    return made.model_copy(update={"warnings": warned})


def _baseline(facts: Facts, pins: Pins, draw: Draw | None) -> Candidate:
    spec = baseline_spec(facts, pins)
    made = candidate(facts, Costed(spec, cost(facts, spec, draw)), ())
    return made.model_copy(update={"name": BASELINE_NAME})


def _verdict(facts: Facts, found: tuple[Candidate, ...], baseline: Candidate, pins: Pins) -> Verdict:
    """``fits`` where the user's own choice, or else both the simplest candidate and PyG's defaults, fit as they are."""
    if not found:
        return Verdict.DOES_NOT_FIT
    unchanged = not any(reason.fact == "memory limit" for reason in found[0].reasons)
    if pins.options or pins.settings:
        return Verdict.FITS if unchanged else Verdict.FITS_WITH_CHANGES
    whole = facts.task is Task.LINK or any(one.options[Slot.SAMPLING] == "full_batch" for one in found)
    if unchanged and whole and fits(facts, baseline.forecast):
        return Verdict.FITS
    return Verdict.FITS_WITH_CHANGES


def _graph_facts(graph: GraphLike, task: Task | None, check_values: bool) -> tuple[GraphFacts, Draw | None]:
    if isinstance(graph, GraphFacts):
        from planner.inspect.estimate import for_links

        if task is Task.GRAPH and graph.task is not Task.GRAPH:
            raise OptionError("task graph needs a number of graphs, got counts of one graph", "Add --graphs COUNT")
        return for_links(graph) if task is Task.LINK else graph, None
    from planner.inspect.opened import open_and_profile

    return open_and_profile(graph, task, check_values)


def _hardware_facts(on: str | HardwareFacts | None, calibration: bool) -> HardwareFacts:
    if isinstance(on, HardwareFacts):
        return on
    if on is not None:
        from planner.catalog import machine

        return machine(on)
    from planner.inspect.machine import inspect_machine

    if not calibration:
        return inspect_machine()
    from planner.inspect.calibration import calibrated

    return calibrated(inspect_machine())


def pins_of(fix: Mapping[str, str] | None, set: Mapping[str, SettingValue] | None, plan: Plan | None = None) -> Pins:
    """What the user has fixed, by slot and by knob, beside what was fixed when ``plan`` was made.

    Raises:
        OptionError: no such slot, or no mapping.
    """
    for name, given in (("fix", fix), ("set", set)):
        if given is not None and not isinstance(given, Mapping):
            raise OptionError(
                f"{name} must be a mapping, got a {type(given).__name__}",
                "Write fix={'sampling': 'neighbor'}, or set={'batch_size': 512}",
            )
    options = {} if plan is None else plan.pinned_options
    settings = {} if plan is None else plan.pinned_settings
    asked = {name: _plain(value) for name, value in (set or {}).items()}
    return Pins({**options, **{_slot(name): value for name, value in (fix or {}).items()}}, {**settings, **asked})


def _plain(value: Any) -> Any:
    """Lists are tuples, and numbers of numpy and torch those of Python: what people write in Python means the same."""
    if isinstance(value, (list, tuple)):
        return tuple(_plain(one) for one in value)
    return value.item() if hasattr(value, "item") else value


def checked_goal(goal: Goal | None) -> Goal:
    """What is wanted.

    Raises:
        OptionError: something else than a ``Goal``.
    """
    if goal is None or isinstance(goal, Goal):
        return goal or Goal()
    raise OptionError(f"goal must be a planner.Goal, got a {type(goal).__name__}", "Write Goal(optimize='memory')")


def _slot(name: str) -> Slot:
    try:
        return Slot(name)
    except ValueError:
        known = ", ".join(slot.value for slot in Slot)
        raise OptionError(f"there is no slot {name!r}", f"Choose one of: {known}") from None
