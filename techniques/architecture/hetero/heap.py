"""What the host's heap keeps of many middling tensors: those of one type or one relation each.

Tensors below 8 MiB come from the heap (``hardware/allocator.py``): what lies between two of them fits no third, and the
heap hardly shrinks. Tensors of whole graphs of one type are larger and
are mapped one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

from techniques.forecast import Range
from techniques.hardware.allocator import MAPPED_BYTES

VARYING = Range(0.4, 1.0, 1.7)
"""Bytes that the heap holds beside the live ones, over those of them that lie in it, where sizes change from step to step."""
FIXED = Range(0.2, 0.6, 1.2)
"""The same where every step allocates the same sizes (fitted on nine measurements of three architectures)."""
BATCHES = Range(0.0, 0.6, 1.2)
"""The same over the bytes of sampled batches, which a thread makes while others are used up."""


def heap_share(blocks: Sequence[float]) -> float:
    """Share of the live bytes that come from the heap."""
    return sum(block for block in blocks if block < MAPPED_BYTES) / max(sum(blocks), 1.0)


def fragments(live_bytes: float, blocks: Sequence[float], shapes_vary: bool) -> Range:
    """What the heap holds beside the live bytes at the peak of a step."""
    return (VARYING if shapes_vary else FIXED) * (live_bytes * heap_share(blocks))
