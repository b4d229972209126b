"""How tensors are given memory on the host, and what an allocator holds beyond their live bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from techniques.forecast import Place, Range

MMAP_THRESHOLD_BYTES = 8 * 2**20
TRIM_BYTES = 64 * 2**20
SET_HEAP, SET_FIXED_BYTES, SET_VARIES = 1.0, 4e6, Range(0.3, 1.0, 2.5)
"""Freed heap over live bytes, and what comes on top, up to the live bytes, where batches are whole graphs (nine settings of
GIN, GraphSAGE, GCN and GAT on three sets)."""
RUN_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(MMAP_THRESHOLD_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(TRIM_BYTES),
    "THP_MEM_ALLOC_ENABLE": "1",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "OMP_WAIT_POLICY": "passive",
}
"""Settings of glibc, torch and OpenMP under which every measurement and every run happens (mallopt(3)).

By default glibc keeps freed blocks of up to 32 MiB, and fragments: sampled training peaked 1.6 times higher than with
these settings at the same speed; whole-graph training with large tensors also became 1.2 to 1.6 times faster, since
large blocks are backed by huge pages (measured on 2 cores, GraphSAGE 2 x 128 on like:ogbn-products@0.05). From glibc 2.35 on
the heap and what torch maps beside tensors (such as the entries that it sorts) are, too: whole-graph steps of 2.3 million entries
took 19,000 page faults instead of 69,000, and steps row by row on 2,000 to 20,000 nodes 0.75 to 1.0 of the time; peaks of 44
candidates stayed as they were (1.0006 in the median). glibc before that, and other libraries, ignore the setting.

Compute threads sleep while they wait. By default they spin, on the core that the thread which makes batches needs: sampled
epochs took 1.4 and 1.5 times as long on amazon_computers (2 cores, in turn), whole-graph epochs as long on cora and up to
3 times as long beside other work.
"""
PAGE_BYTES = 4096
MAPPED_BYTES = MMAP_THRESHOLD_BYTES - PAGE_BYTES
"""Blocks from this size on are mapped one by one and go back when freed, since glibc is asked for a page more; others fill the
heap (malloc(3); ``tests/techniques/hardware/test_allocator.py`` asks mallinfo2)."""
ALIGNED_BYTES = 2 * 2**20
"""Blocks from this size on are aligned to as much, for the sake of huge pages (torch, ``THP_MEM_ALLOC_ENABLE``)."""
HEAP_LEAST, HEAP_LEAST_VARYING = Range(0.0, 3e6, 25e6), Range(0.0, 3e6, 40e6)
"""Bytes that the heap holds beside the live ones at the peak of a step that is not tiny: small tensors are not in the ledger.
The second where shapes vary from step to step: 20 epochs of them leave up to so much more than two (135 sampled candidates)."""
HOLE_BYTES = Range(0.5e6, 3e6, 12e6)
"""What comes on top for every aligned block in the heap: the hole that one leaves is too small for the next of its size. Which
holes coalesce is chance: the same training peaked at 1,016 MB and at 1,162 MB of 978 MB live (GAT on amazon_computers)."""
HOLE_SHARE = Range(0.0, 0.5, 1.0)
"""The same over the bytes of these blocks where every step asks for the same sizes: a hole fits again as soon as what lies beside it
is free, too (47 whole-graph candidates on 15 graphs)."""
PASS_ERROR = Range(0.9, 1.0, 1.1)
"""Of one forward pass: which of its tensors live at once depends on when the interpreter lets go of them (117 whole-graph candidates)."""
PASS_TIMES, PASS_MOST = Range(0.0, 0.4, 1.1), Range(0.0, 31e6, 90e6)
"""The same of one forward pass from a trimmed heap, over the live bytes of blocks that are not mapped: few holes have been left."""
HOLES_MOST = Range(10e6, 40e6, 120e6)
"""What holes add up to at most. Those of training: 273 candidates on 23 graphs, two rounds and more; 4 MB and 60 MB, which 12 of the
graphs had given, are as good on one half of the graphs and 0.4 % worse on the other (root mean square; ``tests/benchmarks/accuracy.py``)."""
BATCHES_LEFT, BATCHES_IN_HEAP = 0.2, 1.6
"""Freed bytes over those of the batches that are alive, and how many more where batches are not mapped; the same candidates."""
MOST_HEAP_BYTES = float(TRIM_BYTES)
"""A heap's free end is cut off at the trim threshold."""
LIVE_ERROR = Range(0.94, 1.0, 1.07)
"""Small tensors are left out of the ledger."""
FIXED_BYTES = Range(1e6, 8e6, 16e6)
"""Workspaces of matrix products, Python's own objects. These figures: 40 candidates on random graphs of 2,000 to 40,000
nodes, and on cora and two amazon graphs."""
FIXED_TIMES, LEAST_TIMES, HOLES_TIMES = Range(0.1, 0.4, 1.2), Range(0.0, 0.3, 1.7), 5.0
"""Small steps need less of it, and their heap holds less: at most so many times their live bytes (228 candidates below 100 MB on nine
graphs and three sets, two epochs each: 96 % of peaks inside, 76 % with five times for all)."""
STEP_BYTES = Range(0.4e6, 0.8e6, 2e6)
"""What the first step of any size needs: the thread of the backward pass, and the arena that it allocates from."""
PASS_FIXED_TIMES = Range(0.1, 0.4, 5.0)
"""The same of a forward pass that keeps nothing: the steps before it may have been larger."""
SMALL_BYTES = Range(0.0, 0.1e6, 2e6)
"""Objects of a job that no formula counts, from its start on."""
METRICS_BYTES, METRICS_TIMES = Range(0.0, 3e6, 6e6), Range(0.0, 1.0, 4.0)
"""What judging a model adds to what training has left (the same candidates: 2 to 5 MB; nothing on graphs of some tens of nodes), and
how many times the live bytes of a step at most."""
GPU_FIXED_SHAPES = Range(1.0, 1.1, 1.25)
GPU_VARYING_SHAPES = Range(1.1, 1.4, 1.9)
"""Reserved over live bytes on a GPU (nvidia-smi over max_memory_allocated in the logs of Betty, ASPLOS 2023)."""


def resident(live_bytes: float, blocks: Sequence[float], place: Place, shapes_vary: bool) -> Range:
    """Resident bytes of a step whose tensors have ``live_bytes`` at their peak; ``blocks`` are typical tensors of it."""
    if place is Place.DEVICE:
        factor = GPU_VARYING_SHAPES if shapes_vary else GPU_FIXED_SHAPES
        return Range(live_bytes * factor.low, live_bytes * factor.expected, live_bytes * factor.high)
    fixed = least_of(FIXED_BYTES, STEP_BYTES + FIXED_TIMES * live_bytes)
    return independent(LIVE_ERROR * live_bytes, heap_slack(live_bytes, blocks, shapes_vary), fixed)


def pass_resident(live_bytes: float, blocks: Sequence[float], place: Place, shapes_vary: bool) -> Range:
    """The same of a forward pass that keeps nothing for a backward pass."""
    if place is Place.DEVICE:
        return resident(live_bytes, blocks, place, shapes_vary)
    slack = least_of(PASS_TIMES * (live_bytes * heap_share(blocks)), PASS_MOST)
    return independent(PASS_ERROR * live_bytes, slack, fixed_bytes(live_bytes))


def independent(*terms: Range) -> Range:
    """The sum of terms whose errors have nothing to do with each other: their squares add up."""
    expected = sum(one.expected for one in terms)
    below = math.sqrt(sum((one.expected - one.low) ** 2 for one in terms))
    above = math.sqrt(sum((one.high - one.expected) ** 2 for one in terms))
    return Range(expected - below, expected, expected + above)


def fixed_bytes(live_bytes: float) -> Range:
    """What does not grow with a pass; small ones find a part of it in what was there before them."""
    return least_of(FIXED_BYTES, PASS_FIXED_TIMES * live_bytes)


def least_of(one: Range, other: Range) -> Range:
    """The smaller of two at every end."""
    return Range(min(one.low, other.low), min(one.expected, other.expected), min(one.high, other.high))


def heap_share(blocks: Sequence[float]) -> float:
    """Share of these bytes that come from the heap."""
    return sum(block for block in blocks if block < MAPPED_BYTES) / max(sum(blocks), 1.0)


def heap_slack(live_bytes: float, blocks: Sequence[float], shapes_vary: bool = True) -> Range:
    """Freed bytes that stay in the host's heap at the peak: holes that nothing fits, and what is below the trim threshold."""
    aligned = [block for block in blocks if ALIGNED_BYTES <= block < MAPPED_BYTES]
    holes = HOLE_BYTES * len(aligned) if shapes_vary else HOLE_SHARE * sum(aligned)
    smallest = HEAP_LEAST_VARYING if shapes_vary else HEAP_LEAST
    most = HOLES_TIMES * live_bytes
    return least_of(smallest, LEAST_TIMES * live_bytes) + least_of(least_of(holes, HOLES_MOST), Range.exact(most))


def batch_slack(batch_bytes: float, alive: float) -> Range:
    """The same of batches, in the heap (an arena of its own) of the thread that makes them; most of a batch is one block."""
    held = min(batch_bytes * alive, MOST_HEAP_BYTES)
    expected = held * (BATCHES_LEFT + (BATCHES_IN_HEAP if batch_bytes < MAPPED_BYTES else 0.0))
    return Range(0.0, expected, 2.0 * expected)


def set_slack(live_bytes: float, blocks: Sequence[float]) -> Range:
    """All that comes on top of live bytes where batches are whole graphs: every tensor of a step has a size of its own, so
    freed blocks seldom fit the next ones, and the heap grows until its free end reaches the trim threshold."""
    return SET_VARIES * (_unfitting_bytes(live_bytes, blocks) + min(SET_FIXED_BYTES, live_bytes))


def rows_slack(live_bytes: float, blocks: Sequence[float]) -> Range:
    """The same beside holes and small tensors, where every batch has its own number of nodes (18 candidates of GraphSAINT on 15
    graphs: 1.2 % off in the median with it, 4.2 % without)."""
    return SET_VARIES * _unfitting_bytes(live_bytes, blocks)


def _unfitting_bytes(live_bytes: float, blocks: Sequence[float]) -> float:
    """Of freed blocks that do not fit the next ones."""
    return heap_share(blocks) * min(SET_HEAP * live_bytes, TRIM_BYTES)


def transient(*blocks: float) -> Range:
    """What is needed for a moment while a graph is made ready: blocks that are mapped one by one come and go between two looks,
    others stay in the heap beside what comes after them (23 graphs, step by step)."""
    passing = sum(block for block in blocks if block >= MAPPED_BYTES)
    staying = sum(blocks) - passing
    return Range(0.5 * staying, staying + passing, 1.2 * (staying + passing) + min(staying, MAPPED_BYTES))


def conversion_slack(blocks: Sequence[float]) -> Range:
    """Heap that stays when sparse inputs have been transposed: the blocks that are not mapped one by one, up to the trim
    threshold, and up to four times as much (sampled and whole-graph steps on coauthor_cs)."""
    expected = min(sum(block for block in blocks if block < MAPPED_BYTES), MOST_HEAP_BYTES)
    return Range(0.0, expected, min(4.0 * expected, 1.5 * MOST_HEAP_BYTES))
