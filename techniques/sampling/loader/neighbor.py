"""Batches of seed nodes with a few neighbours per hop (Hamilton et al., NeurIPS 2017, arXiv:1706.02216)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.loader import NodeLoader
from torch_geometric.sampler import BaseSampler
from torch_geometric.sampler.base import SubgraphType

from techniques.sampling.hetero_sampler import NumNeighbors
from techniques.sampling.loader.hetero_sampler import make_hetero_sampler
from techniques.sampling.loader.sampler import make_sampler, refuse_time


class NeighborLoader(NodeLoader):  # type: ignore[misc]  # PyG is untyped
    """Neighbour sampling around seed nodes, without pyg-lib or torch-sparse.

    A drop-in for ``torch_geometric.loader.NeighborLoader``: the same arguments, and the same attributes in a batch (``n_id``, ``e_id``, ``input_id``, ``batch_size``, ``num_sampled_nodes``, ``num_sampled_edges``
    and those of ``data``, cut to its nodes and edges). ``torch.manual_seed`` repeats an epoch for a given number of
    workers.

    Args:
        data: the graph, with an ``edge_index``; a ``HeteroData`` with one for every edge type.
        num_neighbors: in-edges to keep per node, hop by hop; -1 keeps all. For a ``HeteroData`` these hold for every
            edge type, or are given by edge type.
        input_nodes: seeds, ids or a mask; None for all nodes. For a ``HeteroData`` (node type, ids or mask).
        input_time, temporal_strategy, time_attr, weight_attr, replace, disjoint: not offered; only their defaults.
        subgraph_type: ``directional`` (what was sampled), ``bidirectional`` (and reversed edges) or ``induced`` (all
            edges between the sampled nodes).
        transform: applied to every batch.
        transform_sampler_output: applied to the sampler's output before attributes are cut.
        is_sorted: accepted; sorting sorted edges again changes nothing.
        filter_per_worker: cut attributes in the workers; None decides by where ``data`` lives.
        neighbor_sampler: draw with this instead of a new one, for example one that another loader made.
        directed: False means ``subgraph_type="induced"``, as in older releases of PyG.
        **kwargs: of ``torch.utils.data.DataLoader``, such as ``batch_size``, ``shuffle``, ``num_workers`` and
            ``sampler=ImbalancedSampler(...)``.

    Raises:
        OptionError: an argument that is not offered, or ``data`` is not homogeneous.
        GraphError: ``data`` has no ``edge_index``.
        ValueError: ``num_neighbors`` that is empty or has an entry below -1.
    """

    def __init__(
        self,
        data: Data | HeteroData,
        num_neighbors: NumNeighbors,
        input_nodes: Any = None,
        input_time: Tensor | None = None,
        replace: bool = False,
        subgraph_type: SubgraphType | str = "directional",
        disjoint: bool = False,
        temporal_strategy: str = "uniform",
        time_attr: str | None = None,
        weight_attr: str | None = None,
        transform: Callable[..., Any] | None = None,
        transform_sampler_output: Callable[..., Any] | None = None,
        is_sorted: bool = False,
        filter_per_worker: bool | None = None,
        neighbor_sampler: BaseSampler | None = None,
        directed: bool = True,
        **kwargs: Any,
    ) -> None:
        name = type(self).__name__
        refuse_time(name, input_time=input_time, temporal_strategy=temporal_strategy, time_attr=time_attr)
        if neighbor_sampler is None:
            make: Any = make_hetero_sampler if isinstance(data, HeteroData) else make_sampler
            neighbor_sampler = make(
                name,
                data,
                num_neighbors,
                subgraph_type=subgraph_type,
                directed=directed,
                replace=replace,
                disjoint=disjoint,
                weight_attr=weight_attr,
            )
        super().__init__(
            data=data,
            node_sampler=neighbor_sampler,
            input_nodes=input_nodes,
            transform=transform,
            transform_sampler_output=transform_sampler_output,
            filter_per_worker=filter_per_worker,
            **kwargs,
        )
