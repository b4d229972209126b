"""The source's cases that this version can decide, and what happens when one of their facts changes."""

from __future__ import annotations

from typing import Any

import pytest

from planner import Goal, Plan, Verdict, plan
from planner.inspect.estimate import from_counts
from planner.quantities import format_bytes
from techniques.base import Reason, Slot
from techniques.facts import GraphFacts, Objective

PRODUCTS = from_counts(2_449_029, 61_859_140, 100, 47, directed=False, name="ogbn-products")


def rule(found: Plan, name: str) -> Any:
    return next(one for one in found.rules if one.name == name)


def best(found: Plan) -> dict[Slot, str]:
    assert found.best is not None
    return found.best.options


def because(found: Plan, fact: str) -> Reason | None:
    """The reason of the best candidate that rests on a fact."""
    assert found.best is not None
    return next((reason for reason in found.best.reasons if reason.fact == fact), None)


# A: ogbn-products on Colab


def test_case_a_products_on_colab_is_sampled_and_sparse() -> None:
    found = plan(PRODUCTS, on="colab-t4")
    assert best(found)[Slot.SAMPLING] == "neighbor"
    assert best(found)[Slot.REPRESENTATION] in ("coo", "csr")
    assert best(found)[Slot.HARDWARE] == "cuda"
    nodes, density = because(found, "nodes"), because(found, "density")
    assert nodes is not None and nodes.value == "2,449,029"
    assert density is not None and density.value == "2.1e-05"
    assert rule(found, "size class").verdict == "large"
    assert rule(found, "density").verdict == "sparse"
    assert rule(found, "host memory 4-10x").verdict.startswith("short")
    assert any(one.needs_bytes is not None and "full_batch" in one.name for one in found.rejected)


def test_case_a_a_small_graph_needs_no_sampling() -> None:
    small = from_counts(2_000, 20_000, 100, 47, directed=False)
    found = plan(small, on="colab-t4")
    assert found.verdict is Verdict.FITS
    assert any(one.options[Slot.SAMPLING] == "full_batch" for one in found.candidates)
    assert not any(one.needs_bytes for one in found.rejected)
    assert rule(found, "host memory 4-10x").verdict.startswith("comfortable")


def test_case_a_without_a_gpu_it_runs_on_the_cpu_and_nobody_speaks_of_devices() -> None:
    found = plan(PRODUCTS, on="laptop-16gb")
    assert best(found)[Slot.HARDWARE] == "cpu"
    assert because(found, "device memory") is None
    assert not any(one.name.startswith("device") for one in found.rules)


def test_processor_and_architecture_have_their_reasons_where_there_was_a_choice() -> None:
    found = plan(PRODUCTS, on="colab-t4")
    processor, architecture = because(found, "processor"), because(found, "architecture")
    assert processor is not None and processor.value == "Tesla T4" and "preparing stay on the CPU" in processor.text
    assert architecture is not None and architecture.value == best(found)[Slot.ARCHITECTURE]
    asked = plan(PRODUCTS, on="laptop-16gb", model="gcn")
    assert because(asked, "processor") is None and because(asked, "architecture") is None


# B: disease spread


def disease(dataset_bytes: int) -> GraphFacts:
    return from_counts(10_000, 50_000, 1_000, 2, directed=False, dataset_bytes=dataset_bytes)


def test_case_b_ten_gigabytes_want_forty_to_a_hundred() -> None:
    found = plan(disease(10 * 10**9), on="colab-t4")
    assert found.facts.graph.dataset_bytes == 10 * 10**9
    memory = rule(found, "host memory 4-10x")
    assert f"{format_bytes(40 * 10**9)} to {format_bytes(100 * 10**9)} wanted" in memory.value
    assert memory.verdict.startswith("short")
    assert rule(found, "device memory 4-10x").verdict.startswith("short")
    assert rule(found, "what is large").verdict == "features"
    assert rule(found, "density").verdict == "sparse"
    assert best(found)[Slot.HARDWARE] == "cuda", "train on the GPU"


@pytest.mark.parametrize(
    ("gigabytes", "verdict"), [(39, "short"), (41, "enough"), (99, "enough"), (101, "comfortable")]
)
def test_case_b_the_rule_turns_at_four_and_at_ten_times(gigabytes: int, verdict: str) -> None:
    found = plan(disease(10 * 10**9), on="laptop-16gb", goal=Goal(host_memory_bytes=gigabytes * 10**9))
    assert rule(found, "host memory 4-10x").verdict.startswith(verdict)
    assert format_bytes(gigabytes * 10**9) in rule(found, "host memory 4-10x").verdict


def test_case_b_growth_grows_the_rule() -> None:
    found = plan(disease(10**9), on="laptop-16gb", goal=Goal(grow=10.0))
    assert f"{format_bytes(40 * 10**9)} to" in rule(found, "host memory 4-10x").value


def test_case_b_data_beyond_what_counts_make_up_is_trained_in_batches() -> None:
    """No forecast knows what lies beyond the counts: the source's rule decides, and says so."""
    stated, counted = (plan(disease(size), on="colab-t4") for size in (10 * 10**9, 40_000_000))
    reason = because(stated, "data")
    assert best(stated)[Slot.SAMPLING] == "neighbor" and best(counted)[Slot.SAMPLING] == "full_batch"
    assert reason is not None and "37.3 GiB" in reason.text and "batches of subgraphs" in reason.text
    assert because(counted, "data") is None


# C: school friendships

SCHOOL = from_counts(1000, 450_000, 10, 2, directed=False)


@pytest.mark.parametrize("machine", ["laptop-16gb", "colab-t4"])
def test_case_c_a_dense_school_is_held_as_a_dense_matrix(machine: str) -> None:
    found = plan(SCHOOL, on=machine)
    assert best(found)[Slot.REPRESENTATION] == "dense"
    assert rule(found, "density").verdict == "dense"
    assert "0.901" in rule(found, "density").value
    reason = because(found, "density")
    assert reason is not None and reason.value == "0.9" and "one dense product" in reason.text
    assert because(found, "growth") is None


def test_case_c_a_school_that_grows_is_sparse_at_a_small_cost_in_time() -> None:
    found = plan(SCHOOL, on="laptop-16gb", goal=Goal(grow=10.0))
    assert best(found)[Slot.REPRESENTATION] in ("coo", "csr")
    assert rule(found, "density").verdict == "sparse: grown 10x a dense matrix needs 381 MiB"
    reason, density = because(found, "growth"), because(found, "density")
    assert reason is not None and reason.value == "10x" and "from 3.81 MiB to 381 MiB" in reason.text
    assert density is not None and density.text == "a dense product would be faster here today"
    assert any(one.options[Slot.REPRESENTATION] == "dense" for one in found.alternatives)


def test_case_c_fewer_friends_are_sparse() -> None:
    found = plan(from_counts(1000, 45_000, 10, 2, directed=False), on="laptop-16gb")
    assert best(found)[Slot.REPRESENTATION] == "csr"
    assert rule(found, "density").verdict == "sparse"


@pytest.mark.parametrize("grow", [1.0, 10.0])
def test_case_c_a_matrix_beyond_the_limits_is_refused_with_its_size(grow: float) -> None:
    graph = from_counts(int(20_000 / grow), 4_000_000, 10, 2, directed=False)
    goal = Goal(grow=grow, host_memory_bytes=10**9)
    found = plan(graph, on="laptop-16gb", goal=goal, fix={"representation": "dense", "sampling": "full_batch"})
    assert found.best is None
    assert any("a dense matrix needs 1.6 GB" in one.reason for one in found.rejected)


@pytest.mark.parametrize("machine", ["laptop-16gb", "colab-t4"])
@pytest.mark.parametrize(
    "counts",
    [
        (34, 78, 34, 4),
        (2708, 5278, 1433, 7),
        (2_000, 20_000, 100, 47),
        (13_752, 245_861, 767, 10),
        (10_000, 50_000, 1_000, 2),
    ],
)
@pytest.mark.parametrize("objective", list(Objective))
def test_ordinary_sparse_graphs_are_never_dense(
    counts: tuple[int, int, int, int], machine: str, objective: Objective
) -> None:
    found = plan(from_counts(*counts, directed=False), on=machine, goal=Goal(optimize=objective))
    assert best(found)[Slot.REPRESENTATION] != "dense"
    assert rule(found, "density").verdict == "sparse"


# D: urban development

CITY = from_counts(50_000, 500_000, 64, 6, directed=False)


@pytest.mark.parametrize("city", [CITY, from_counts(5_000_000, 100_000_000, 64, 2, directed=False)])
def test_case_d_growth_asks_for_sage_and_a_trial_of_gat(city: GraphFacts) -> None:
    found = plan(city, on="colab-t4", goal=Goal(grow=100.0))
    assert best(found)[Slot.ARCHITECTURE] == "sage"
    reason = because(found, "growth")
    assert reason is not None and reason.value == "100x"
    assert "try GAT in a controlled trial" in reason.text
    assert any(one.options[Slot.ARCHITECTURE] == "gat" for one in found.alternatives), "GAT stays at hand for the trial"


def test_case_d_without_growth_the_reason_is_gone() -> None:
    assert because(plan(CITY, on="colab-t4"), "growth") is None


def test_case_d_a_full_batch_does_not_survive_growth() -> None:
    grown = plan(CITY, on="colab-t4", goal=Goal(grow=1000.0))
    assert "full_batch" not in {one.options[Slot.SAMPLING] for one in grown.candidates}
    assert best(grown)[Slot.SAMPLING] == "neighbor"
    assert any("growth 50,000,000 nodes" in one.reason for one in grown.rejected)
    today = plan(CITY, on="colab-t4")
    assert "full_batch" in {one.options[Slot.SAMPLING] for one in today.candidates}


# E: context


def test_case_e_context_beyond_the_layers_is_refused_for_samples() -> None:
    roads = from_counts(50_000, 100_000, 8, 3, directed=False)
    near = plan(roads, on="laptop-16gb", goal=Goal(context_hops=3))
    assert {one.settings["layers"] for one in near.candidates} == {3}
    far = plan(roads, on="laptop-16gb", goal=Goal(context_hops=12))
    assert any("12" in one.reason for one in far.rejected)


# G: larger than memory

WIDE = from_counts(1_000_000, 5_000_000, 4_000, 10, directed=False)  # 16 GB of features


def test_case_g_features_larger_than_memory_stay_on_disk() -> None:
    found = plan(WIDE, on="laptop-16gb")
    assert found.verdict is Verdict.FITS_WITH_CHANGES
    assert best(found)[Slot.REMOTE_FEATURES] == "memmap"
    assert best(found)[Slot.SAMPLING] == "neighbor"
    reason = because(found, "memory limit")
    assert reason is not None and reason.value == format_bytes(found.facts.host_limit_bytes)
    assert rule(found, "what is large").verdict == "features"


def test_case_g_with_memory_enough_the_features_are_in_it() -> None:
    found = plan(WIDE, on="laptop-16gb", goal=Goal(host_memory_bytes=10**12))
    assert best(found)[Slot.REMOTE_FEATURES] == "memory"
    assert because(found, "memory limit") is None


def test_case_g_what_comes_nearest_leaves_features_on_disk() -> None:
    """ogbn-papers100M on a laptop: a machine for its structure alone, not for its features too."""
    found = plan(from_counts(111_000_000, 1_600_000_000, 128, 172, directed=False), on="laptop-16gb")
    assert found.nearest is not None and "+memmap" in found.nearest.name
    assert found.nearest.needs_bytes < 2**35 and "cpu-2c-24gb" in found.nearest.change


def test_case_g_structure_larger_than_memory_does_not_fit_yet() -> None:
    found = plan(from_counts(500_000_000, 10_000_000_000, 100, 10, directed=False), on="laptop-16gb")
    assert found.verdict is Verdict.DOES_NOT_FIT
    assert found.nearest is not None
    assert found.nearest.needs_bytes > found.nearest.has_bytes
    assert found.nearest.change


# F: several GPUs, and deadlines


def test_case_f_several_gpus_and_an_untried_model_ask_for_a_feasibility_study() -> None:
    """Source, case F: the reason quotes the number of GPUs and goes with it, or once DDP has been tried."""

    def said(machine_name: str, tried: bool | None) -> list[str]:
        graph = from_counts(100_000, 1_000_000, 64, 10, directed=False)
        made = plan(graph, on=machine_name, goal=Goal(ddp_tried=tried))
        assert made.best is not None
        return [reason.value for reason in made.best.reasons if reason.source == "source, case F"]

    assert said("kaggle-2xt4", None) == ["2"]
    assert said("kaggle-2xt4", True) == []
    assert said("colab-t4", None) == []


def test_a_deadline_that_cannot_be_met_is_a_warning() -> None:
    graph = from_counts(2_400_000, 61_900_000, 100, 47, directed=False)
    late = plan(graph, on="colab-t4", goal=Goal(deadline_seconds=1.0))
    tight = plan(graph, on="colab-t4", goal=Goal(deadline_seconds=240.0))
    assert tight.best is not None and any(one.startswith("perhaps up to") for one in tight.best.warnings)
    enough = plan(graph, on="colab-t4", goal=Goal(deadline_seconds=1e6))
    assert late.best is not None and any("deadline" in warning for warning in late.best.warnings)
    assert enough.best is not None and not any("deadline" in warning for warning in enough.best.warnings)
