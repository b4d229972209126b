"""``GraphLoader`` against PyG's ``DataLoader`` over the same graphs."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from techniques.errors import OptionError
from techniques.sampling.loader import GraphLoader


def one_by_one() -> list[Data]:
    generator = torch.Generator().manual_seed(0)
    found = []
    for size in (4, 1, 7, 3, 9, 2, 5):
        edges = torch.randint(0, size, (2, 2 * size), generator=generator)
        x, attr = torch.randn(size, 3, generator=generator), torch.randn(2 * size, 2, generator=generator)
        found.append(Data(x=x, edge_index=edges, edge_attr=attr, y=torch.tensor([size])))
    return found


def together(graphs: list[Data]) -> Data:
    whole = next(iter(DataLoader(graphs, batch_size=len(graphs))))
    return Data(x=whole.x, edge_index=whole.edge_index, edge_attr=whole.edge_attr, y=whole.y, ptr=whole.ptr)


def edge_set(batch: Data) -> list[tuple[float, ...]]:
    rows = torch.cat([batch.edge_index.T.float(), batch.edge_attr], dim=1)
    return sorted(tuple(row) for row in rows.tolist())


def test_batches_are_pygs() -> None:
    graphs = one_by_one()
    ours, theirs = GraphLoader(together(graphs), batch_size=3), DataLoader(graphs, batch_size=3)
    assert len(ours) == len(theirs) == 3
    for here, there in zip(ours, theirs, strict=True):
        for name in ("x", "y", "ptr", "batch"):
            assert torch.equal(here[name], there[name]), name
        assert edge_set(here) == edge_set(there)
        assert (here.num_graphs, here.num_nodes) == (there.num_graphs, there.num_nodes)


def test_even_batches_hold_every_graph_once() -> None:
    loader = GraphLoader(together(one_by_one()), batch_cost=10, shuffle=True)
    batches = list(loader)
    assert len(batches) == len(loader) == 3
    assert sorted(torch.cat([one.y for one in batches]).tolist()) == [1, 2, 3, 4, 5, 7, 9]


def test_a_mask_or_places_choose_graphs() -> None:
    data = together(one_by_one())
    mask = torch.tensor([True, False, True, False, False, False, True])
    for chosen in (mask, mask.nonzero().flatten()):
        assert torch.cat([one.y for one in GraphLoader(data, chosen, batch_size=2)]).tolist() == [4, 7, 5]


@pytest.mark.parametrize("given", [{}, {"batch_size": 0}, {"batch_size": 2, "batch_cost": 3}, {"batch_cost": -1}])
def test_sizes_must_make_sense(given: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="one of batch_size and batch_cost"):
        GraphLoader(together(one_by_one()), **given)
    with pytest.raises(OptionError, match="cost must be nodes or edges"):
        GraphLoader(together(one_by_one()), batch_size=1, cost="bytes")
