"""Classes and how many items each has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.integer[Any]]


def class_sizes(known: Ints) -> tuple[Ints, Ints]:
    """Ids, sorted, and how often each occurs; ``known`` [m] holds ids from 0 on, with gaps or not."""
    import numpy as np

    # A count is ten times faster than sorting, unless one wild id makes it huge.
    if int(known.max(initial=0)) >= max(4 * len(known), 1 << 16):
        return np.unique(known, return_counts=True)
    sizes = np.bincount(known)
    ids = np.flatnonzero(sizes)
    return ids, sizes[ids]
