"""A job whose nodes are renumbered: structure, labels, splits and features, each copied once and in pieces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from techniques.errors import OptionError
from techniques.sampling.kernels.orders import community_order, rcm_order, renumbered_csc
from techniques.sampling.node_order import MOST_COMMUNITY_NODES, RCM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.job import Job
    from techniques.remote.source.stored import ArrayHeader, StoredGraph
    from techniques.sampling.structure import Structure

    Nodes = NDArray[np.int64]

ROWS_AT_ONCE = 65_536


def renumber(job: Job, name: str) -> Job:
    """The same job with nodes in the order called ``name``; ``Job.as_given`` leads back.

    Raises:
        OptionError: features have been read already.
    """
    if job.features is not None:
        raise OptionError("nodes must be renumbered before features are read", "List slots in the order of Slot")
    structure: Structure = job.need("structure")
    order = _order(structure, name)
    nodes = torch.from_numpy(order)
    return replace(
        job,
        structure=_moved(structure, order),
        node_order=order,
        stored=RenumberedGraph(job.stored, order),
        labels=job.need("labels")[nodes],
        masks={split: mask[nodes] for split, mask in job.masks.items()},
    )


def _order(structure: Structure, name: str) -> Nodes:
    colptr, row, undirected = structure.colptr, structure.row, structure.undirected
    if name == RCM:
        return rcm_order(colptr, row, undirected)
    return community_order(colptr, row, undirected, MOST_COMMUNITY_NODES)


def _moved(structure: Structure, order: Nodes) -> Structure:
    given = structure.edges.given
    colptr, row, position = renumbered_csc(structure.colptr, structure.row, order, with_position=given)
    return replace(structure, colptr=colptr, row=row, edges=structure.edges.at(position))


@dataclass(frozen=True, eq=False)
class RenumberedGraph:
    """A stored graph whose features are read in another order of the nodes; all other arrays are as stored."""

    stored: StoredGraph
    order: Nodes
    path: str | None = None

    @property
    def name(self) -> str:
        return self.stored.name

    @property
    def headers(self) -> dict[str, ArrayHeader]:
        return self.stored.headers

    def read(self, key: str) -> Any:
        """``x`` as :class:`OrderedRows`, which copies the rows that are asked for."""
        if key == "x":
            return OrderedRows(self.stored.read(key), self.order)
        if key in ("x_indptr", "x_indices", "x_data"):
            return self._sparse(key)
        return self.stored.read(key)

    def _sparse(self, key: str) -> NDArray[Any]:
        before: NDArray[Any] = np.asarray(self.stored.read("x_indptr"))
        after = np.zeros(before.size, np.int64)
        np.cumsum(np.diff(before)[self.order], out=after[1:])
        if key == "x_indptr":
            return after
        values: Any = self.stored.read(key)
        out = np.empty(values.shape, values.dtype)
        for start in range(0, self.order.size, ROWS_AT_ONCE):
            rows = self.order[start : start + ROWS_AT_ONCE]
            ends = after[start : start + rows.size + 1]
            position = np.repeat(before[rows] - ends[:-1], np.diff(ends)) + np.arange(ends[0], ends[-1])
            out[ends[0] : ends[-1]] = values[position]
        return out


class OrderedRows:
    """Rows [N, F] of an array, which may be memory-mapped, in another order: copied when and as far as they are asked for."""

    def __init__(self, values: Any, order: Nodes) -> None:
        self.values, self.order = values, order
        self.shape: tuple[int, ...] = values.shape
        self.dtype: np.dtype[Any] = values.dtype
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        return np.asarray(self.values[self.order[rows]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        out = np.empty(self.shape, self.dtype if dtype is None else dtype)
        for start in range(0, len(self), ROWS_AT_ONCE):
            out[start : start + ROWS_AT_ONCE] = self[start : start + ROWS_AT_ONCE]
        return out
