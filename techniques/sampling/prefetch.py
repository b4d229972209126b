"""Batches made ahead of time by background threads, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar

C = TypeVar("C")
T = TypeVar("T")


class Prefetcher(Generic[C, T]):
    """Iterates over ``make_batch(chunk)`` for each chunk, made by threads while the consumer works.

    Batches arrive in the order of ``chunks``, whatever thread made them. It pays where ``make_batch`` releases the GIL.
    For batches that repeat from run to run, let a chunk carry its own random seed: threads do not take turns in drawing
    from a shared generator. Each iteration starts ``chunks`` afresh; starting one ends the one before.

    Args:
        make_batch: makes one batch of one chunk; called from ``threads`` threads at a time.
        chunks: for example seed nodes, batch by batch; drawn from one thread at a time.
        depth: at most so many batches are made or in the making beyond the one in use, at least 1.
        threads: background threads; 0 makes each batch when it is asked for.

    Attributes:
        wait_seconds: seconds that the consumer of the latest iteration has waited for batches.

    Raises:
        ValueError: ``depth`` below 1 or ``threads`` below 0. While iterating, whatever ``chunks`` or ``make_batch``
            raises arrives at the consumer in its place in the order, and ends the iteration.
    """

    def __init__(self, make_batch: Callable[[C], T], chunks: Iterable[C], depth: int = 2, threads: int = 1) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        if threads < 0:
            raise ValueError(f"threads must be at least 0, got {threads}")
        self._make_batch = make_batch
        self._chunks = chunks
        self._depth = depth
        self._threads = threads
        self._queue: _OrderedQueue[C, T] | None = None
        self.wait_seconds = 0.0

    def __iter__(self) -> Generator[T, None, None]:
        self.close()
        self.wait_seconds = 0.0
        return self._iterate_here() if self._threads == 0 else self._iterate_ahead()

    def close(self) -> None:
        """End the running iteration and its threads; returns once the batches in the making are done."""
        if self._queue is not None:
            self._queue.close()
            self._queue = None

    def _iterate_here(self) -> Generator[T, None, None]:
        start = time.perf_counter()
        for chunk in self._chunks:
            batch = self._make_batch(chunk)
            self.wait_seconds += time.perf_counter() - start
            yield batch
            start = time.perf_counter()

    def _iterate_ahead(self) -> Generator[T, None, None]:
        queue = self._queue = _OrderedQueue(self._make_batch, iter(self._chunks), self._depth, self._threads)
        try:
            while True:
                start = time.perf_counter()
                outcome = queue.take()
                self.wait_seconds += time.perf_counter() - start
                if outcome is None:
                    return
                yield outcome.unwrap()
                del outcome  # or this frame would keep the batch alive while the next one is awaited
        finally:
            queue.close()


class _Outcome(Generic[T]):
    """A batch, or what was raised instead."""

    def __init__(self, batch: T | None = None, error: BaseException | None = None) -> None:
        self._batch = batch
        self._error = error

    def unwrap(self) -> T:
        if self._error is not None:
            raise self._error
        batch, self._batch = self._batch, None
        return batch  # type: ignore[return-value]  # None only where make_batch returned None


class _OrderedQueue(Generic[C, T]):
    """The threads of one iteration and the batches they have ready. One condition guards every field."""

    def __init__(self, make_batch: Callable[[C], T], chunks: Iterator[C], depth: int, threads: int) -> None:
        self._make_batch = make_batch
        self._chunks = chunks
        self._depth = depth
        self._changed = threading.Condition()
        self._ready: dict[int, _Outcome[T]] = {}
        self._started = 0  # chunks drawn
        self._taken = 0  # batches handed out
        self._exhausted = False  # no more chunks to draw
        self._threads = [threading.Thread(target=self._work, daemon=True, name=f"prefetch-{i}") for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def take(self) -> _Outcome[T] | None:
        """The next batch in order, or None after the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken in self._ready or self._is_over())
            if self._taken not in self._ready:
                return None
            outcome = self._ready.pop(self._taken)
            self._taken += 1
            self._changed.notify_all()
            return outcome

    def close(self) -> None:
        with self._changed:
            self._exhausted = True
            self._started = self._taken  # nothing is awaited any more: a consumer blocked in take() gets None
            self._ready.clear()
            self._changed.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _is_over(self) -> bool:
        return self._exhausted and self._taken >= self._started

    def _work(self) -> None:
        while (drawn := self._draw()) is not None:
            number, chunk = drawn
            try:
                outcome = _Outcome[T](self._make_batch(chunk))
            except BaseException as error:  # raised again in the consumer's thread
                outcome = _Outcome[T](error=error)
            self._put(number, outcome)
            del drawn, chunk, outcome

    def _draw(self) -> tuple[int, C] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._exhausted or self._started - self._taken < self._depth)
            if self._exhausted:
                return None
            number = self._started
            try:
                chunk = next(self._chunks)
            except StopIteration:
                self._exhausted = True
                self._changed.notify_all()
                return None
            except BaseException as error:  # raised again in the consumer's thread
                self._ready[number] = _Outcome(error=error)
                self._exhausted = True
                self._started += 1
                self._changed.notify_all()
                return None
            self._started += 1
            return number, chunk

    def _put(self, number: int, outcome: _Outcome[T]) -> None:
        with self._changed:
            if number < self._started:  # not after close()
                self._ready[number] = outcome
                self._changed.notify_all()
