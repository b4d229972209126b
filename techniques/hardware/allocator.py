"""How tensors are given memory on the host, and what an allocator holds beyond their live bytes."""

from __future__ import annotations

from techniques.forecast import Place, Range

MMAP_THRESHOLD_BYTES = 8 * 2**20
ALLOCATOR_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(MMAP_THRESHOLD_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20),
    "THP_MEM_ALLOC_ENABLE": "1",
}
"""Settings of glibc and torch under which every measurement and every run happens (mallopt(3)).

By default glibc keeps freed blocks of up to 32 MiB, and fragments: sampled training peaked 1.6 times higher than with
these settings at the same speed; whole-graph training with large tensors also became 1.2 to 1.6 times faster, since
large blocks are backed by huge pages (measured on 2 cores, GraphSAGE 2 x 128 on like:ogbn-products@0.05).
"""
SMALL_BLOCKS_FACTOR = 1.35
"""Resident over live bytes where the largest tensor is below the threshold: glibc's heap fragments."""
LARGE_BLOCKS_FACTOR = 1.03
FIXED_BYTES = 8e6
ERROR = 0.08
GPU_FIXED_SHAPES = Range(1.0, 1.1, 1.25)
GPU_VARYING_SHAPES = Range(1.1, 1.4, 1.9)
"""Reserved over live bytes on a GPU (costs.md, section 2.1)."""


def resident(live_bytes: float, block_bytes: float, place: Place, shapes_vary: bool) -> Range:
    """Resident bytes of a step whose tensors have ``live_bytes`` at their peak, ``block_bytes`` the largest."""
    if place is Place.DEVICE:
        factor = GPU_VARYING_SHAPES if shapes_vary else GPU_FIXED_SHAPES
        return Range(live_bytes * factor.low, live_bytes * factor.expected, live_bytes * factor.high)
    factor_host = LARGE_BLOCKS_FACTOR if block_bytes >= MMAP_THRESHOLD_BYTES else SMALL_BLOCKS_FACTOR
    return Range.within(live_bytes * factor_host + FIXED_BYTES, ERROR)
