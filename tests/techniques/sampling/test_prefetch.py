"""Prefetching: order, bounds, errors, and threads that end."""

from __future__ import annotations

import threading
import time

import pytest

from techniques.sampling.prefetch import Prefetcher


def running() -> int:
    return sum(thread.name.startswith("prefetch-") for thread in threading.enumerate())


@pytest.mark.parametrize("threads", [0, 1, 4])
@pytest.mark.parametrize("depth", [1, 3, 100])
def test_batches_come_in_order_every_time(threads, depth):
    def slow_first(chunk):
        time.sleep(0.003 if chunk % 3 == 0 else 0)
        return chunk * 10

    batches = Prefetcher(slow_first, range(20), depth, threads)
    for _ in range(2):
        assert list(batches) == [10 * i for i in range(20)]
    assert batches.wait_seconds > 0 and running() == 0


def test_no_chunks_and_batches_of_none():
    assert list(Prefetcher(lambda chunk: chunk, [], 2, 2)) == []
    assert list(Prefetcher(lambda chunk: None, range(3), 2, 2)) == [None] * 3


@pytest.mark.parametrize("threads", [1, 3])
def test_no_more_than_depth_batches_are_ahead(threads):
    started = []
    iterator = iter(Prefetcher(lambda chunk: started.append(chunk), range(50), 4, threads))
    next(iterator)
    deadline = time.monotonic() + 5
    while len(started) < 5 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.03)
    assert len(started) == 5
    iterator.close()


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_an_error_arrives_in_its_place(threads):
    def fail_at_five(chunk):
        if chunk == 5:
            raise KeyError("five")
        return chunk

    seen = []
    with pytest.raises(KeyError, match="five"):
        for batch in Prefetcher(fail_at_five, range(20), 4, threads):
            seen.append(batch)
    assert seen == [0, 1, 2, 3, 4] and running() == 0


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_of_the_chunks_arrives_too(threads):
    def chunks():
        yield 1
        raise OSError("disk")

    seen = []
    with pytest.raises(OSError, match="disk"):
        for batch in Prefetcher(lambda chunk: chunk, chunks(), 4, threads):
            seen.append(batch)
    assert seen == [1] and running() == 0


def test_threads_end_with_the_consumer():
    endless = iter(lambda: 1, 0)
    batches = Prefetcher(lambda chunk: chunk, endless, 2, 3)
    for _ in batches:
        assert running() == 3
        break
    batches.close()
    assert running() == 0
    iterator = iter(batches)
    next(iterator)
    iterator.close()
    assert running() == 0


def test_closing_wakes_a_waiting_consumer():
    release = threading.Event()
    batches = Prefetcher(lambda chunk: release.wait(10), range(3), 1, 1)
    seen = []
    consumer = threading.Thread(target=lambda: seen.extend(batches))
    consumer.start()
    while running() == 0:
        time.sleep(0.001)
    threading.Timer(0.05, release.set).start()
    batches.close()
    consumer.join(5)
    assert not consumer.is_alive() and running() == 0


def test_waiting_is_measured_and_work_overlaps():
    def make(chunk):
        time.sleep(0.02)
        return chunk

    hidden = Prefetcher(make, range(10), 2, 1)
    for _ in hidden:
        time.sleep(0.03)
    plain = Prefetcher(make, range(10), 2, 0)
    list(plain)
    assert plain.wait_seconds >= 0.2 and hidden.wait_seconds < 0.1


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        Prefetcher(print, [], 0, 1)
    with pytest.raises(ValueError, match="threads must be at least 0, got -1"):
        Prefetcher(print, [], 1, -1)
