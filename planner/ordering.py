"""Renumbered nodes where they pay: the gain over all expected epochs against what finding the order takes."""

from __future__ import annotations

import math

from planner.costing import Costed, cost, fits
from planner.pins import Pins
from planner.proposal import check
from planner.quantities import format_seconds
from planner.records import ForecastFigures
from techniques.base import Reason, Slot
from techniques.facts import Facts
from techniques.forecast import Phase
from techniques.job import JobSpec
from techniques.sampling.node_order import (
    AS_GIVEN,
    CACHE_BYTES,
    COMMUNITY,
    NODE_ORDER,
    RCM,
    RowReuse,
    can_renumber,
    order_of,
    order_seconds,
    reuse,
    rows_in_cache,
)
from techniques.step_shape import Draw

LEAST_GAIN = 0.05
"""Share of the time that an order must save: below, timings of two orders differ by chance."""


def with_order(facts: Facts, costed: Costed, pins: Pins, draw: Draw | None) -> Costed:
    """The candidate with its nodes renumbered where that is expected to save more than it takes; else as it is.

    Only whole-graph sums on a host processor gain (measured), and only a graph at hand tells how near neighbours are.
    """
    spec = costed.spec
    if draw is None or NODE_ORDER in pins.settings or not _may_gain(facts, spec):
        return costed
    as_given = _seconds(costed.figures)
    best, least = costed, as_given * (1 - LEAST_GAIN)
    for order in (RCM, COMMUNITY):
        changed = spec.model_copy(update={"settings": {**spec.settings, NODE_ORDER: order}})
        if not check(facts, changed).usable:
            continue
        figures = cost(facts, changed, draw)
        if fits(facts, figures) and _seconds(figures) < least:
            reason = _reason(facts, changed, draw, costed.figures, figures)
            best, least = Costed(changed, figures, (*costed.changes, reason), costed.warnings), _seconds(figures)
    return best


def _may_gain(facts: Facts, spec: JobSpec) -> bool:
    on_host = spec.options[Slot.SAMPLING] == "full_batch" and spec.options[Slot.HARDWARE] == "cpu"
    leaves_cache = facts.graph.num_nodes > rows_in_cache(facts, spec) if on_host else False
    return leaves_cache and facts.graph.undirected and can_renumber(facts) and order_of(spec) == AS_GIVEN


def _seconds(figures: ForecastFigures) -> float:
    """Of what an order changes: preparing, and the steps of training."""
    steps = figures.epochs_to_converge.expected * figures.epoch_seconds.expected
    return figures.phases[Phase.PREPARE].seconds.expected + steps


def _reason(facts: Facts, spec: JobSpec, draw: Draw, before: ForecastFigures, after: ForecastFigures) -> Reason:
    order = order_of(spec)
    given, ball, community = reuse(tuple(draw(RowReuse(rows_in_cache(facts, spec)))))
    saved = before.epoch_seconds.expected - after.epoch_seconds.expected
    takes = order_seconds(facts.graph, order)
    found = ball if order == RCM else community
    epochs = math.ceil(takes / max(saved, 1e-9))
    return Reason(
        fact="node order",
        value=f"{given:.0%} of neighbours' rows found in the cache as given, {found:.0%} in the order {order}",
        rule=f"saves {LEAST_GAIN:.0%} of the time or more, rows in {CACHE_BYTES // 2**20} MiB of cache",
        source="measured: tests/benchmarks/orderings.py",
        text=f"saves about {format_seconds(saved)} of an epoch of {format_seconds(before.epoch_seconds.expected)}, "
        f"takes about {format_seconds(takes)} once: back after {epochs} epoch{'s' if epochs > 1 else ''}",
    )
