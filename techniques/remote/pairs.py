"""Pairs of nodes as numbers, so that a sorted array is a set of edges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Codes = NDArray[np.int64]

CHUNK = 1 << 20


@dataclass(frozen=True)
class PairCode:
    """Numbers every pair of different nodes from 0 to ``size - 1``: sorted codes make sets of edges.

    ``num_nodes`` must stay below 2**31 for the codes to fit int64.
    """

    num_nodes: int
    undirected: bool

    @property
    def size(self) -> int:
        """How many pairs there are: N (N - 1), or half of it without directions."""
        return self.num_nodes * (self.num_nodes - 1) // (2 if self.undirected else 1)

    def encode(self, u: Ints, v: Ints) -> Codes:
        """Codes [m] of pairs with u != v."""
        u, v = u.astype(np.int64), v.astype(np.int64)
        if self.undirected:
            high = np.maximum(u, v)
            codes: Codes = high * (high - 1) // 2 + np.minimum(u, v)
        else:
            codes = u * (self.num_nodes - 1) + v - (v > u)
        return codes

    def decode(self, codes: Codes, dtype: Any) -> Ints:
        """Pairs [2, m] of these codes."""
        pairs: Ints = np.empty((2, len(codes)), dtype)
        for part in chunks(len(codes)):
            pairs[:, part] = _triangular(codes[part]) if self.undirected else self._square(codes[part])
        return pairs

    def _square(self, codes: Codes) -> tuple[Codes, Codes]:
        u, v = np.divmod(codes, max(self.num_nodes - 1, 1))
        return u, v + (v >= u)


def sorted_codes(edge_index: Ints, code: PairCode, chosen: NDArray[np.bool_] | None = None) -> Codes:
    """Sorted codes of the distinct pairs among the entries (``chosen``: [E], by default all) but self-loops."""
    kept = [_kept(edge_index, code, chosen, part) for part in chunks(edge_index.shape[1])]
    codes = np.empty(sum(int(np.count_nonzero(keep)) for keep in kept), np.int64)
    end = 0
    for part, keep in zip(chunks(edge_index.shape[1]), kept, strict=True):
        found = code.encode(edge_index[0, part][keep], edge_index[1, part][keep])
        codes[end : end + len(found)] = found
        end += len(found)
    codes.sort()
    return distinct(codes)


def member(codes: Codes, among: Codes) -> NDArray[np.bool_]:
    """Whether each code is among the sorted ones; searching in sorted order keeps the search in the cache."""
    order = np.argsort(codes)
    wanted = codes[order]
    position = np.minimum(np.searchsorted(among, wanted), len(among) - 1)
    found = np.empty(len(codes), np.bool_)
    found[order] = among[position] == wanted
    return found


def distinct(ordered: Codes) -> Codes:
    """Sorted codes without repeats; ``np.unique`` hashes, which is many times slower here."""
    first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered if first.all() else ordered[first]


def chunks(length: int) -> Iterator[slice]:
    """Slices that cover ``length``, short enough for scratch arrays to stay small."""
    for start in range(0, length, CHUNK):
        yield slice(start, min(start + CHUNK, length))


def _kept(edge_index: Ints, code: PairCode, chosen: NDArray[np.bool_] | None, part: slice) -> NDArray[np.bool_]:
    """Which entries of a chunk to look at: no self-loops, and one direction is enough where all are chosen."""
    u, v = edge_index[0, part], edge_index[1, part]
    keep: NDArray[np.bool_] = u < v if code.undirected and chosen is None else u != v
    return keep if chosen is None else keep & chosen[part]


def _triangular(codes: Codes) -> tuple[Codes, Codes]:
    """(low, high) with code = high (high - 1) / 2 + low; for N < 2**31 the root rounds up by one at most, never down."""
    high = ((np.sqrt(8.0 * codes + 1) + 1) / 2).astype(np.int64)
    high -= high * (high - 1) // 2 > codes
    return codes - high * (high - 1) // 2, high
