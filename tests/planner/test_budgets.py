"""What a plan tells beside its peaks: the loader's share, the layers of a step, and what numbers rest on."""

from __future__ import annotations

from typing import Any

import pytest

from planner.costing import cost
from planner.inspect.opened import drawer
from planner.records import ForecastFigures
from techniques.forecast import Level, Phase

SAMPLED = ("neighbor", "shadow_k_hop", "graph_saint", "random_node")


@pytest.fixture
def figures_of(tiny: Any, profiled: Any, spec_for: Any) -> Any:
    """``figures_of(sampling, at_hand)``: a forecast from the graph itself or from its counts."""

    def build(sampling: str, at_hand: bool, **settings: Any) -> ForecastFigures:
        stored = tiny(labels="none" if sampling == "link_neighbor" else "classes")
        facts = profiled(stored)
        spec = spec_for(facts, {"sampling": sampling, "representation": "csr", "architecture": "sage"}, **settings)
        return cost(facts, spec, drawer(stored, facts.graph) if at_hand else None)

    return build


@pytest.mark.parametrize("sampling", [*SAMPLED, "link_neighbor"])
def test_sampled_batches_are_drawn_where_the_graph_is_at_hand(sampling: str, figures_of: Any) -> None:
    drawn, counted = figures_of(sampling, True), figures_of(sampling, False)
    assert (drawn.level, counted.level) == (Level.GRAPH, Level.COUNTS)
    assert drawn.basis == ("sizes of 50 batches drawn",) and counted.basis == ("sizes of batches from counts",)
    for mean, high in zip(drawn.mean_step, drawn.p99_step, strict=True):
        assert 0 < mean.sources <= high.sources and 0 < mean.edges <= high.edges and mean.targets <= high.targets


def test_a_full_batch_has_no_loader(figures_of: Any) -> None:
    figures = figures_of("full_batch", True)
    assert figures.loader is None and figures.basis == ("the whole graph as one batch",)
    assert figures.mean_step == figures.p99_step


def test_the_loader_is_a_part_of_training(figures_of: Any) -> None:
    """More batches ahead hold more; made ahead, they hide behind the steps."""
    found = {ahead: figures_of("neighbor", True, prefetch=ahead, batch_size=8) for ahead in (0, 2, 4)}
    loaders = [found[ahead].loader for ahead in found]
    assert [one.batches_alive for one in loaders] == [1, 3, 5]
    held = [one.host_bytes.expected for one in loaders]
    assert held == sorted(held) and held[0] < held[-1]
    for one in found.values():
        assert one.loader.host_bytes.expected <= one.phases[Phase.TRAIN].host_peak_bytes.expected
        assert 0 < one.loader.wait_seconds.expected <= one.epoch_seconds.expected
    assert loaders[0].wait_seconds.expected == pytest.approx(loaders[0].seconds.expected)
    assert loaders[1].wait_seconds.expected < loaders[0].wait_seconds.expected


def test_figures_survive_a_file(figures_of: Any) -> None:
    figures = figures_of("neighbor", True)
    assert ForecastFigures.model_validate_json(figures.model_dump_json()) == figures
