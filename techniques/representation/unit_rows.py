"""Rows of features scaled to length 1: wide rows, such as bags of words, otherwise differ by how many words they have."""

from __future__ import annotations

from techniques.base import Knob, Slot
from techniques.facts import Facts, Task
from techniques.job import JobSpec

UNIT_ROWS = "unit_rows"
WIDE_COLUMNS = 64
"""From so many columns on rows are scaled unless the user says otherwise (amazon_computers, 767 columns, full batch, two seeds:
test accuracy of GCN 0.75 as given and 0.90 scaled, of GraphSAGE 0.75 and 0.88)."""


def unit_rows_knobs(facts: Facts) -> tuple[Knob, ...]:
    """For one graph with features of its own, of one type."""
    graph = facts.graph
    if graph.features.generated or graph.heterogeneous or facts.task is Task.GRAPH:
        return ()
    text = "scale every row of features to length 1 (your own module gets them as given)"
    return (Knob(name=UNIT_ROWS, text=text, default=graph.features.width >= WIDE_COLUMNS, choices=(False, True)),)


def has_unit_rows(spec: JobSpec) -> bool:
    """Whether rows are scaled: never those of the user's own module."""
    return bool(spec.settings.get(UNIT_ROWS)) and spec.options[Slot.ARCHITECTURE] != "custom"
