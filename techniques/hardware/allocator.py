"""How tensors are given memory on the host, and what an allocator holds beyond their live bytes."""

from __future__ import annotations

from collections.abc import Sequence

from techniques.forecast import Place, Range

MMAP_THRESHOLD_BYTES = 8 * 2**20
TRIM_BYTES = 64 * 2**20
SET_HEAP, SET_FIXED_BYTES = 1.5, 8e6
"""Freed heap over live bytes, and what comes on top, up to the live bytes, where batches are whole graphs."""
ALLOCATOR_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(MMAP_THRESHOLD_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(TRIM_BYTES),
    "THP_MEM_ALLOC_ENABLE": "1",
}
"""Settings of glibc and torch under which every measurement and every run happens (mallopt(3)).

By default glibc keeps freed blocks of up to 32 MiB, and fragments: sampled training peaked 1.6 times higher than with
these settings at the same speed; whole-graph training with large tensors also became 1.2 to 1.6 times faster, since
large blocks are backed by huge pages (measured on 2 cores, GraphSAGE 2 x 128 on like:ogbn-products@0.05).
"""
HUGE_PAGE_BYTES = 2 * 2**20
"""Blocks from this size on are aligned to huge pages and end within one: half a page each is theirs but not used."""
MAPPED_BYTES = MMAP_THRESHOLD_BYTES - HUGE_PAGE_BYTES
"""Blocks from this size on, alignment included, are mapped one by one and go back when freed; others fill the heap."""
VARYING_SHAPES_HEAP = 0.45
"""Freed heap that is not given back, over live bytes, where sizes change from step to step as sampled batches do."""
FIXED_SHAPES_HEAP = 0.3
"""The same over the live bytes of small blocks, where every step allocates the same sizes."""
MOST_HEAP_BYTES = 22e6
"""The heap's free end is cut off at 64 MiB (``MALLOC_TRIM_THRESHOLD_``); a part of it is in use again."""
LIVE_ERROR = 0.07
FIXED_BYTES = Range(0.0, 4e6, 16e6)
"""Workspaces of matrix products, Python's own objects. These figures: tests/benchmarks/accuracy.py."""
GPU_FIXED_SHAPES = Range(1.0, 1.1, 1.25)
GPU_VARYING_SHAPES = Range(1.1, 1.4, 1.9)
"""Reserved over live bytes on a GPU (nvidia-smi over max_memory_allocated in the logs of Betty, ASPLOS 2023)."""


def resident(live_bytes: float, blocks: Sequence[float], place: Place, shapes_vary: bool) -> Range:
    """Resident bytes of a step whose tensors have ``live_bytes`` at their peak; ``blocks`` are typical tensors of it."""
    if place is Place.DEVICE:
        factor = GPU_VARYING_SHAPES if shapes_vary else GPU_FIXED_SHAPES
        return Range(live_bytes * factor.low, live_bytes * factor.expected, live_bytes * factor.high)
    pages = sum(HUGE_PAGE_BYTES / 2 for block in blocks if block >= HUGE_PAGE_BYTES) / max(sum(blocks), 1.0)
    live = Range.within(live_bytes * (1.0 + pages), LIVE_ERROR)
    return live + heap_slack(live_bytes, blocks, shapes_vary) + FIXED_BYTES


def heap_slack(live_bytes: float, blocks: Sequence[float], shapes_vary: bool) -> Range:
    """Freed bytes that stay in the host's heap: below the trim threshold, or held down by blocks around them."""
    small = sum(block for block in blocks if block < MAPPED_BYTES) / max(sum(blocks), 1.0)
    share = VARYING_SHAPES_HEAP if shapes_vary else FIXED_SHAPES_HEAP * small
    expected = min(live_bytes * share, MOST_HEAP_BYTES)
    return Range(0.0, expected, 2.5 * expected)


def set_slack(live_bytes: float, blocks: Sequence[float]) -> Range:
    """The same for batches of whole graphs: every tensor of a step has a size of its own, so freed blocks seldom fit the
    next ones, and the heap grows until its free end reaches the trim threshold (13 settings of three sets)."""
    small = sum(block for block in blocks if block < MAPPED_BYTES) / max(sum(blocks), 1.0)
    expected = small * min(SET_HEAP * live_bytes, TRIM_BYTES) + min(SET_FIXED_BYTES, live_bytes)
    return Range(0.3 * expected, expected, 1.8 * expected)


def heap_left(live_bytes: float, blocks: Sequence[float], shapes_vary: bool) -> Range:
    """The same once the step is over: at its peak, about half of that heap was in use."""
    slack = heap_slack(live_bytes, blocks, shapes_vary)
    return Range(0.0, 2 * slack.expected, 4 * slack.expected)


def conversion_slack(blocks: Sequence[float]) -> Range:
    """Heap that stays when sparse inputs have been transposed: about twice the blocks that are not mapped one by one, up
    to the trim threshold (excess of sampled and whole-graph steps on coauthor_cs: 44 to 70 MB and 21 MB)."""
    heap = sum(block for block in blocks if block < MAPPED_BYTES)
    expected = min(2.0 * heap, float(TRIM_BYTES))
    return Range(0.0, expected, 2.0 * expected)
