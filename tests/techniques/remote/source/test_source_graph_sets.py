"""Sets of graphs from PyG: lists, collated files, factories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data, InMemoryDataset

from planner.inspect.graph import profile
from techniques.errors import GraphError
from techniques.facts import Task
from techniques.remote.source import from_object, open_graph
from techniques.remote.source.validate import check_headers, check_structure

EDGES = torch.tensor([[0, 1, 2], [1, 2, 0]])


def graphs(y: Any, count: int = 6) -> list[Data]:
    """Rings of three nodes and, every other one, a lone node."""
    return [
        Data(x=torch.full((3 + index % 2, 2), float(index)), edge_index=EDGES, y=y(index)) for index in range(count)
    ]


def facts_of(stored: Any) -> Any:
    check_headers(stored)
    check_structure(stored)
    return profile(stored)


@pytest.mark.parametrize(
    ("y", "classes", "targets", "multi"),
    [
        (lambda i: torch.tensor([i % 2]), 2, 0, False),
        (lambda i: torch.tensor([[float(i % 2)]]), 2, 0, False),
        (lambda i: i % 2, 2, 0, False),
        (lambda i: torch.tensor([i + 0.5]), 0, 1, False),
        (lambda i: i + 0.25, 0, 1, False),
        (lambda i: torch.tensor([[i + 0.5, -i]]), 0, 2, False),
        (lambda i: torch.tensor([[i % 2, 1, 0]]), 3, 0, True),
    ],
)
def test_labels_per_graph(y: Any, classes: int, targets: int, multi: bool) -> None:
    facts = facts_of(from_object(graphs(y), "set"))
    assert (facts.task, facts.num_graphs) == (Task.GRAPH, 6)
    labels = facts.labels
    assert (labels.num_classes, labels.num_targets, labels.multi_label) == (classes, targets, multi)
    assert facts.graph_set.nodes_mean == 3.5 and facts.graph_set.nodes_max == 4


def test_labels_of_different_width_are_refused() -> None:
    uneven = graphs(lambda i: torch.ones(1, 1 + i % 2))
    with pytest.raises(GraphError, match="All graphs must have y of one width"):
        from_object(uneven, "set")


def test_features_of_different_width_are_refused_with_both_graphs() -> None:
    uneven = graphs(lambda i: i % 2)
    uneven[4].x = torch.ones(uneven[4].num_nodes, 7)
    width = uneven[0].x.shape[1]
    with pytest.raises(GraphError, match=f"got {width} columns? in graph 0, 7 columns in graph 4") as caught:
        from_object(uneven, "set")
    assert caught.value.remedy == "Make x alike"


def test_labels_per_node_stay_a_node_task() -> None:
    many = [Data(x=torch.ones(3, 2), edge_index=EDGES, y=torch.tensor([0, 1, 0])) for _ in range(4)]
    assert facts_of(from_object(many, "set")).task is Task.NODE


class Rings(InMemoryDataset):
    """A data set in memory, collated by PyG."""

    def __init__(self, many: list[Data]) -> None:
        super().__init__(None)
        self.data, self.slices = self.collate(many)


def test_collated_files_are_lists(tmp_path: Path) -> None:
    many = graphs(lambda i: torch.tensor([i + 0.5]))
    torch.save(many, tmp_path / "list.pt")
    InMemoryDataset.save(many, str(tmp_path / "saved.pt"))
    data, slices = InMemoryDataset.collate(many)
    torch.save((data, dict(slices)), tmp_path / "pair.pt")
    expected = from_object(many, "set")
    for name in ("list", "saved", "pair"):
        found = open_graph(str(tmp_path / f"{name}.pt"))
        for key in ("x", "y", "edge_index", "graph_ptr"):
            assert np.array_equal(found.read(key), expected.read(key)), (name, key)
    assert np.array_equal(from_object(Rings(many), "set").read("edge_index"), expected.read("edge_index"))


def test_slices_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    data, slices = InMemoryDataset.collate(graphs(lambda i: torch.tensor([i % 2])))
    slices = {**slices, "y": slices["y"][:-2]}
    torch.save((data, slices), tmp_path / "pair.pt")
    with pytest.raises(GraphError, match="slices of different lengths"):
        open_graph(str(tmp_path / "pair.pt"))
