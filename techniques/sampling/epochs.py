"""Epoch after epoch of batches, made ahead by a thread; adds up how long the trainer waited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

import torch

from techniques.sampling.prefetch import Prefetcher

if TYPE_CHECKING:
    from techniques.architecture.network import Batch

C = TypeVar("C")
"""What one batch is made of, such as places in the list of training nodes."""


class Epochs(Generic[C]):
    """Hands out epochs.

    Args:
        chunks: what the batches of a new epoch are made of; called before the epoch starts, so that the thread shares
            no random generator with dropout.
        make: one batch of a chunk and a random seed of its own.
        prefetch: batches made ahead by a thread; 0 makes each when it is asked for.
    """

    def __init__(self, chunks: Callable[[], list[C]], make: Callable[[C, int], Batch], prefetch: int) -> None:
        self._chunks, self._make, self._prefetch = chunks, make, prefetch
        self.wait_seconds = 0.0

    def epoch(self) -> Iterator[Batch]:
        """One epoch; random choices follow torch's generator."""
        chunks = self._chunks()
        seeds = torch.randint(2**62, (len(chunks),)).tolist()
        threads = 1 if self._prefetch else 0
        pairs = list(zip(chunks, seeds, strict=True))
        batches = Prefetcher(lambda pair: self._make(*pair), pairs, depth=max(self._prefetch, 1), threads=threads)
        try:
            yield from batches
        finally:  # a deadline leaves an epoch in the middle
            self.wait_seconds += batches.wait_seconds
