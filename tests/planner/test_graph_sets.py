"""Sets of graphs in the plan: sizes decide the batches, counts alone suffice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner.api import plan
from planner.cli import add_plan
from planner.flags import Parser
from planner.inspect.estimate import from_counts
from techniques.base import Slot
from techniques.errors import GnnfitError, OptionError
from techniques.facts import Task


def planned(tiny_set: Any, profiled: Any, sizes: Any, **others: Any) -> Any:
    facts = profiled(tiny_set(num_graphs=len(sizes), sizes=sizes))
    return plan(facts.graph, on=facts.hardware, **others)


def batching(made: Any) -> str:
    """The first candidate that batches."""
    return next(one.options[Slot.SAMPLING] for one in made.candidates if one.options[Slot.SAMPLING] != "full_batch")


def test_uneven_sizes_make_the_plan_even_out_and_equal_ones_do_not(tiny_set: Any, profiled: Any) -> None:
    equal = planned(tiny_set, profiled, [20] * 300)
    uneven = planned(tiny_set, profiled, [4] * 270 + [160] * 30)
    assert batching(equal) == "graph_batch"
    assert batching(uneven) == "dynamic_batch"
    for made, words in ((equal, "even enough"), (uneven, "evened out: +-")):
        chosen = next(one for one in made.candidates if one.options[Slot.SAMPLING] == batching(made))
        reason = next(one for one in chosen.reasons if one.fact == "cost per batch")
        assert words in reason.text and "%" in reason.value
        assert any(one.fact == "graphs" and "nodes each" in one.text for one in chosen.reasons)


def test_sums_come_first(tiny_set: Any, profiled: Any) -> None:
    made = planned(tiny_set, profiled, [20] * 300)
    assert made.best is not None
    assert made.best.options[Slot.ARCHITECTURE] == "gin" and made.best.settings["pool"] == "sum"
    assert made.baseline is not None
    assert (made.baseline.settings["layers"], made.baseline.settings["batch_size"]) == (5, 128)
    assert made.baseline.options[Slot.SAMPLING] == "graph_batch"


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"architecture": "appnp"}, "a readout of graphs follows convolutions"),
        ({"architecture": "sgc"}, "pooled by no graph"),
        ({"architecture": "sign"}, "pooled by no graph"),
        ({"representation": "dense"}, "never linked"),
        ({"representation.features": "embedding"}, "held-out graphs"),
        ({"coarsening": "heavy_edge"}, "graphs of their own"),
        ({"sampling": "neighbor"}, "tear graphs apart"),
    ],
    ids=lambda one: "-".join(one.values()) if isinstance(one, dict) else "",
)
def test_what_knows_one_graph_only_is_refused_with_its_reason(
    chosen: dict[str, str], words: str, tiny_set: Any, profiled: Any
) -> None:
    made = planned(tiny_set, profiled, [20] * 300, fix=chosen)
    assert made.best is None
    assert any(words in one.reason for one in made.rejected), [one.reason for one in made.rejected]


def test_an_order_of_nodes_is_refused(tiny_set: Any, profiled: Any) -> None:
    made = planned(tiny_set, profiled, [20] * 300, fix={"sampling": "full_batch"}, set={"node_order": "rcm"})
    assert made.best is None and any("must stay together" in one.reason for one in made.rejected)


def test_an_own_module_is_refused_before_it_is_looked_at(tiny_set: Any, profiled: Any) -> None:
    facts = profiled(tiny_set())
    with pytest.raises(OptionError, match="is a set of graphs"):
        plan(facts.graph, on=facts.hardware, model="no_such_module:factory")


def test_counts_alone(make_facts: Any) -> None:
    facts = make_facts(from_counts(43_471, 81_044, 3, 2, directed=False, num_graphs=1113))
    graph = facts.graph
    assert (graph.task, graph.num_graphs, graph.labels.train) == (Task.GRAPH, 1113, 890)
    assert graph.graph_set is not None and graph.graph_set.assumed
    made = plan(graph, on=facts.hardware)
    assert made.best is not None and any("80/10/10" in note for note in graph.notes)
    assert "1,113 graphs" in str(made)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--nodes 100 --edges 200 --features 3 --task graph", "needs a number of graphs"),
        ("--nodes 100 --edges 200 --features 3 --graphs 101", "--graphs must be from 1 to"),
        ("--nodes 100 --edges 200 --features 3 --targets 2", "--targets is for a set of graphs"),
        ("graph.npz --graphs 3", "exclude each other"),
    ],
)
def test_bad_counts_are_refused(flags: str, words: str) -> None:
    import argparse

    parser = Parser(prog="gnnfit")
    add_plan(parser.add_subparsers(parser_class=Parser))
    with pytest.raises(GnnfitError, match=words):
        arguments = parser.parse_args(["plan", *flags.split()])
        assert isinstance(arguments, argparse.Namespace)
        arguments.run(arguments)


def test_a_regression_is_said(tiny_set: Any, profiled: Any) -> None:
    facts = profiled(tiny_set(labels="targets"))
    text = " ".join(str(plan(facts.graph, on=facts.hardware)).split())
    assert "2 targets" in text and "regression, trained on standardised targets" in text


DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MEASURED = [
    ("tu_mutag", "gin", "csr", 32, 10.1),
    ("tu_proteins", "gin", "csr", 32, 22.7),
    ("tu_proteins", "gat", "coo", 32, 41.6),
    ("tu_nci1", "gin", "csr", 256, 118.7),
]
"""Set, layers, representation, graphs a step; MiB in training after three epochs (``gnnfit measure``, 2 cores)."""


@pytest.mark.parametrize(("name", "architecture", "form", "batch_size", "mebibytes"), MEASURED)
def test_memory_of_training_is_as_it_was_measured(
    name: str, architecture: str, form: str, batch_size: int, mebibytes: float
) -> None:
    if not DATA.is_dir():
        pytest.skip(f"no shared data in {DATA}")
    fix = {"architecture": architecture, "representation": form, "sampling": "graph_batch", "hardware": "cpu"}
    made = plan(str(DATA / f"{name}.npz"), fix=fix, set={"batch_size": batch_size})
    assert made.best is not None
    peak = made.best.forecast.phases["train"].host_peak_bytes
    assert peak.low <= mebibytes * 2**20 <= peak.high
    assert peak.expected == pytest.approx(mebibytes * 2**20, rel=0.4)
