"""A graph's identity, cheap enough for every command."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph

SAMPLED_ENTRIES = 4096
IGNORED = frozenset({"meta", "num_nodes"})


def fingerprint(stored: StoredGraph, edge_index: NDArray[np.integer[Any]], num_nodes: int) -> str:
    """32 hex digits from the arrays' names and shapes and a strided sample of the edges and labels.

    The same for the ``.npz`` and the folder form of a graph. Feature values are not read, so a graph that differs in
    those alone has the same fingerprint.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"num_nodes {num_nodes}\n".encode())
    for key in sorted(set(stored.headers) - IGNORED):
        digest.update(f"{key} {stored.headers[key].shape}\n".encode())
    digest.update(_sample(edge_index.T))
    if "y" in stored.headers:
        digest.update(_sample(stored.read("y")))
    return digest.hexdigest()


def _sample(rows: NDArray[np.generic]) -> bytes:
    """Evenly spaced rows as little-endian 64-bit numbers, whatever the width at rest."""
    import numpy as np

    stride = max(1, len(rows) // SAMPLED_ENTRIES)
    dtype = "<f8" if rows.dtype.kind == "f" else "<i8"
    return np.ascontiguousarray(rows[::stride], dtype=dtype).tobytes()
