"""The typed neighbour kernel behind PyG's public sampler interface: drives PyG's own NodeLoader on a bare install."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.sampler import BaseSampler, EdgeSamplerInput, HeteroSamplerOutput, NodeSamplerInput

from techniques.errors import GraphError
from techniques.sampling.kernels import build_csc
from techniques.sampling.kernels.hetero_neighbor import HeteroNeighborKernel, TypedEdges

EdgeType = tuple[str, str, str]
NumNeighbors = Sequence[int] | Mapping[EdgeType, Sequence[int]]


class HeteroNeighborSampler(BaseSampler):  # type: ignore[misc]  # PyG is untyped
    """Multi-hop neighbour sampling by edge type, without replacement and without pyg-lib or torch-sparse.

    A drop-in for the sampler inside PyG's NeighborLoader, for heterogeneous graphs::

        sampler = HeteroNeighborSampler.from_data(data, num_neighbors=[15, 10])
        loader = NodeLoader(data, sampler, input_nodes=("paper", data["paper"].train_mask), batch_size=1024)

    Hop by hop, every node found last keeps ``num_neighbors`` in-edges of each edge type that leads to it. Each batch draws
    one number from torch's random generator, so ``torch.manual_seed`` makes an epoch repeatable for a given number of
    workers.

    Args:
        node_types: names of the node types.
        edge_types: (source, relation, target) of the edge types.
        kernel: samples from the edges, in the order of both.
        num_neighbors: in-edges to keep per node, hop by hop, for all edge types or by edge type; -1 keeps all.
        permutations: where each edge of the kernel stands in the data's own ``edge_index``, by edge type.

    Raises:
        ValueError: ``num_neighbors`` that is empty, lacks an edge type, differs in hops, or has an entry below -1.
    """

    def __init__(
        self,
        node_types: Sequence[str],
        edge_types: Sequence[EdgeType],
        kernel: HeteroNeighborKernel,
        num_neighbors: NumNeighbors,
        permutations: Mapping[EdgeType, Tensor] | None = None,
    ) -> None:
        self.node_types, self.edge_types, self.kernel = tuple(node_types), tuple(edge_types), kernel
        self.num_neighbors = num_neighbors
        self._fanouts = fanouts_by_hop(num_neighbors, self.edge_types)
        self._perm = None if permutations is None else dict(permutations)
        self._sample({}, 0)  # compiles here, once, and not again in every worker

    @classmethod
    def from_data(cls, data: HeteroData, num_neighbors: NumNeighbors) -> HeteroNeighborSampler:
        """Sort the edges of every edge type by target once, and sample from those.

        Raises:
            GraphError: an edge type without an ``edge_index``, or whose ends are no node types.
            ValueError: as in the class, or node ids outside their type.
        """
        node_types, edge_types = list(data.node_types), list(data.edge_types)
        if not node_types or not edge_types:
            raise GraphError(
                f"data must have node and edge types to sample from, got {len(node_types)} and {len(edge_types)}",
                "Set edge_index for every edge type, and x or num_nodes for every node type",
            )
        place = {name: number for number, name in enumerate(node_types)}
        sizes = [int(data[name].num_nodes or 0) for name in node_types]
        edges, permutations = [], {}
        for key in edge_types:
            missing = [name for name in (key[0], key[2]) if name not in place]
            if missing or "edge_index" not in data[key]:
                what = f"node type {missing[0]}" if missing else "edge_index"
                raise GraphError(f"edge type {'|'.join(key)} has no {what}", f"Set it, or delete data[{key}]")
            colptr, row, perm = sorted_columns(data[key].edge_index, sizes[place[key[0]]], sizes[place[key[2]]])
            edges.append(TypedEdges(place[key[0]], place[key[2]], colptr, row))
            permutations[key] = torch.from_numpy(perm)
        return cls(node_types, edge_types, HeteroNeighborKernel(sizes, edges), num_neighbors, permutations)

    @property
    def edge_permutation(self) -> dict[EdgeType, Tensor] | None:
        """Where each sampled edge position stands in the data's own ``edge_index``, int64 by edge type."""
        return self._perm

    def sample_from_nodes(self, inputs: NodeSamplerInput, *, seed: int | None = None) -> HeteroSamplerOutput:
        """Sample around ``inputs.node`` of type ``inputs.input_type``; repeated seeds are kept.

        Args:
            inputs: seed nodes, their type, and their places in the loader's input.
            seed: of this batch; by default drawn from torch's generator.

        Raises:
            NotImplementedError: seeds with timestamps.
            ValueError: an unknown node type, or a seed node outside it.
        """
        if inputs.time is not None:
            raise NotImplementedError("HeteroNeighborSampler does not sample by time: leave input_time unset")
        if inputs.input_type not in self.node_types:
            names = ", ".join(self.node_types)
            raise ValueError(f"input_nodes must be (node type, nodes), one of {names}, got {inputs.input_type!r}")
        if seed is None:
            seed = int(torch.randint(2**63 - 1, (1,)))
        out = self._sample({self.node_types.index(inputs.input_type): inputs.node.numpy()}, seed)
        out.metadata = (inputs.input_id, inputs.time)
        return out

    def sample_from_edges(self, inputs: EdgeSamplerInput, neg_sampling: Any = None) -> HeteroSamplerOutput:
        """Not offered."""
        raise NotImplementedError("HeteroNeighborSampler samples around nodes of one type")

    def _sample(self, seeds: dict[int, NDArray[np.int64]], seed: int) -> HeteroSamplerOutput:
        hops = self.kernel.sample(seeds, self._fanouts, seed, with_edge=True)
        assert hops.edge is not None
        keys = list(enumerate(self.edge_types))
        return HeteroSamplerOutput(
            node={name: torch.from_numpy(hops.node[number]) for number, name in enumerate(self.node_types)},
            row={key: torch.from_numpy(hops.col_source[number]) for number, key in keys},
            col={key: torch.from_numpy(hops.col_target(number)) for number, key in keys},
            edge={key: torch.from_numpy(hops.edge[number]) for number, key in keys},
            num_sampled_nodes=dict(zip(self.node_types, hops.num_sampled_nodes, strict=True)),
            num_sampled_edges=dict(zip(self.edge_types, hops.num_sampled_edges, strict=True)),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_neighbors={self.num_neighbors})"


def fanouts_by_hop(num_neighbors: NumNeighbors, edge_types: Sequence[EdgeType]) -> list[list[int]]:
    """In-edges per node: for each hop, one number for every edge type.

    Raises:
        ValueError: no hops, an edge type too many or too few, hops that differ, or something other than whole numbers.
    """
    if not isinstance(num_neighbors, Mapping):
        num_neighbors = {key: list(num_neighbors) for key in edge_types}
    unknown = [key for key in num_neighbors if key not in edge_types]
    missing = [key for key in edge_types if key not in num_neighbors]
    if unknown or missing:
        what = f"names {unknown[0]}, which is none" if unknown else f"lacks {missing[0]}"
        raise ValueError(f"num_neighbors must name every edge type; it {what}")
    hops = {len(one) for one in num_neighbors.values()}
    if len(hops) > 1 or hops <= {0}:
        raise ValueError(f"num_neighbors must name at least one hop, as many for all edge types, got {num_neighbors}")
    return [[num_neighbors[key][hop] for key in edge_types] for hop in range(hops.pop())]


def sorted_columns(edge_index: Tensor, sources: int, targets: int) -> tuple[Any, Any, Any]:
    """Edges [2, E] between two node types by target: pointers [targets + 1], sources, and where each edge stood."""
    edges = edge_index.detach().cpu().numpy()
    if edges.size and int(edges[1].max()) >= targets:
        raise ValueError(f"edge_index must hold target ids from 0 to {targets - 1}, got {int(edges[1].max())}")
    if edges.size and int(edges[0].max()) >= sources:
        raise ValueError(f"edge_index must hold source ids from 0 to {sources - 1}, got {int(edges[0].max())}")
    # The counting sort wants ids of one range: that of the larger type, whose surplus targets have no edges.
    colptr, row, perm = build_csc(edges, max(sources, targets), with_permutation=True)
    return np.ascontiguousarray(colptr[: targets + 1]), row, perm
