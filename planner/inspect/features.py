"""Node features of a stored graph, from headers and the pointers of sparse rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planner.inspect.structure import CHUNK, chunks
from techniques.graph_figures import FeatureFacts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph

GENERATED_WIDTH = 2
"""Log-degree and a constant stand in for features that are absent."""
UNREAD = "feature values not read: taken as all non-zero, unchecked"
CSR_KEYS = ("x_data", "x_indices", "x_indptr")


def read_features(
    stored: StoredGraph, num_nodes: int, edge_index: NDArray[np.integer[Any]]
) -> tuple[FeatureFacts, list[str]]:
    """Width, dtype, non-zeros and bytes at rest, and what is worth a note; values are neither read nor checked."""
    headers = stored.headers
    if "x_data" in headers:
        facts = FeatureFacts(
            width=int(stored.read("x_shape").reshape(-1)[1]),
            dtype=headers["x_data"].dtype,
            nonzeros=headers["x_data"].shape[0],
            stored_bytes=sum(headers[key].num_bytes for key in CSR_KEYS),
            sparse_at_rest=True,
            reached_nonzeros=_reached_nonzeros(stored, edge_index[0]),
        )
        return facts, []
    if "x" not in headers or headers["x"].shape[1:] == (0,):
        return generated_features(num_nodes)
    header = headers["x"]
    width = header.shape[1] if len(header.shape) > 1 else 1
    facts = FeatureFacts(width=width, dtype=header.dtype, nonzeros=num_nodes * width, stored_bytes=header.num_bytes)
    return facts, [UNREAD]


def _reached_nonzeros(stored: StoredGraph, source: NDArray[np.integer[Any]]) -> float | None:
    """Mean non-zeros of the sources of edges."""
    import numpy as np

    if not source.size:
        return None
    per_node: Any = np.diff(np.asarray(stored.read("x_indptr")))
    return float(sum(int(per_node[source[part]].sum()) for part in chunks(source.size, CHUNK))) / source.size


def generated_features(num_nodes: int) -> tuple[FeatureFacts, list[str]]:
    """What stands in for absent features."""
    facts = FeatureFacts(
        width=GENERATED_WIDTH,
        dtype="float32",
        nonzeros=num_nodes * GENERATED_WIDTH,
        stored_bytes=0,
        generated=True,
        values_checked=True,
    )
    return facts, ["no node features: log-degree and a constant stand in"]
