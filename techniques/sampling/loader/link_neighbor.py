"""Batches of seed edges, with negatives, and a few neighbours per hop around their ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.loader import LinkLoader
from torch_geometric.sampler import BaseSampler, NegativeSampling
from torch_geometric.sampler.base import SubgraphType

from techniques.sampling.loader.sampler import make_sampler, refuse_time


class LinkNeighborLoader(LinkLoader):  # type: ignore[misc]  # PyG is untyped
    """Neighbour sampling around the ends of seed edges and of negatives, without pyg-lib or torch-sparse.

    A drop-in for ``torch_geometric.loader.LinkNeighborLoader``, for homogeneous graphs: the same arguments and the same
    attributes in a batch (``edge_label_index`` and ``edge_label``, or ``src_index``, ``dst_pos_index`` and
    ``dst_neg_index``; ``input_id``, ``n_id``, ``e_id``, ``num_sampled_nodes``, ``num_sampled_edges`` and those of
    ``data``). As in PyG, the seed edges themselves may be among the sampled ones, and negatives may hold edges.
    ``torch.manual_seed`` repeats an epoch for a given number of workers.

    Args:
        data: the graph to sample neighbours from, with an ``edge_index``.
        num_neighbors: in-edges to keep per node, hop by hop; -1 keeps all.
        edge_label_index: seed edges ``[2, S]``; None for all edges of the graph.
        edge_label: ``[S]``, their labels; not with triplets.
        edge_label_time, temporal_strategy, time_attr, weight_attr, replace, disjoint: not offered; only their defaults.
        subgraph_type: ``directional``, ``bidirectional`` or ``induced``, see :class:`NeighborLoader`.
        neg_sampling: PyG's ``NegativeSampling``, or what it is made of: ``"binary"``, ``dict(mode="triplet", amount=2)``.
        neg_sampling_ratio: the same as ``NegativeSampling("binary", ratio)``.
        transform, transform_sampler_output, is_sorted, filter_per_worker, neighbor_sampler, directed: see
            :class:`NeighborLoader`.
        **kwargs: of ``torch.utils.data.DataLoader``, such as ``batch_size``, ``shuffle`` and ``num_workers``.

    Raises:
        OptionError: an argument that is not offered, or ``data`` is not homogeneous.
        GraphError: ``data`` has no ``edge_index``.
        ValueError: ``num_neighbors`` that is empty or has an entry below -1; ``edge_label`` with triplets.
    """

    def __init__(
        self,
        data: Data,
        num_neighbors: Sequence[int],
        edge_label_index: Tensor | None = None,
        edge_label: Tensor | None = None,
        edge_label_time: Tensor | None = None,
        replace: bool = False,
        subgraph_type: SubgraphType | str = "directional",
        disjoint: bool = False,
        temporal_strategy: str = "uniform",
        neg_sampling: NegativeSampling | str | dict[str, Any] | None = None,
        neg_sampling_ratio: float | None = None,
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
        refuse_time(name, edge_label_time=edge_label_time, temporal_strategy=temporal_strategy, time_attr=time_attr)
        if neighbor_sampler is None:
            neighbor_sampler = make_sampler(
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
            link_sampler=neighbor_sampler,
            edge_label_index=edge_label_index,
            edge_label=edge_label,
            neg_sampling=neg_sampling,
            neg_sampling_ratio=neg_sampling_ratio,
            transform=transform,
            transform_sampler_output=transform_sampler_output,
            filter_per_worker=filter_per_worker,
            **kwargs,
        )
