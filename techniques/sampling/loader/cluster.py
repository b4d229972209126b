"""Cluster-GCN (Chiang et al., KDD 2019): batches of parts that cut few edges."""

from __future__ import annotations

import copy
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Data
from torch_geometric.loader import ClusterData as NativeClusterData
from torch_geometric.loader.cluster import Partition

from techniques.sampling.kernels import SubgraphKernel, build_csc
from techniques.sampling.loader.graph import cut_attributes, edge_list, require_homogeneous
from techniques.sampling.partition import metis_parts


class ClusterData(NativeClusterData):  # type: ignore[misc]  # PyG is untyped
    """A graph in ``num_parts`` parts by METIS, through pymetis: needs neither pyg-lib nor torch-sparse.

    A drop-in for ``torch_geometric.loader.ClusterData``: the same arguments, attributes and saved files. Only the
    partitioning differs: METIS is given what it asks for, an undirected graph without self-loops, so directed graphs
    and those with loops or isolated nodes are partitioned too. ``torch.manual_seed`` does not change the parts.

    Args:
        data: the graph, with an ``edge_index``.
        num_parts: at least 1.
        recursive: bisect recursively instead of splitting into all parts at once.
        save_dir, filename: keep the partition there, and read it instead of computing it the next time.
        log: say on stderr that a partition is being computed.
        keep_inter_cluster_edges: ``cluster_data[i]`` keeps edges that leave part ``i``.
        sparse_format: how edges are stored, by source or by target.

    Raises:
        OptionError: ``num_parts`` below 1, or ``data`` is not homogeneous.
        GraphError: more edges than METIS can index.
        MissingDependencyError: pymetis is not installed.
    """

    def __init__(
        self,
        data: Data,
        num_parts: int,
        recursive: bool = False,
        save_dir: str | None = None,
        filename: str | None = None,
        log: bool = True,
        keep_inter_cluster_edges: bool = False,
        sparse_format: Literal["csr", "csc"] = "csr",
    ) -> None:
        require_homogeneous(data, "ClusterData")
        with torch.serialization.safe_globals([Partition]):  # saved partitions load as plain tensors, without a warning
            super().__init__(
                data, num_parts, recursive, save_dir, filename, log, keep_inter_cluster_edges, sparse_format
            )

    def _metis(self, edge_index: Tensor, num_nodes: int) -> Tensor:
        colptr, row, _ = build_csc(edge_index.detach().cpu().numpy(), num_nodes)
        parts = metis_parts(colptr, row, self.num_parts, self.recursive)
        return torch.from_numpy(parts.astype(np.int64)).to(edge_index.device)


class ClusterLoader(DataLoader[int]):
    """Batches of ``batch_size`` parts of a :class:`ClusterData`, with the edges inside and between them.

    A drop-in for ``torch_geometric.loader.ClusterLoader``: equal batches, also where a batch has no edges and where
    PyG's would need pandas (from ten million nodes on), in time proportional to the batch's edges.

    Args:
        cluster_data: a partitioned graph, ours or PyG's.
        **kwargs: of ``torch.utils.data.DataLoader``, such as ``batch_size``, ``shuffle`` and ``num_workers``.
    """

    def __init__(self, cluster_data: NativeClusterData, **kwargs: Any) -> None:
        for name in ("dataset", "collate_fn"):  # PyTorch Lightning passes these when it builds anew
            kwargs.pop(name, None)
        self.cluster_data = cluster_data
        partition = cluster_data.partition
        # Copies: a tensor's memory moves when it is sent to a spawned worker, and leaves a view of it dangling.
        pointer, index = partition.indptr.cpu().numpy().copy(), partition.index.cpu().numpy().astype(np.int32)
        self.kernel = SubgraphKernel(pointer, index, len(pointer) - 1)
        self.kernel.induced(np.empty(0, np.int64), with_edge=True)  # compiles here, and not again in every worker
        parts: Any = range(len(cluster_data))
        super().__init__(parts, collate_fn=self._collate, **kwargs)

    def _collate(self, parts: list[int]) -> Data:
        ends, data = self.cluster_data.partition.partptr.tolist(), self.cluster_data.data
        node = torch.cat([torch.arange(ends[part], ends[part + 1]) for part in parts])
        subgraph = self.kernel.induced(node.numpy(), with_edge=True)
        assert subgraph.edge is not None
        out = copy.copy(data)
        for name, value in cut_attributes(data, node, torch.from_numpy(subgraph.edge)):
            out[name] = value
        if "num_nodes" in data:
            out.num_nodes = len(node)
        edge_index = edge_list(subgraph)
        # The kernel groups edges by what it takes for the target; in compressed rows that is the source.
        out.edge_index = edge_index.flip(0) if self.cluster_data.partition.sparse_format == "csr" else edge_index
        return out
