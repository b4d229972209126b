"""The neighbour kernel behind PyG's public sampler interface: drives PyG's own NodeLoader on a bare install."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.sampler import BaseSampler, EdgeSamplerInput, NodeSamplerInput, SamplerOutput

from techniques.sampling.kernels import NeighborKernel, build_csc
from techniques.sampling.kernels.machine_code import IntArray

Ids = IntArray | Tensor


class NeighborSampler(BaseSampler):  # type: ignore[misc]  # PyG is untyped
    r"""Multi-hop neighbour sampling without replacement, from `"Inductive Representation Learning on Large Graphs"
    <https://arxiv.org/abs/1706.02216>`_ (Hamilton et al., 2017), without pyg-lib or torch-sparse.

    A drop-in for the sampler inside PyG's NeighborLoader, for homogeneous graphs::

        sampler = NeighborSampler.from_data(data, num_neighbors=[15, 10, 5])
        loader = NodeLoader(data, sampler, input_nodes=data.train_mask, batch_size=1024, shuffle=True)

    Each batch draws one number from torch's random generator, so ``torch.manual_seed`` makes an epoch repeatable for a
    given number of workers. Threads and forked workers share the graph and keep scratch of their own; workers that are
    spawned each receive a copy of arrays held in memory.

    Args:
        colptr: int64 ``[n + 1]``, where the in-edges of each node begin.
        row: int32 or int64 ``[E]``, their sources.
        perm: int64 ``[E]``, where each of those edges stands in the data's own ``edge_index``; None if in place.
        num_nodes: number of nodes ``n``.
        num_neighbors: in-edges to keep per node, hop by hop; -1 keeps all.
        return_edge_id: return edge positions. Without them a batch has neither ``e_id`` nor edge attributes.

    Raises:
        ValueError: arrays that do not fit each other, an empty ``num_neighbors``, or an entry below -1.
    """

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
        if not isinstance(num_neighbors, (list, tuple)) or not all(
            isinstance(count, (int, np.integer)) for count in num_neighbors
        ):
            raise ValueError(f"num_neighbors must be a list of whole numbers, one per hop, got {num_neighbors!r:.80}")
        if len(num_neighbors) == 0:
            raise ValueError("num_neighbors must name at least one hop, got none")
        self.kernel = NeighborKernel(_as_array(colptr), _as_array(row), num_nodes)
        if perm is not None and len(perm) != len(row):
            raise ValueError(f"perm must have the {len(row)} entries of row, got {len(perm)}")
        self.num_neighbors = list(num_neighbors)
        self.return_edge_id = return_edge_id
        self._perm = torch.as_tensor(perm) if perm is not None else None
        self._sample(np.empty(0, np.int64), 0)  # compiles here, once, and not again in every worker

    @classmethod
    def from_data(cls, data: Data, num_neighbors: Sequence[int], *, return_edge_id: bool = True) -> NeighborSampler:
        """Sort the edges of ``data.edge_index`` by target once, and sample from those.

        Raises:
            ValueError: ``data`` has no ``edge_index`` (an ``adj_t`` is not read), or as in the class.
        """
        if data.edge_index is None:
            raise ValueError("data must have an edge_index to sample from, got none")
        edge_index = data.edge_index.detach().cpu().numpy()
        colptr, row, perm = build_csc(edge_index, data.num_nodes, with_permutation=return_edge_id)
        return cls(colptr, row, perm, data.num_nodes, num_neighbors, return_edge_id=return_edge_id)

    @property
    def edge_permutation(self) -> Tensor | None:
        """Where each sampled edge position stands in the data's own ``edge_index``, int64 ``[E]``."""
        return self._perm

    def sample_from_nodes(self, inputs: NodeSamplerInput, *, seed: int | None = None) -> SamplerOutput:
        """Sample around ``inputs.node``; repeated seeds (as an ImbalancedSampler draws) are kept.

        Args:
            inputs: seed nodes and their places in the loader's input.
            seed: of this batch; by default drawn from torch's generator.

        Raises:
            NotImplementedError: seeds with timestamps.
            ValueError: a seed node outside the graph.
        """
        if inputs.time is not None:
            raise NotImplementedError("NeighborSampler does not sample by time: leave input_time unset")
        if seed is None:
            seed = int(torch.randint(2**63 - 1, (1,)))
        out = self._sample(inputs.node.numpy(), seed)
        out.metadata = (inputs.input_id, inputs.time)
        return out

    def sample_from_edges(self, inputs: EdgeSamplerInput, neg_sampling: Any = None) -> SamplerOutput:
        """Not offered."""
        raise NotImplementedError("NeighborSampler samples around nodes; use a link sampler for seed edges")

    def _sample(self, seeds: NDArray[np.int64], seed: int) -> SamplerOutput:
        hops = self.kernel.sample(seeds, self.num_neighbors, seed, with_edge=self.return_edge_id)
        return SamplerOutput(
            node=torch.from_numpy(hops.node),
            row=torch.from_numpy(hops.col_source),
            col=torch.from_numpy(hops.col_target()),
            edge=torch.from_numpy(hops.edge) if hops.edge is not None else None,
            num_sampled_nodes=hops.num_sampled_nodes,
            num_sampled_edges=hops.num_sampled_edges,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_neighbors={self.num_neighbors})"


def _as_array(ids: Ids) -> IntArray:
    return ids.detach().cpu().numpy() if isinstance(ids, Tensor) else ids
