"""The sampler behind the neighbour loader for heterogeneous graphs, and what is not offered there."""

from __future__ import annotations

from typing import Any

from torch_geometric.data import HeteroData
from torch_geometric.sampler.base import SubgraphType

from techniques.errors import OptionError
from techniques.sampling.hetero_sampler import HeteroNeighborSampler, NumNeighbors

NATIVE = "Leave it unset, or use torch_geometric.loader with pyg-lib installed"


def make_hetero_sampler(
    loader: str,
    data: HeteroData,
    num_neighbors: NumNeighbors,
    *,
    subgraph_type: Any,
    directed: bool,
    **not_offered: Any,
) -> HeteroNeighborSampler:
    """The sampler that ``loader`` needs for ``data``.

    Raises:
        OptionError: an argument that asks for what is not offered for several node and edge types.
        GraphError: an edge type without an ``edge_index``, or whose ends are no node types.
        ValueError: ``num_neighbors`` that does not fit the edge types.
    """
    for name, value in not_offered.items():
        if value:
            raise OptionError(f"{loader} does not offer {name}, got {name}={value!r}", NATIVE)
    if not directed or str(getattr(subgraph_type, "value", subgraph_type)) != SubgraphType.directional.value:
        got = "induced" if not directed else getattr(subgraph_type, "value", subgraph_type)
        rule = f"{loader} of a HeteroData offers subgraph_type='directional' only, got {got!r}"
        raise OptionError(rule, NATIVE)
    return HeteroNeighborSampler.from_data(data, num_neighbors)
