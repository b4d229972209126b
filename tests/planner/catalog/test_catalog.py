"""The catalog: every entry loads, figures that are easy to get wrong are right, unknown names get a suggestion."""

from __future__ import annotations

import pytest

from planner.catalog import dataset, dataset_names, find_gpu, machine, machine_names
from planner.catalog.rates import host_bandwidth
from planner.catalog.tables import load
from planner.inspect.estimate import from_dataset
from techniques.errors import OptionError
from techniques.facts import Origin, Task

GIB = 2**30


@pytest.mark.parametrize("name", machine_names())
def test_every_machine_loads_and_says_where_its_figures_come_from(name: str) -> None:
    facts = machine(name)
    assert facts.name == name
    assert facts.origin is Origin.ESTIMATED
    assert 0 < facts.memory_available_bytes < facts.memory_total_bytes
    assert facts.notes[0]
    assert all(gpu.memory_total_bytes > 8 * GIB for gpu in facts.gpus)


@pytest.mark.parametrize("name", dataset_names())
def test_every_data_set_becomes_facts(name: str) -> None:
    entry = dataset(name)
    facts = from_dataset(entry)
    assert entry.source
    assert (facts.num_nodes, facts.num_edges, facts.name) == (entry.num_nodes, entry.num_edges, name)
    assert facts.task is Task(entry.task)
    assert sum(entry.split) <= 1.001


def test_colab() -> None:
    facts = machine("Colab_T4")
    assert facts.cores == 2
    assert facts.memory_total_bytes == 12_700_000_000
    assert facts.gpus[0].memory_total_bytes == pytest.approx(14.7 * GIB, rel=0.01)
    assert facts.gpus[0].memory_bandwidth_bytes_per_second == 320e9


@pytest.mark.parametrize(
    ("name", "gigabytes_per_second", "gibibytes"),
    [("l4-24gb", 300, 24), ("a10-24gb", 600, 24), ("v100-16gb", 900, 16), ("h100-80gb", 3350, 80)],
)
def test_known_errors_of_the_sources_are_not_imported(name: str, gigabytes_per_second: int, gibibytes: int) -> None:
    gpu = machine(name).gpus[0]
    assert gpu.memory_bandwidth_bytes_per_second == gigabytes_per_second * 1e9
    assert 0.9 * gibibytes * GIB < gpu.memory_total_bytes <= gibibytes * GIB


def test_two_devices_stay_two_devices() -> None:
    assert [gpu.name for gpu in machine("kaggle-2xt4").gpus] == ["Tesla T4", "Tesla T4"]
    assert machine("laptop-16gb").gpus == ()
    assert "no GPU: this machine has none" in machine("laptop-16gb").notes


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("cora", 10_556),
        ("ogbn-products", 123_718_280),
        ("tolokers", 1_038_000),
        ("reddit", 114_615_892),
        ("actor", 30_019),
    ],
)
def test_edges_are_stored_entries(name: str, entries: int) -> None:
    assert dataset(name).num_edges == entries


def test_splits() -> None:
    products = dataset("ogbn-products")
    assert products.split == pytest.approx((0.08, 0.016, 0.904), abs=1e-3)
    assert products.split_is_known
    assert not dataset("pubmed").split_is_known


def test_statistics_carry_every_figure_to_the_generator() -> None:
    pytest.importorskip("techniques.remote.source.generated")
    statistics = dataset("coauthor-cs").statistics()
    assert (statistics.name, statistics.num_nodes, statistics.num_edges) == ("coauthor-cs", 18_333, 163_788)
    assert (statistics.features, statistics.classes, statistics.feature_density) == (6805, 15, 0.0088)


@pytest.mark.parametrize(
    ("reported", "catalog"),
    [
        ("Tesla T4", "Tesla T4"),
        ("NVIDIA A100-SXM4-80GB", "A100 SXM4 80GB"),
        ("NVIDIA H100 80GB HBM3", "H100 SXM5 80GB"),
        ("Tesla V100-SXM2-16GB", "V100 SXM2 16GB"),
        ("NVIDIA GeForce RTX 3090", "RTX 3090"),
        ("NVIDIA A10G", "A10G 24GB"),
    ],
)
def test_driver_names_are_recognised(reported: str, catalog: str) -> None:
    gpu = find_gpu(reported)
    assert gpu is not None
    assert gpu.name == catalog


def test_an_unknown_accelerator_is_no_error() -> None:
    assert find_gpu("NVIDIA T400 4GB") is None


def test_unknown_names_get_the_closest_known_one_and_the_list() -> None:
    with pytest.raises(OptionError, match="Did you mean 'colab-t4'") as caught:
        machine("colab-t5")
    assert "laptop-16gb" in caught.value.remedy
    with pytest.raises(OptionError, match="Did you mean 'ogbn-products'"):
        dataset("ogb-products")


def test_every_accelerator_of_a_machine_exists() -> None:
    tables = load("machines.toml")
    used = {gpu for entry in tables["machines"].values() for gpu in entry.get("gpus", ())}
    assert used <= set(tables["gpus"])


def test_host_bandwidth_levels_off() -> None:
    assert host_bandwidth(1) == 10e9
    assert host_bandwidth(8) == 25e9
    assert host_bandwidth(64) == 100e9
