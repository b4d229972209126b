"""The sampler behind the neighbour loaders: one class per kind of subgraph, and what is not offered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data
from torch_geometric.sampler import SamplerOutput
from torch_geometric.sampler.base import SubgraphType

from techniques.errors import GraphError, OptionError
from techniques.sampling.kernels import SubgraphKernel
from techniques.sampling.link_sampler import LinkNeighborSampler
from techniques.sampling.loader.graph import require_homogeneous
from techniques.sampling.neighbor_sampler import Ids

NATIVE = "Leave it unset, or use torch_geometric.loader with pyg-lib installed"


class BidirectionalSampler(LinkNeighborSampler):
    """Adds the reverse of every sampled edge, with the attributes of the edge that was sampled."""

    def _sample(self, seeds: NDArray[np.int64], seed: int) -> SamplerOutput:
        return super()._sample(seeds, seed).to_bidirectional()


class InducedSampler(LinkNeighborSampler):
    """Takes all edges of the graph between the sampled nodes."""

    def __init__(
        self,
        colptr: Ids,
        row: Ids,
        perm: Ids | None,
        num_nodes: int,
        num_neighbors: Sequence[int],
        *,
        return_edge_id: bool = True,
    ) -> None:
        self.subgraph = SubgraphKernel(np.asarray(colptr), np.asarray(row), num_nodes)
        super().__init__(colptr, row, perm, num_nodes, num_neighbors, return_edge_id=return_edge_id)

    def _sample(self, seeds: NDArray[np.int64], seed: int) -> SamplerOutput:
        if len(np.unique(seeds)) < len(seeds):
            rule = f"an induced subgraph needs distinct seed nodes, got {len(seeds)} seeds, some of them repeated"
            raise OptionError(rule, 'Set subgraph_type="directional", or sample seeds without replacement')
        hops = self.kernel.sample(seeds, self.num_neighbors, seed)
        subgraph = self.subgraph.induced(hops.node, with_edge=True)
        source, target = torch.from_numpy(subgraph.col_source), torch.from_numpy(subgraph.col_target())
        assert subgraph.edge is not None
        return SamplerOutput(torch.from_numpy(hops.node), source, target, torch.from_numpy(subgraph.edge))


SAMPLERS: dict[SubgraphType, type[LinkNeighborSampler]] = {
    SubgraphType.directional: LinkNeighborSampler,
    SubgraphType.bidirectional: BidirectionalSampler,
    SubgraphType.induced: InducedSampler,
}


def make_sampler(
    loader: str,
    data: Data,
    num_neighbors: Sequence[int],
    *,
    subgraph_type: SubgraphType | str,
    directed: bool,
    replace: bool,
    disjoint: bool,
    weight_attr: str | None,
) -> LinkNeighborSampler:
    """The sampler that ``loader`` needs for ``data``.

    Raises:
        OptionError: an argument that asks for what is not offered, or an unknown ``subgraph_type``.
        GraphError: ``data`` has no ``edge_index``.
        ValueError: ``num_neighbors`` that is empty or has an entry below -1.
    """
    require_homogeneous(data, loader)
    if data.edge_index is None:
        raise GraphError(f"{loader} needs data.edge_index, got none", "Convert adj_t by ToEdgeIndex or adj_t.coo()")
    for name, value in {"replace": replace, "disjoint": disjoint, "weight_attr": weight_attr}.items():
        if value:
            raise OptionError(f"{loader} does not offer {name}, got {name}={value!r}", NATIVE)
    if isinstance(num_neighbors, dict):
        raise OptionError(f"num_neighbors must be a list, one entry per hop, got {num_neighbors}", "Give a list")
    try:
        kind = SubgraphType(subgraph_type) if directed else SubgraphType.induced
    except ValueError as error:
        names = ", ".join(kind.value for kind in SubgraphType)
        raise OptionError(f"subgraph_type must be one of {names}, got {subgraph_type!r}", "Choose one") from error
    sampler = SAMPLERS[kind].from_data(data, num_neighbors)
    assert isinstance(sampler, LinkNeighborSampler)
    return sampler


def refuse_time(loader: str, **arguments: Any) -> None:
    """Raises OptionError for any argument of temporal sampling that is set."""
    for name, value in arguments.items():
        if value is not None and value != "uniform":
            raise OptionError(f"{loader} does not sample by time, got {name}={value!r}", NATIVE)
