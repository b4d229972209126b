"""When a plan coarsens and when it does not, case H of the source, and what its reasons rest on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner import Goal, Plan, Verdict, plan
from planner.inspect.estimate import from_counts
from techniques.base import Reason, Slot
from techniques.coarsening.evidence import LIKE, RATIOS, evidence_near
from techniques.errors import InputError, OptionError

ROADS = from_counts(50_000, 200_000, 16, 5, directed=False, name="national roads")
BIG = from_counts(1_000_000, 10_000_000, 64, 10, directed=False)
FULL_BATCH = {"sampling": "full_batch", "architecture": "gat"}
"""Training holds every message, evaluation a chunk of them: a coarse graph needs much less of the former."""


@pytest.fixture
def hierarchy(tmp_path: Path) -> str:
    """Countries, states and cities; two nodes in five lie in a city, every fifth in no state."""
    rng = np.random.default_rng(0)
    nodes = ROADS.num_nodes
    state = np.where(rng.random(nodes) < 0.2, -1, rng.integers(0, 50, nodes))
    city = np.where((state >= 0) & (rng.random(nodes) < 0.5), 20 * state + rng.integers(0, 20, nodes), -1)
    np.savez(tmp_path / "levels.npz", country=np.zeros(nodes, np.int64), state=state, city=city)
    return str(tmp_path / "levels.npz")


def reason(found: Plan, fact: str) -> Reason | None:
    assert found.best is not None
    return next((one for one in found.best.reasons if one.fact == fact), None)


def coarsenings(found: Plan) -> set[str]:
    return {one.options[Slot.COARSENING] for one in found.candidates}


# Case H


def test_case_h_only_the_middle_level_is_coarsened(hierarchy: str) -> None:
    found = plan(ROADS, on="laptop-16gb", goal=Goal(hierarchy=hierarchy))
    assert found.best is not None
    assert found.best.options[Slot.COARSENING] == "heavy_edge"
    assert found.best.settings["coarsen_scope"] == "level"
    why = reason(found, "hierarchy")
    assert why is not None and why.value == "state" and "case H" in why.source
    assert "stay as checks" in why.text and "city" in why.text
    refused = next(one for one in found.rejected if one.options[Slot.COARSENING] == "heavy_edge")
    assert "no coarsening of the whole graph" in refused.reason


def test_case_h_another_level_is_named(hierarchy: str) -> None:
    found = plan(ROADS, on="laptop-16gb", goal=Goal(hierarchy=hierarchy, hierarchy_level="city"))
    why = reason(found, "hierarchy")
    assert why is not None and why.value == "city"


def test_case_h_without_the_hierarchy_nothing_is_coarsened() -> None:
    found = plan(ROADS, on="laptop-16gb")
    assert coarsenings(found) == {"none"}
    assert not any("coarsening of the whole graph" in one.reason for one in found.rejected)


@pytest.mark.parametrize("detail", ["local", "global"])
def test_local_detail_refuses_the_whole_graph_with_the_reason(detail: str) -> None:
    found = plan(ROADS, on="laptop-16gb", goal=Goal(detail=detail))
    said = [one.reason for one in found.rejected if "coarsening of the whole graph" in one.reason]
    assert bool(said) == (detail == "local")
    assert all("detail local" in one for one in said)
    pinned = plan(ROADS, on="laptop-16gb", goal=Goal(detail=detail), fix={"coarsening": "graclus"})
    assert (pinned.best is None) == (detail == "local")


def test_a_hierarchy_of_another_graph_is_an_error(hierarchy: str) -> None:
    with pytest.raises(InputError, match="one row per node"):
        plan(BIG, on="laptop-16gb", goal=Goal(hierarchy=hierarchy))


def test_one_level_needs_a_hierarchy() -> None:
    found = plan(ROADS, on="laptop-16gb", fix={"coarsening": "graclus"}, set={"coarsen_scope": "level"})
    assert found.best is None and "--hierarchy FILE" in found.rejected[0].reason


# Where nothing better fits


def limited(gigabytes: float) -> Plan:
    return plan(BIG, on="laptop-16gb", goal=Goal(host_memory_bytes=int(gigabytes * 1e9)), fix=FULL_BATCH)


def test_what_fits_no_other_way_is_coarsened_and_says_so() -> None:
    whole = limited(100)
    assert coarsenings(whole) == {"none"}
    assert whole.best is not None
    needs = whole.best.forecast.needs_host_bytes
    found = limited(0.5 * needs / 1e9)
    assert coarsenings(found) == {"heavy_edge"} and found.verdict is Verdict.FITS_WITH_CHANGES
    assert found.best is not None and found.best.forecast.needs_host_bytes < 0.5 * needs
    why = reason(found, "memory limit")
    assert why is not None and "nothing fits" in why.text
    assert any(one.needs_bytes for one in found.rejected), "what did not fit is told"


def test_with_memory_enough_nothing_is_coarsened() -> None:
    assert coarsenings(limited(100)) == {"none"}


def test_where_a_sampler_fits_nothing_is_coarsened() -> None:
    found = plan(BIG, on="laptop-16gb", goal=Goal(host_memory_bytes=4 * 10**9))
    assert found.best is not None and coarsenings(found) == {"none"}


# Pinned


@pytest.mark.parametrize("method", ["graclus", "heavy_edge", "metis"])
def test_a_pinned_coarsening_quotes_evidence_and_risks(method: str) -> None:
    found = plan(ROADS, on="laptop-16gb", fix={"coarsening": method})
    assert coarsenings(found) == {method} and found.best is not None
    assert f"+{method}" in found.best.name
    trained, risks = reason(found, "nodes trained on"), reason(found, "coarsening")
    assert trained is not None and "of the full graph's accuracy" in trained.text and "at random" in trained.text
    assert risks is not None
    for word in ("detail", "labels", "bias"):
        assert word in risks.text
    assert reason(plan(ROADS, on="laptop-16gb"), "nodes trained on") is None


def test_evidence_of_graphs_like_the_one_at_hand_comes_first() -> None:
    known = evidence_near(0.5)
    for homophily, first, second in ((0.8, "cora", "actor"), (None, "cora", "actor"), (0.2, "actor", "cora")):
        words = known.words(homophily)
        assert 0 < words.index(first) < words.index(second)


@pytest.mark.parametrize("homophily", [0.2, 0.8])
def test_low_homophily_is_a_risk_of_its_own(homophily: float) -> None:
    labels = ROADS.labels.model_copy(update={"homophily": homophily})
    found = plan(ROADS.model_copy(update={"labels": labels}), on="laptop-16gb", fix={"coarsening": "heavy_edge"})
    risks = reason(found, "coarsening")
    assert risks is not None and ("mix classes" in risks.text) == (homophily < 0.5)


def test_evidence_follows_the_ratio() -> None:
    texts = set()
    for ratio in (0.1, 0.5):
        found = plan(ROADS, on="laptop-16gb", fix={"coarsening": "heavy_edge"}, set={"coarsen_ratio": ratio})
        trained = reason(found, "nodes trained on")
        assert trained is not None and trained.value == f"about {ratio:.0%}"
        texts.add(trained.text)
    assert len(texts) == 2


def test_what_was_measured_is_better_than_joining_at_random_where_neighbours_share_classes() -> None:
    """At every ratio on at least two graphs whose edges join classes."""
    assert pytest.approx([share / 10 for share in range(1, 10)]) == RATIOS
    for ratio in RATIOS:
        known = evidence_near(ratio)
        assert known.ratio == ratio and known.joined_along_edges.keys() == known.joined_at_random.keys()
        kept = {name: known.joined_along_edges[name] for name in LIKE if name in known.joined_along_edges}
        assert len(kept) >= 2 and all(share > known.joined_at_random[name] for name, share in kept.items())


def test_evidence_says_where_joining_at_random_does_as_well() -> None:
    assert "at random is as good on" in evidence_near(0.7).words() and "actor" in evidence_near(0.7).words()
    assert "as good" not in evidence_near(0.3).words()


@pytest.mark.parametrize("smaller", [0.7, 0.5, 0.1])
def test_fewer_super_nodes_take_less_time_and_memory(smaller: float) -> None:
    def figures(ratio: float) -> Any:
        fix = {"coarsening": "heavy_edge", "sampling": "full_batch", "architecture": "gcn", "representation": "csr"}
        found = plan(BIG, on="a100-80gb", fix={**fix, "hardware": "cpu"}, set={"coarsen_ratio": ratio})
        assert found.best is not None
        return found.best.forecast

    more, less = figures(0.9), figures(smaller)
    assert less.epoch_seconds.expected < more.epoch_seconds.expected
    assert less.phases["train"].host_peak_bytes.expected < more.phases["train"].host_peak_bytes.expected


def test_a_grid_needs_positions() -> None:
    found = plan(ROADS, on="laptop-16gb", fix={"coarsening": "voxel_grid"})
    assert found.best is None and "pos [N, D]" in found.rejected[0].reason
    placed = ROADS.model_copy(update={"position_columns": 2})
    assert plan(placed, on="laptop-16gb", fix={"coarsening": "voxel_grid"}).best is not None


def test_settings_without_coarsening_are_an_error() -> None:
    with pytest.raises(OptionError, match="no effect without coarsening"):
        plan(ROADS, on="laptop-16gb", set={"coarsen_ratio": 0.3})


@pytest.mark.parametrize(("ratio", "words"), [(0.0, "at most 1"), (-0.5, "from 0 to"), (1.5, "at most 1")])
def test_ratios_that_make_no_sense_are_an_error(ratio: float, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        plan(ROADS, on="laptop-16gb", fix={"coarsening": "heavy_edge"}, set={"coarsen_ratio": ratio})
    with pytest.raises(OptionError, match="must be a number"):
        plan(ROADS, on="laptop-16gb", fix={"coarsening": "heavy_edge"}, set={"coarsen_ratio": "half"})
