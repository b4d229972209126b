"""What the loaders share: edges sorted by target once, a batch's own seed, attributes cut to a subgraph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import select

from techniques.errors import GraphError, OptionError
from techniques.sampling.kernels import build_csc
from techniques.sampling.kernels.machine_code import IntArray


@dataclass(frozen=True)
class SortedEdges:
    """A graph's edges in compressed columns.

    Attributes:
        colptr: int64 ``[n + 1]``, where the in-edges of each node begin.
        row: ``[E]``, their sources.
        position: int64 ``[E]``, where each of those edges stands in the data's own ``edge_index``.
    """

    colptr: NDArray[np.int64]
    row: IntArray
    position: Tensor

    @property
    def num_nodes(self) -> int:
        return len(self.colptr) - 1

    def positions(self, edge: NDArray[np.int64] | None) -> Tensor:
        """Where a subgraph's edges stand in ``edge_index``, int64 ``[m]``: PyG's ``e_id``."""
        assert edge is not None  # every loader asks its kernel for edges
        return self.position[torch.from_numpy(edge)]


def sort_edges(data: Data, loader: str) -> SortedEdges:
    """Sort ``data.edge_index`` by target.

    Raises:
        OptionError: ``data`` is not a homogeneous ``Data``.
        GraphError: it has no ``edge_index``.
        ValueError: node ids outside the graph.
    """
    require_homogeneous(data, loader)
    if data.edge_index is None:
        raise GraphError(f"{loader} needs data.edge_index, got none", "Convert adj_t by ToEdgeIndex or adj_t.coo()")
    edge_index = data.edge_index.detach().cpu().numpy()
    colptr, row, position = build_csc(edge_index, data.num_nodes, with_permutation=True)
    return SortedEdges(colptr, row, torch.from_numpy(position))


def require_homogeneous(data: Any, loader: str) -> None:
    """Raises OptionError unless ``data`` is a homogeneous ``Data``."""
    if not isinstance(data, Data):
        rule = f"{loader} takes a homogeneous torch_geometric.data.Data, got {type(data).__name__}"
        raise OptionError(rule, "Call .to_homogeneous(), or use torch_geometric.loader with pyg-lib installed")


def batch_seed() -> int:
    """One number of torch's generator, which differs between workers and which ``torch.manual_seed`` repeats."""
    return int(torch.randint(2**63 - 1, (1,)))


def cut_attributes(data: Data, node: Tensor, edge: Tensor) -> Iterator[tuple[str, Any]]:
    """Names and values of everything in ``data`` but ``edge_index`` and ``num_nodes``, in its order.

    Attributes of nodes are cut to ``node``, attributes of edges to ``edge``; all others stay as they are.
    """
    for name, value in data:
        if name in ("edge_index", "num_nodes"):
            continue
        if data.is_node_attr(name):
            value = _rows(value, node, data.__cat_dim__(name, value))
        elif data.is_edge_attr(name):
            value = _rows(value, edge, data.__cat_dim__(name, value))
        yield name, value


def _rows(value: Any, index: Tensor, dim: int) -> Any:
    if isinstance(value, np.ndarray):
        return np.take(value, index.numpy(), axis=dim)
    return select(value, index.to(value.device) if isinstance(value, Tensor) else index, dim=dim)


def edge_list(subgraph: Any) -> Tensor:
    """Local sources and targets of a kernel's subgraph, int64 ``[2, m]``."""
    return torch.from_numpy(np.stack([subgraph.col_source, subgraph.col_target()]))
