"""Neighbour sampling around the two ends of seed edges, with negative edges: what drives PyG's own LinkLoader."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.sampler import EdgeSamplerInput, SamplerOutput

from techniques.sampling.negative import negative_edges, negative_nodes
from techniques.sampling.neighbor_sampler import NeighborSampler


class LinkNeighborSampler(NeighborSampler):
    """Samples around nodes, as :class:`NeighborSampler` does, and around edges.

    A drop-in for the sampler inside PyG's LinkNeighborLoader, for homogeneous graphs::

        sampler = LinkNeighborSampler.from_data(data, num_neighbors=[10, 5])
        loader = LinkLoader(data, sampler, edge_label_index=train_edges, neg_sampling="binary", batch_size=1024)

    Arguments and errors are those of :class:`NeighborSampler`.
    """

    def sample_from_edges(
        self, inputs: EdgeSamplerInput, neg_sampling: Any = None, *, seed: int | None = None
    ) -> SamplerOutput:
        """Sample around both ends of the edges ``inputs.row -> inputs.col`` and of random negatives.

        Nodes begin with the distinct ends, in ascending order. Negatives may hold edges of the graph, as in PyG.

        Args:
            inputs: seed edges, their places in the loader's input, and labels where there are any.
            neg_sampling: PyG's ``NegativeSampling``. ``binary`` appends ``ceil(amount * edges)`` random pairs, labelled
                0; ``triplet`` draws ``amount`` negative targets for every source.
            seed: of this batch's negatives and neighbours; by default drawn from torch's generator.

        Returns:
            The neighbourhood. Its ``metadata`` are the places, the ends' local ids, labels and None, in the layout that
            ``LinkLoader`` expects of the mode.

        Raises:
            NotImplementedError: seed edges with timestamps.
            ValueError: an end outside the graph, or unusable weights.
        """
        if inputs.time is not None:
            raise NotImplementedError("LinkNeighborSampler does not sample by time: leave edge_label_time unset")
        if seed is None:
            seed = int(torch.randint(2**63 - 1, (1,)))
        source, target = inputs.row.long(), inputs.col.long()
        source_negative, target_negative = _negatives(source.numel(), neg_sampling, self.kernel.num_nodes, seed)
        ends = torch.cat([source, source_negative, target, target_negative])
        node, inverse = np.unique(ends.numpy(), return_inverse=True)
        out, place = self._sample(node, seed), torch.from_numpy(inverse)
        if neg_sampling is not None and neg_sampling.is_triplet():
            out.metadata = (inputs.input_id, *_triplets(place, source.numel()), None)
        else:
            label = _labels(inputs.label, source.numel(), source_negative.numel(), neg_sampling)
            out.metadata = (inputs.input_id, place.view(2, -1), label, None)
        return out


def _negatives(num_edges: int, neg_sampling: Any, num_nodes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Sources and targets of the negatives; no sources for triplets, which keep theirs."""
    none = torch.empty(0, dtype=torch.int64)
    if neg_sampling is None:
        return none, none
    count = math.ceil(num_edges * neg_sampling.amount)
    if neg_sampling.is_triplet():
        return none, torch.from_numpy(negative_nodes(num_nodes, count, seed, weight=neg_sampling.dst_weight))
    pairs = negative_edges(
        num_nodes, count, seed, src_weight=neg_sampling.src_weight, dst_weight=neg_sampling.dst_weight
    )
    source, target = torch.from_numpy(pairs)
    return source, target


def _triplets(place: Tensor, num_edges: int) -> tuple[Tensor, Tensor, Tensor]:
    source, positive, negative = place[:num_edges], place[num_edges : 2 * num_edges], place[2 * num_edges :]
    return source, positive, negative.view(num_edges, -1).squeeze(-1)


def _labels(label: Tensor | None, num_edges: int, num_negative: int, neg_sampling: Any) -> Tensor | None:
    """LinkLoader has raised the given labels by one already, so that 0 means "no edge"."""
    if neg_sampling is None:
        return label
    if label is None:
        label = torch.ones(num_edges)
    return torch.cat([label, label.new_zeros((num_negative, *label.shape[1:]))])
