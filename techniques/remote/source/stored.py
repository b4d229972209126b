"""The one shape in which every graph source is read: named numpy arrays, opened lazily."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]


@dataclass(frozen=True)
class ArrayHeader:
    """Shape and dtype of an array that has not been read."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def num_bytes(self) -> int:
        import numpy as np

        count = 1
        for size in self.shape:
            count *= size
        return count * np.dtype(self.dtype).itemsize


class StoredGraph(Protocol):
    """A graph at rest.

    Keys and their meaning are those of the ``.npz`` format in the README: ``num_nodes``, ``edge_index`` [2, E],
    ``x`` [N, F] or its CSR parts ``x_data`` ``x_indices`` ``x_indptr`` ``x_shape``, ``y``, ``train_mask`` ``val_mask``
    ``test_mask``, ``graph_ptr``, ``node_type`` ``edge_type`` ``type_names`` ``rel_names`` ``type_columns``, ``edge_weight`` [E],
    ``edge_attr`` [E, D], ``meta``; ``unread_edge_data`` names edge data of single edge types that were left out.
    """

    @property
    def name(self) -> str:
        """Short name for people, such as ``cora``."""

    @property
    def path(self) -> str | None:
        """The ``.npz`` file or ``.npy`` folder that holds the arrays; ``None`` while they are only in memory."""

    @property
    def headers(self) -> dict[str, ArrayHeader]:
        """Every array's shape and dtype, read from headers only."""

    def read(self, key: str) -> Array:
        """Read one array; memory-mapped (read-only) where the source allows it.

        Raises:
            GraphError: the array is damaged.
        """
