"""The work of ShaDow, root by root: find the nodes of an ego graph, then its edges, in tables that fit in the cache."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.hop import choose
from techniques.sampling.kernels.machine_code import IntArray, kernel, prefetch
from techniques.sampling.kernels.node_table import EMPTY, find
from techniques.sampling.kernels.pointers import grown
from techniques.sampling.kernels.random_bits import WEYL, mix
from techniques.sampling.kernels.subgraph import AHEAD_TARGETS, prefetch_list

SLOTS_PER_NODE = 4
FLAGS_PER_NODE = 128
MOST_FLAGS = 2**20  # one byte each: more would not fit in a second-level cache
BLOCK_EDGES = 512


class Ego(NamedTuple):
    """Work space for one ego graph at a time: a table of its nodes, and what each hop needs.

    ``flag[v & mask]`` is set if ``v`` is in the graph, and for few others: most edges lead out, and one byte tells.
    """

    flag: NDArray[np.uint8]
    keys: NDArray[np.int32]
    value: NDArray[np.int32]
    slot: NDArray[np.int64]
    begin: NDArray[np.int64]
    degree: NDArray[np.int64]
    pick: NDArray[np.int64]
    taken: NDArray[np.uint8]

    @classmethod
    def of_size(cls, size: int, taken: NDArray[np.uint8]) -> Ego:
        flag = np.zeros(min(max(FLAGS_PER_NODE * size, 2**14), MOST_FLAGS), np.uint8)
        keys, value = np.full(SLOTS_PER_NODE * size, EMPTY, np.int32), np.empty(SLOTS_PER_NODE * size, np.int32)
        slot, begin, degree, pick = np.empty((4, size), np.int64)
        return cls(flag, keys, value, slot, begin, degree, pick, taken)


class EgoOutput(NamedTuple):
    """The ego graphs of one batch so far."""

    node: NDArray[np.int64]
    ptr: NDArray[np.int64]
    source: NDArray[np.int32]
    edge: NDArray[np.int64]

    def longer(self, num_nodes: int, num_edges: int) -> EgoOutput:
        num_nodes, num_edges = max(len(self.node), num_nodes), max(len(self.source), num_edges)
        node, ptr = grown(self.node, num_nodes), grown(self.ptr, num_nodes + 1)
        return EgoOutput(node, ptr, grown(self.source, num_edges), grown(self.edge, num_edges))


class EgoScratch:
    """One thread's memory between batches; it grows to what the largest batch needed."""

    def __init__(self, max_degree: int) -> None:
        self.ego = Ego.of_size(64, np.zeros(max_degree, np.uint8))
        self.out = EgoOutput(np.empty(0, np.int64), np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.int64))

    def make_room(self, ego_nodes: int, num_nodes: int, num_edges: int) -> None:
        if ego_nodes > len(self.ego.slot):
            self.ego = Ego.of_size(1 << int(ego_nodes - 1).bit_length(), self.ego.taken)
        self.out = self.out.longer(2 * num_nodes, 2 * num_edges)


@kernel
def sample_egos(
    colptr: NDArray[np.int64], row: IntArray, roots: IntArray, depth: int, num_neighbors: int, replace: bool,
    seed: np.uint64, by_root: bool, with_edge: bool, first: int, node_ptr: NDArray[np.int64], ego: Ego, out: EgoOutput,
    needed: NDArray[np.int64],
) -> int:  # fmt: skip
    """Sample from root ``first`` on; return the first root that finds no room, all of whose traces are wiped.

    ``needed`` then says for how many nodes of one ego graph, and nodes and edges of the batch, there must be room.
    """
    needed[:] = 0
    for i in range(first, len(roots)):
        at, state = node_ptr[i], _start(seed, roots[i] if by_root else i)
        node = out.node[at:]
        size = _find_nodes(colptr, row, roots[i], depth, num_neighbors, replace, state, ego, node, needed)
        if needed[0] == 0:
            _induce(row, size, at, with_edge, ego, out, needed)
        for j in range(size):
            ego.keys[np.uint64(ego.slot[j])] = EMPTY
            ego.flag[node[j] & (len(ego.flag) - 1)] = 0
        if needed.any():
            needed[1] += at
            return i
        node_ptr[i + 1] = at + size
    return len(roots)


@kernel
def _start(seed: np.uint64, i: int) -> np.uint64:
    """Where the counter of root ``i`` begins: 64 random bits, lest the draws of two roots overlap."""
    z = seed + np.uint64(2 * i + 1) * WEYL
    return (mix(z) << np.uint64(32)) | mix(z + WEYL)


@kernel
def _find_nodes(
    colptr: NDArray[np.int64], row: IntArray, root: int, depth: int, num_neighbors: int, replace: bool,
    state: np.uint64, ego: Ego, node: NDArray[np.int64], needed: NDArray[np.int64],
) -> int:  # fmt: skip
    """Leave the nodes of one ego graph in ``node``, in order of discovery, and return how many there are."""
    ego.pick[0] = root
    first, size, wanted = 0, 0, 1
    for hop in range(depth + 1):
        if size + wanted > min(len(node), len(ego.slot)):
            needed[0] = needed[1] = size + wanted
            break
        first, size = size, _insert(wanted, ego, node, size)
        wanted = _look_up(colptr, node, first, size, num_neighbors, replace, ego.begin, ego.degree)
        if hop < depth and wanted <= len(ego.pick):
            state = _choose_neighbors(row, first, size, num_neighbors, replace, wanted, state, ego)
            for j in range(wanted):
                ego.pick[j] = row[np.uint64(ego.pick[j])]
                prefetch(colptr, ego.pick[j])
    return size


@kernel
def _insert(num_picks: int, ego: Ego, node: NDArray[np.int64], size: int) -> int:
    for j in range(num_picks):
        v = ego.pick[j]
        slot = find(ego.keys, np.uint64(v))
        if ego.keys[slot] == EMPTY:
            ego.keys[slot], ego.value[slot] = v, size
            ego.flag[v & (len(ego.flag) - 1)] = 1
            ego.slot[size], node[size] = slot, v
            size += 1
    return size


@kernel
def _look_up(
    colptr: NDArray[np.int64], node: NDArray[np.int64], first: int, stop: int, num_neighbors: int, replace: bool,
    begin: NDArray[np.int64], degree: NDArray[np.int64],
) -> int:  # fmt: skip
    """Look up the edges of nodes ``first:stop``; return how many they choose."""
    wanted = 0
    for j in range(np.uint64(first), np.uint64(stop)):
        v = np.uint64(node[j])
        begin[j] = colptr[v]
        degree[j] = colptr[v + np.uint64(1)] - colptr[v]
        all_of_them = num_neighbors < 0 or degree[j] == 0 or (degree[j] <= num_neighbors and not replace)
        wanted += degree[j] if all_of_them else num_neighbors
    return wanted


@kernel
def _choose_neighbors(
    row: IntArray, first: int, stop: int, num_neighbors: int, replace: bool, wanted: int, state: np.uint64, ego: Ego
) -> np.uint64:
    """Write the positions of the chosen edges of nodes ``first:stop`` to ``pick`` and ask for their lines of row."""
    if not replace or num_neighbors < 0:
        return choose(row, ego.begin, ego.degree, first, stop, num_neighbors, state, ego.taken, ego.pick, 0)[1]
    at = 0
    for j in range(first, stop):
        for _ in range(num_neighbors if ego.degree[j] > 0 else 0):
            state += WEYL
            ego.pick[at] = ego.begin[j] + np.int64((mix(state) * np.uint64(ego.degree[j])) >> np.uint64(32))
            prefetch(row, ego.pick[at])
            at += 1
    return state


@kernel
def _induce(
    row: IntArray, size: int, at: int, with_edge: bool, ego: Ego, out: EgoOutput, needed: NDArray[np.int64]
) -> None:
    """Append the edges between the nodes of one ego graph, target by target."""
    candidate = np.empty(BLOCK_EDGES, np.int64)
    end = out.ptr[at]
    for t in range(size):
        if t + AHEAD_TARGETS < size:
            prefetch_list(row, ego.begin[t + AHEAD_TARGETS], ego.degree[t + AHEAD_TARGETS])
        last = ego.begin[t] + ego.degree[t]
        for block in range(ego.begin[t], last, BLOCK_EDGES):
            found = _candidates(row, block, min(block + BLOCK_EDGES, last), ego.flag, candidate)
            if end + found > len(out.source):
                needed[2] = end + found
                return
            end = _keep(row, candidate, found, at, with_edge, ego, out, end)
        out.ptr[at + t + 1] = end


@kernel
def _candidates(row: IntArray, first: int, stop: int, flag: NDArray[np.uint8], candidate: NDArray[np.int64]) -> int:
    """Edges ``first:stop`` whose source is flagged: few, so eight are tested at a time."""
    found, mask, eight = np.uint64(0), np.uint64(len(flag) - 1), np.uint64(8)
    e, end = np.uint64(first), np.uint64(stop)
    while e < end:
        stop_group = min(e + eight, end)
        if stop_group - e == eight:
            flagged = np.uint8(0)
            for j in range(8):
                flagged |= flag[np.uint64(row[e + np.uint64(j)]) & mask]
            if flagged == 0:
                e = stop_group
                continue
        while e < stop_group:
            candidate[found] = e
            found += np.uint64(flag[np.uint64(row[e]) & mask])
            e += np.uint64(1)
    return int(np.int64(found))


@kernel
def _keep(
    row: IntArray,
    candidate: NDArray[np.int64],
    found: int,
    at: int,
    with_edge: bool,
    ego: Ego,
    out: EgoOutput,
    end: int,
) -> int:
    for j in range(found):
        slot = find(ego.keys, np.uint64(row[np.uint64(candidate[j])]))
        if ego.keys[slot] != EMPTY:
            out.source[end] = at + ego.value[slot]
            if with_edge:
                out.edge[end] = candidate[j]
            end += 1
    return end
