"""When a plan coarsens: where the user asks for it, or nothing else fits; and why, with what is lost."""

from __future__ import annotations

from collections.abc import Iterator

from planner.costing import Costed
from planner.pins import Pins
from planner.quantities import format_bytes
from techniques.base import Reason, SettingValue, Slot
from techniques.coarsening.evidence import LOW_HOMOPHILY, MACHINE, evidence_near
from techniques.coarsening.option import GRAPH, LEVEL
from techniques.coarsening.sizes import trained_facts
from techniques.errors import OptionError
from techniques.facts import Facts, Task

DEFAULT = "heavy_edge"
"""Reaches any share, and did best at every one (README)."""
TRIED_RATIOS = (0.7, 0.5, 0.3, 0.1)
"""Where nothing fits, the gentlest first."""


def refuse_lost_settings(pins: Pins) -> None:
    """Settings of coarsening do nothing where nothing says how to coarsen.

    Raises:
        OptionError: with the missing choice.
    """
    lost = [name for name in pins.settings if name.startswith("coarsen_")]
    if lost and Slot.COARSENING not in pins.options:
        raise OptionError(f"{lost[0]} has no effect without coarsening", f"Add --fix coarsening={DEFAULT}")


def whole_graph_pins(facts: Facts, pins: Pins) -> Pins | None:
    """Coarsening of the whole graph, to be refused with its reason where the user says that detail matters."""
    goal = facts.goal
    if not _may_propose(facts, pins) or (goal.detail != "local" and goal.hierarchy is None):
        return None
    return _with(pins, {"coarsen_scope": GRAPH})


def level_pins(facts: Facts, pins: Pins) -> Pins | None:
    """Coarsening of one level of the hierarchy that the user gives."""
    if not _may_propose(facts, pins) or facts.goal.hierarchy is None:
        return None
    return _with(pins, {"coarsen_scope": LEVEL})


def last_resorts(facts: Facts, pins: Pins) -> Iterator[Pins]:
    """Coarser and coarser graphs, where nothing fits."""
    if _may_propose(facts, pins):
        for ratio in TRIED_RATIOS:
            yield _with(pins, {"coarsen_ratio": ratio})


def _may_propose(facts: Facts, pins: Pins) -> bool:
    return Slot.COARSENING not in pins.options and facts.task is Task.NODE


def _with(pins: Pins, settings: dict[str, SettingValue]) -> Pins:
    return Pins({**pins.options, Slot.COARSENING: DEFAULT}, {**pins.settings, **settings})


def coarsening_reasons(facts: Facts, one: Costed, pinned: bool) -> tuple[Reason, ...]:
    """Why a candidate is coarsened, what is known of its accuracy and what it risks."""
    spec = one.spec
    if spec.options[Slot.COARSENING] == "none":
        return ()
    coarse = trained_facts(facts, spec).graph
    share = coarse.num_nodes / facts.graph.num_nodes
    known = evidence_near(share)
    return (
        _why(facts, one, pinned),
        _reason(
            "nodes trained on",
            f"about {share:.0%}",
            f"accuracy measured at a ratio of {known.ratio:g}",
            f"measured on {MACHINE}",
            f"{known.words(facts.graph.labels.homophily)}; tune measures it here",
        ),
        _reason(
            "coarsening",
            spec.options[Slot.COARSENING],
            "trained on super-nodes, judged on the graph itself",
            "source, technique 7",
            "risks: detail inside super-nodes is lost, members' labels are reconciled to one, and the method's own idea of "
            f"what belongs together biases what is learned{_mixed(facts.graph.labels.homophily)}",
        ),
    )


def _mixed(homophily: float | None) -> str:
    """What joining along edges means where neighbours seldom share a class."""
    if homophily is None or homophily >= LOW_HOMOPHILY:
        return ""
    return (
        f"; {homophily:.0%} of the edges join one class: super-nodes mix classes, and joining at random may do as well"
    )


def _why(facts: Facts, one: Costed, pinned: bool) -> Reason:
    spec = one.spec
    if spec.settings.get("coarsen_scope") == LEVEL:
        from techniques.coarsening.hierarchy import read_hierarchy

        assert facts.goal.hierarchy is not None, "a level is one of a hierarchy"
        hierarchy = read_hierarchy(facts.goal.hierarchy)
        level = facts.goal.hierarchy_level or hierarchy.middle
        counts = hierarchy.counts()
        others = ", ".join(f"{name} {count:,}" for name, count in counts.items() if name != level)
        text = f"only its {counts[level]:,} nodes are joined, group by group; the others stay as checks ({others})"
        return _reason("hierarchy", level, "coarsen a middle level only", "source, technique 7 and case H", text)
    if pinned:
        return _reason("choice", "yours", "coarsening is pinned", "the user", "nothing else asks for it")
    limit = facts.device_limit_bytes if one.figures.needs_device_bytes else facts.host_limit_bytes
    rule, text = "coarsening is for what fits no other way", "without it nothing fits here"
    return _reason("memory limit", format_bytes(limit), rule, "source, technique 7", text)


def _reason(fact: str, value: str, rule: str, source: str, text: str) -> Reason:
    return Reason(fact=fact, value=value, rule=rule, source=source, text=text)
