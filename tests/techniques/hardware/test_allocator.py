"""What the host's heap adds to live bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from planner.inspect.estimate import from_counts
from planner.pins import Pins
from planner.proposal import make_spec
from techniques.assembly import forecast
from techniques.base import Slot
from techniques.forecast import Place, Range
from techniques.hardware.allocator import (
    FIXED_BYTES,
    HEAP_LEAST,
    HEAP_LEAST_VARYING,
    HOLE_BYTES,
    HOLE_SHARE,
    HOLES_MOST,
    MAPPED_BYTES,
    RUN_ENVIRONMENT,
    STEP_BYTES,
    TRIM_BYTES,
    batch_slack,
    heap_share,
    heap_slack,
    independent,
    pass_resident,
    resident,
    rows_slack,
)

MANY = 100e6
ALIKE, SMALL, MAPPED = (4e6,) * 3, (1e6,) * 4, (9e6,) * 3
"""Blocks that are aligned in the heap, smaller ones, and those of more than the allocator's threshold."""

GROWTH = """
import ctypes, sys, torch
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]
glibc = ctypes.CDLL(None)
glibc.mallinfo2.restype = Info
before = glibc.mallinfo2().hblkhd
kept = torch.empty(int(sys.argv[1]), dtype=torch.uint8)
print(glibc.mallinfo2().hblkhd - before)
"""


def test_aligned_blocks_in_the_heap_leave_holes_that_nothing_fits() -> None:
    mapped, small, alike = (heap_slack(MANY, blocks) for blocks in (MAPPED, SMALL, ALIKE))
    assert mapped == small == HEAP_LEAST_VARYING
    assert alike.expected == pytest.approx(HEAP_LEAST_VARYING.expected + 3 * HOLE_BYTES.expected)
    assert heap_slack(MANY, (9e6, 4e6, 1e6)).expected == pytest.approx(
        HEAP_LEAST_VARYING.expected + HOLE_BYTES.expected
    )
    assert heap_slack(MANY, ALIKE * 100) == HEAP_LEAST_VARYING + HOLES_MOST


def test_holes_of_steps_that_ask_for_the_same_sizes_are_a_share_of_their_blocks() -> None:
    fixed = heap_slack(MANY, ALIKE, shapes_vary=False)
    assert fixed.expected == pytest.approx(HEAP_LEAST.expected + HOLE_SHARE.expected * sum(ALIKE))
    assert fixed.expected < heap_slack(MANY, ALIKE).expected
    assert resident(MANY, ALIKE, Place.HOST, False).expected < resident(MANY, ALIKE, Place.HOST, True).expected


def test_mapped_blocks_are_given_back() -> None:
    assert heap_share(MAPPED) == 0.0 < heap_share(ALIKE)


def test_batches_of_a_thread_lie_in_its_heap_unless_they_are_mapped() -> None:
    assert batch_slack(1e6, 3).expected == pytest.approx(3 * batch_slack(1e6, 1).expected)
    assert batch_slack(2 * MAPPED_BYTES, 1).expected < batch_slack(MAPPED_BYTES / 2, 1).expected


def test_what_comes_on_top_of_small_steps_grows_with_them() -> None:
    """A measured step of 1.5 MB took 3 beside what is held, one of 4 took 6, where 11 more were expected of either."""
    tiny, small = (resident(live, SMALL, Place.HOST, False) for live in (1e3, 1.5e6))
    assert tiny.expected == pytest.approx(STEP_BYTES.expected, rel=0.01) and tiny.high < 3e6
    assert 2e6 < small.low < 3e6 < small.expected < 4e6 < small.high < 7e6
    assert pass_resident(1e3, SMALL, Place.HOST, False).high < 1e5
    assert resident(MANY, MAPPED, Place.HOST, False).expected == MANY + FIXED_BYTES.expected + HEAP_LEAST.expected


def test_errors_that_are_independent_add_up_as_squares() -> None:
    found = independent(Range(7, 10, 13), Range(6, 10, 14))
    assert found == Range(15, 20, 25)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_from_the_stated_size_on_blocks_are_mapped() -> None:
    environment = {**os.environ, **RUN_ENVIRONMENT}

    def mapped(size: int) -> int:
        command = [sys.executable, "-c", GROWTH, str(size)]
        return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)

    assert mapped(MAPPED_BYTES) >= MAPPED_BYTES
    assert mapped(MAPPED_BYTES - 64 * 1024) == 0


def test_tensors_whose_rows_vary_leave_as_much_heap_as_they_take_up_to_the_trim_threshold() -> None:
    taken = (rows_slack(live, SMALL).expected for live in (0.0, 20e6, 1e9))
    assert list(taken) == [0.0, 20e6, TRIM_BYTES]
    assert rows_slack(MANY, MAPPED) == Range(0.0, 0.0, 0.0)
    assert rows_slack(MANY, (4e6, 12e6)).expected == pytest.approx(TRIM_BYTES / 4)


def test_rows_vary_from_batch_to_batch_of_graphsaint_only(make_facts: Any) -> None:
    facts = make_facts(from_counts(20_000, 100_000, 32, 4, directed=False))
    specs = {name: make_spec(facts, Pins({Slot.SAMPLING: name}, {}), {}) for name in ("graph_saint", "random_node")}
    found = {name: forecast(spec, facts) for name, spec in specs.items()}
    assert {name: one.rows_vary for name, one in found.items()} == {"graph_saint": True, "random_node": False}
