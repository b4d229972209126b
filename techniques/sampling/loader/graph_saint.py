"""GraphSAINT (Zeng et al., ICLR 2020): subgraphs of sampled nodes, and the weights that undo the sampling's bias."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Data

from techniques.errors import GraphError, OptionError
from techniques.sampling.kernels import SaintCounts, Subgraph, SubgraphKernel, saint_edges, saint_nodes, saint_walks
from techniques.sampling.loader.graph import batch_seed, cut_attributes, edge_list, sort_edges


class GraphSAINTSampler(DataLoader[int]):
    """What GraphSAINT's three samplers share; a drop-in for PyG's class of this name, without torch-sparse.

    A batch is the subgraph that the sampled nodes induce, nodes ascending, with the attributes of ``data`` and, with
    ``sample_coverage``, two more: ``node_norm`` weighs a node's loss by 1 over how often it is sampled, ``edge_norm``
    an edge's message (section 3.2 of the paper). Three differences to PyG: what presampling never saw
    counts as seen once (PyG lets an unseen edge weigh 1e4); edges are grouped by target; and
    ``edge_norm`` is the paper's count of the edge's target over that of the edge, which makes the aggregate unbiased,
    where PyG counts the source.

    Args:
        data: the graph, homogeneous and on the CPU.
        batch_size: draws per batch: nodes, edges or walks.
        num_steps: batches per epoch.
        sample_coverage: samples per node, on average, to estimate the norms from before training; 0 for no norms.
        save_dir: keep the norms there and read them the next time; None for neither. Not checked against the graph
            beyond its size.
        log: say on stderr that norms are being estimated.
        **kwargs: of ``torch.utils.data.DataLoader``, such as ``num_workers``.

    Raises:
        OptionError: a count below 1 (``sample_coverage``: below 0), or ``data`` is not homogeneous.
        GraphError: no ``edge_index``, no edges, norms in ``data`` already, or saved ones of another graph.
    """

    def __init__(
        self,
        data: Data,
        batch_size: int,
        num_steps: int = 1,
        sample_coverage: int = 0,
        save_dir: str | None = None,
        log: bool = True,
        **kwargs: Any,
    ) -> None:
        for name in ("dataset", "collate_fn"):  # PyTorch Lightning passes these when it builds anew
            kwargs.pop(name, None)
        self.edges = sort_edges(data, type(self).__name__)
        self._require(data, batch_size=batch_size, num_steps=num_steps, sample_coverage=sample_coverage + 1)
        self.data, self._batch_size = data, batch_size
        self.num_steps, self.sample_coverage, self.save_dir, self.log = num_steps, sample_coverage, save_dir, log
        self.kernel = SubgraphKernel(self.edges.colptr, self.edges.row, self.edges.num_nodes)
        self._sample(0)  # compiles here, and not again in every worker
        steps: Any = range(num_steps)
        super().__init__(steps, batch_size=1, collate_fn=self._collate, **kwargs)
        if sample_coverage > 0:
            self.node_norm, self.edge_norm = self._norms()

    def _require(self, data: Data, **counts: int) -> None:
        for name, count in counts.items():
            if count < 1:
                least = 0 if name == "sample_coverage" else 1
                raise OptionError(f"{name} must be at least {least}, got {count + least - 1}", f"Raise {name}")
        if len(self.edges.row) == 0:
            raise GraphError(f"{type(self).__name__} draws along edges, got none", "Use RandomNodeLoader")
        for name in ("node_norm", "edge_norm"):
            if name in data:
                raise GraphError(f"data must not have {name}, which batches will have", f"Remove it: del data.{name}")

    def _draw(self, seed: int) -> NDArray[np.int64]:
        """Distinct nodes of one batch."""
        raise NotImplementedError

    def _sample(self, seed: int) -> Subgraph:
        return self.kernel.induced(np.sort(self._draw(seed)), with_edge=True)

    def _collate(self, _step: list[int]) -> Data:
        subgraph = self._sample(batch_seed())
        node, edge = torch.from_numpy(subgraph.node), self.edges.positions(subgraph.edge)
        out = self.data.__class__()
        out.num_nodes = len(node)
        out.edge_index = edge_list(subgraph)
        for name, value in cut_attributes(self.data, node, edge):
            out[name] = value
        if self.sample_coverage > 0:
            out.node_norm, out.edge_norm = self.node_norm[node], self.edge_norm[edge]
        return out

    @property
    def _filename(self) -> str:
        return f"{type(self).__name__.lower()}_{self._batch_size}_{self.sample_coverage}.pt"

    def _norms(self) -> tuple[Tensor, Tensor]:
        path = Path(self.save_dir or "") / self._filename
        if self.save_dir is not None and path.exists():
            node_norm, edge_norm = torch.load(path, weights_only=True)
            if (len(node_norm), len(edge_norm)) != (self.edges.num_nodes, len(self.edges.row)):
                found = f"norms in {path} must be of this graph, got {len(node_norm)} nodes and {len(edge_norm)} edges"
                raise GraphError(found, "Remove the file, or name another save_dir")
            return node_norm, edge_norm
        node_norm, edge_norm = self._estimate_norms()
        if self.save_dir is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.save((node_norm, edge_norm), path)
        return node_norm, edge_norm

    def _estimate_norms(self) -> tuple[Tensor, Tensor]:
        """Sample until every node has been seen ``sample_coverage`` times on average (section 3.4 of the paper)."""
        if self.log:
            print("Computing GraphSAINT normalization...", file=sys.stderr)
        counts = SaintCounts(self.edges.colptr)
        seeds = np.random.default_rng(batch_seed())
        while counts.num_sampled_nodes < self.edges.num_nodes * self.sample_coverage:
            counts.add(self._sample(int(seeds.integers(2**63))))
        edge_norm = torch.empty(len(self.edges.row))
        edge_norm[self.edges.position] = torch.from_numpy(counts.edge_norm())
        return torch.from_numpy(counts.node_norm()), edge_norm


class GraphSAINTNodeSampler(GraphSAINTSampler):
    """Draws ``batch_size`` nodes with probability proportional to their (out-)degree (algorithm 1, node sampler).

    Arguments and errors are those of :class:`GraphSAINTSampler`.
    """

    def _draw(self, seed: int) -> NDArray[np.int64]:
        return saint_nodes(self.edges.colptr, self.edges.row, self.edges.num_nodes, self._batch_size, seed)


class GraphSAINTEdgeSampler(GraphSAINTSampler):
    """Draws ``batch_size`` edges, ``u - v`` with probability proportional to ``1 / deg(u) + 1 / deg(v)`` (algorithm 1,
    edge sampler, with replacement as there), and takes both ends.

    PyG inverts the degrees twice, so it draws in proportion to ``deg(u) + deg(v)``: its subgraphs gather around
    hubs. This class follows the paper. In directed graphs an edge's weight is 1 over the in-degree of its target.

    Arguments and errors are those of :class:`GraphSAINTSampler`.
    """

    def _draw(self, seed: int) -> NDArray[np.int64]:
        return saint_edges(self.edges.colptr, self.edges.row, self.edges.num_nodes, self._batch_size, seed)


class GraphSAINTRandomWalkSampler(GraphSAINTSampler):
    """Walks ``walk_length`` steps from each of ``batch_size`` uniformly drawn nodes (algorithm 1, random walk sampler).

    In directed graphs walks go against the edges, from a node to those it receives messages from; PyG's go along them.

    Args:
        walk_length: steps of each walk. The other arguments and errors are those of :class:`GraphSAINTSampler`.
    """

    def __init__(
        self,
        data: Data,
        batch_size: int,
        walk_length: int,
        num_steps: int = 1,
        sample_coverage: int = 0,
        save_dir: str | None = None,
        log: bool = True,
        **kwargs: Any,
    ) -> None:
        if walk_length < 1:
            raise OptionError(f"walk_length must be at least 1, got {walk_length}", "Walk 1 or more steps")
        self.walk_length = walk_length
        super().__init__(data, batch_size, num_steps, sample_coverage, save_dir, log, **kwargs)

    @property
    def _filename(self) -> str:
        name = type(self).__name__.lower()
        return f"{name}_{self._batch_size}_{self.walk_length}_{self.sample_coverage}.pt"

    def _draw(self, seed: int) -> NDArray[np.int64]:
        edges = self.edges
        return saint_walks(edges.colptr, edges.row, edges.num_nodes, self._batch_size, self.walk_length, seed)
