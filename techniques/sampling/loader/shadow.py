"""ShaDow (Zeng et al., NeurIPS 2021): a deep network on the small subgraph around each root."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Batch, Data

from techniques.errors import OptionError
from techniques.sampling.kernels import ShadowKernel
from techniques.sampling.loader.graph import batch_seed, cut_attributes, edge_list, sort_edges


class ShaDowKHopSampler(DataLoader[int]):
    r"""Ego graphs of `"Decoupling the Depth and Scope of Graph Neural Networks" <https://arxiv.org/abs/2201.07858>`_.

    A drop-in for ``torch_geometric.loader.ShaDowKHopSampler``, without torch-sparse. A batch is a ``Batch`` of one
    disjoint subgraph per root: the subgraph induced by what ``depth`` hops of neighbour sampling find. It has
    ``batch`` (the ego graph of every node), ``ptr`` (where the nodes of each begin), ``root_n_id`` (the place of each
    root among the nodes), ``edge_index``, labels ``y`` of the roots, and the other attributes of ``data`` cut to the
    nodes and edges. Edges are grouped by target.

    Args:
        data: the graph, homogeneous, with an ``edge_index``.
        depth: hops, at least 1.
        num_neighbors: in-neighbours to sample per node and hop; -1 takes all.
        node_idx: roots, ids or a mask; None for all nodes.
        replace: sample neighbours with replacement.
        **kwargs: of ``torch.utils.data.DataLoader``, such as ``batch_size`` and ``shuffle``.

    Raises:
        OptionError: ``depth`` below 1, ``num_neighbors`` below -1, or ``data`` is not homogeneous.
        GraphError: ``data`` has no ``edge_index``.
        ValueError: while iterating, a root outside the graph.
    """

    def __init__(
        self,
        data: Data,
        depth: int,
        num_neighbors: int,
        node_idx: Tensor | None = None,
        replace: bool = False,
        **kwargs: Any,
    ) -> None:
        if depth < 1:
            raise OptionError(f"depth must be at least 1, got {depth}", "Ask for 1 or more hops")
        if num_neighbors < -1:
            raise OptionError(f"num_neighbors must be at least 0, or -1 for all, got {num_neighbors}", "Raise it")
        for name in ("dataset", "collate_fn"):  # PyTorch Lightning passes these when it builds anew
            kwargs.pop(name, None)
        self.edges = sort_edges(data, "ShaDowKHopSampler")
        self.kernel = ShadowKernel(self.edges.colptr, self.edges.row, self.edges.num_nodes)
        self.data = copy.copy(data)
        self.depth, self.num_neighbors, self.replace = depth, num_neighbors, replace
        self.node_idx = _roots(node_idx, data.num_nodes)
        self._sample(self.node_idx[:0], 0)  # compiles here, and not again in every worker
        places: Any = range(len(self.node_idx))
        super().__init__(places, collate_fn=self._collate, **kwargs)

    def _sample(self, root: Tensor, seed: int) -> Any:
        return self.kernel.sample(
            root.numpy(), self.depth, self.num_neighbors, seed, replace=self.replace, with_edge=True
        )

    def _collate(self, places: list[int]) -> Batch:
        ego = self._sample(self.node_idx[places], batch_seed())
        ptr, node = torch.from_numpy(ego.node_ptr), torch.from_numpy(ego.node)
        owner = torch.repeat_interleave(ptr.diff(), output_size=len(node))
        batch = Batch(batch=owner, ptr=ptr)
        batch.root_n_id = torch.from_numpy(ego.root)
        batch.edge_index = edge_list(ego)
        for name, value in cut_attributes(self.data, node, self.edges.positions(ego.edge)):
            if name == "y" and self.data.is_node_attr("y"):
                value = value[batch.root_n_id]
            if name not in ("batch", "ptr"):
                batch[name] = value
        return batch


def _roots(node_idx: Tensor | None, num_nodes: int) -> Tensor:
    if node_idx is None:
        return torch.arange(num_nodes)
    node_idx = torch.as_tensor(node_idx).cpu()
    return node_idx.nonzero().view(-1) if node_idx.dtype == torch.bool else node_idx
