"""Memory of real processes: anonymous pages once, memory maps apart."""

from __future__ import annotations

import mmap
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from tuner.memory import PeakByPhase, Usage, descendants, process_usage, tree_usage

MIB = 2**20
SIZE = 64 * MIB
pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")


def _fill(pipe: Any, file: str | None) -> None:
    if file is None:
        held: Any = bytearray(os.urandom(1)) * SIZE
    else:
        with Path(file).open("rb") as stream:
            held = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        sum(held[::4096])
    pipe.send("full")
    pipe.recv()
    del held


def _grown(file: str | None) -> Usage:
    """How much the tree of this process grows by a child that fills memory."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    before = tree_usage(os.getpid())
    child = context.Process(target=_fill, args=(theirs, file))
    child.start()
    try:
        assert ours.poll(60), "the child never filled its memory"
        after = tree_usage(os.getpid())
        assert child.pid in descendants(os.getpid())
    finally:
        ours.send("end")
        child.join()
    assert before is not None
    assert after is not None
    return Usage(after.held_bytes - before.held_bytes, after.mapped_bytes - before.mapped_bytes)


def test_anonymous_memory_of_a_child_is_counted_once() -> None:
    grown = _grown(None)
    assert SIZE <= grown.held_bytes < 1.9 * SIZE
    assert grown.mapped_bytes < SIZE / 2


def test_a_memory_map_is_counted_apart(tmp_path: Path) -> None:
    file = tmp_path / "mapped"
    file.write_bytes(bytes(SIZE))
    grown = _grown(str(file))
    assert grown.mapped_bytes >= SIZE
    assert grown.held_bytes < SIZE / 2


def test_pages_shared_with_a_forked_child_are_counted_once() -> None:
    held = bytearray(b"x") * SIZE
    read, write = os.pipe()
    before = tree_usage(os.getpid())
    pid = os.fork()
    if pid == 0:  # no Python code that allocates: it waits until the pipe is closed, then leaves
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    after = tree_usage(os.getpid())
    os.close(write)
    os.waitpid(pid, 0)
    assert len(held) == SIZE
    assert before is not None
    assert after is not None
    assert after.held_bytes - before.held_bytes < SIZE / 2


def test_a_process_that_ended_has_no_usage() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert process_usage(pid) is None
    assert tree_usage(pid) is None


def test_peaks_are_kept_by_phase_above_the_baseline() -> None:
    peaks = PeakByPhase(baseline_bytes=100)
    for phase, held, mapped in (("load", 150, 7), ("load", 130, 9), ("train", 400, 1), ("evaluate", 90, 0)):
        peaks.add(phase, Usage(held, mapped))
    assert peaks.peaks == {"load": 50, "train": 300, "evaluate": 0}
    assert (peaks.peak_bytes, peaks.mapped_peak_bytes) == (300, 9)
    assert PeakByPhase().peak_bytes == 0
