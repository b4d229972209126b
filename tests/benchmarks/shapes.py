"""Forecast against drawn batch sizes: from the degree histogram, with degree mixing, and from 50 drawn batches.

    python tests/benchmarks/shapes.py DIR

Truth is 400 batches drawn with other seeds (200 for subgraphs); the 99th percentile of truth is read off them. Figures
are relative errors in percent of the total nodes and edges of each layer. The only constant that was measured rather
than derived is ``TYPICAL_CLOSURE``: the table "held out" takes it as the median of the other graphs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.inspect.degrees import measured_degrees
from planner.inspect.mixing import with_mixing
from planner.inspect.opened import open_any, profiled
from planner.inspect.structure import scan
from techniques.errors import GnnfitError
from techniques.facts import GraphFacts
from techniques.sampling import degree_blocks as blocks_module
from techniques.sampling.degree_blocks import degree_blocks
from techniques.sampling.kernels import NeighborKernel, ShadowKernel, SubgraphKernel, build_csc
from techniques.sampling.kernels.saint import saint_edges, saint_nodes, saint_walks
from techniques.sampling.shapes import (
    HopSizes,
    drawn_sizes,
    hop_sizes,
    random_node_sizes,
    saint_edge_sizes,
    saint_node_sizes,
    saint_walk_sizes,
    shadow_sizes,
)
from techniques.step_shape import DrawnHops

LIKE_GRAPHS = (
    "ogbn-products@0.02", "ogbn-arxiv@0.2", "reddit@0.02", "reddit2@0.1", "flickr@0.5", "yelp@0.05", "igb-small@0.1",
)  # fmt: skip
FANOUTS = ((10, 5), (25, 10), (10, 10), (15, 10, 5), (5, 5, 5))
BATCH_SIZES = (64, 256, 1024, 4096)
TRUE_BATCHES, TRUE_SUBGRAPHS, DRAWN_BATCHES = 400, 200, 50
COLUMNS = ("mean nodes", "mean edges", "p99 nodes", "p99 edges")
HISTOGRAM, HELD_OUT, MIXING, DRAWN = "histogram", "held out", "mixing", "50 drawn"

Errors = dict[str, dict[str, list[tuple[float, ...]]]]
"""By forecast and then by graph: relative errors in the order of ``COLUMNS``."""


@dataclass(frozen=True)
class Known:
    """A graph at hand: its structure, and its facts with and without mixing."""

    name: str
    colptr: NDArray[np.int64]
    row: Any
    train: NDArray[np.int64]
    histogram: GraphFacts
    mixing: GraphFacts

    @property
    def num_nodes(self) -> int:
        return self.histogram.num_nodes


def read(graph: str) -> Known:
    """Open a graph and measure it; batches start from its training nodes, else from those with a label."""
    stored = open_any(graph)
    facts = profiled(stored, None, graph, check_values=False)
    edge_index: Any = np.asarray(stored.read("edge_index"))
    structure = scan(edge_index, facts.num_nodes)
    degrees = measured_degrees(structure.in_degrees)
    train = _train_nodes(stored, facts.num_nodes)
    mixed = with_mixing(degrees, edge_index, structure.in_degrees, structure.undirected, train)
    labels = facts.labels.model_copy(update={"train": len(train)})
    facts = facts.model_copy(update={"degrees": degrees, "labels": labels})
    colptr, row, _ = build_csc(edge_index, facts.num_nodes)
    return Known(facts.name, colptr, row, train, facts, facts.model_copy(update={"degrees": mixed}))


def _train_nodes(stored: Any, num_nodes: int) -> NDArray[np.int64]:
    if "train_mask" in stored.headers:
        mask = np.asarray(stored.read("train_mask"))
        return np.flatnonzero(mask if mask.ndim == 1 else mask[:, 0])
    labels = np.asarray(stored.read("y")) if "y" in stored.headers else np.zeros(num_nodes)
    return np.flatnonzero(labels >= 0) if labels.ndim == 1 else np.arange(num_nodes)


def neighbor_errors(graph: Known, typical: float, errors: Errors) -> None:
    """Add the errors of every batch size and fanouts."""
    kernel = NeighborKernel(graph.colptr, graph.row, graph.num_nodes)
    for size in sorted({min(size, len(graph.train)) for size in BATCH_SIZES}):
        for fanouts in FANOUTS:

            def draw(index: int, size: int = size, fanouts: tuple[int, ...] = fanouts) -> DrawnHops:
                rng = np.random.default_rng((7, index))
                hops = kernel.sample(graph.train[rng.permutation(len(graph.train))[:size]], fanouts, index)
                return DrawnHops(tuple(hops.num_sampled_nodes), tuple(hops.num_sampled_edges))

            truth = [draw(index) for index in range(TRUE_BATCHES)]
            add(errors, HISTOGRAM, graph.name, hop_sizes(graph.histogram, size, fanouts), truth)
            add(errors, HELD_OUT, graph.name, _with_closure(typical, graph.histogram, size, fanouts), truth)
            add(errors, MIXING, graph.name, hop_sizes(graph.mixing, size, fanouts), truth)
            fresh = [draw(10**6 + index) for index in range(DRAWN_BATCHES)]
            add(errors, DRAWN, graph.name, drawn_sizes(fresh), truth)


def _with_closure(closure: float, graph: GraphFacts, seeds: int, fanouts: tuple[int, ...]) -> HopSizes:
    stated = blocks_module.TYPICAL_CLOSURE
    try:
        blocks_module.TYPICAL_CLOSURE = closure
        blocks_module._cached_blocks.cache_clear()
        return hop_sizes(graph, seeds, fanouts)
    finally:
        blocks_module.TYPICAL_CLOSURE = stated
        blocks_module._cached_blocks.cache_clear()


def add(errors: Errors, kind: str, graph: str, forecast: HopSizes, truth: Sequence[DrawnHops]) -> None:
    """Compare the totals of every layer; a subgraph has one layer."""
    nodes = np.cumsum([batch.nodes for batch in truth], axis=1)
    edges = np.cumsum([batch.edges for batch in truth], axis=1)
    first = 1 if nodes.shape[1] > 1 else 0
    figures = (
        (forecast.mean_nodes, nodes.mean(axis=0), first),
        (forecast.mean_edges, edges.mean(axis=0), 0),
        (forecast.high_nodes, np.quantile(nodes, 0.99, axis=0), first),
        (forecast.high_edges, np.quantile(edges, 0.99, axis=0), 0),
    )
    layers = [
        [(said - seen) / max(seen, 1.0) for said, seen in zip(accumulate(hops), true, strict=True)][skip:]
        for hops, true, skip in figures
    ]
    errors.setdefault(kind, {}).setdefault(graph, []).extend(zip(*layers, strict=True))


def samplers(graph: Known) -> Iterator[tuple[str, Callable[[GraphFacts], HopSizes], Callable[[int], DrawnHops]]]:
    """Subgraph samplers: name, forecast, and one draw."""
    cut = SubgraphKernel(graph.colptr, graph.row, graph.num_nodes)
    csc = (graph.colptr, graph.row, graph.num_nodes)
    ego = ShadowKernel(*csc)

    def induced(choose: Callable[[int], NDArray[np.int64]], index: int) -> DrawnHops:
        nodes = choose(index)
        return DrawnHops((len(nodes),), (len(cut.induced(nodes).col_source),))

    def part(size: int, index: int) -> NDArray[np.int64]:
        return np.random.default_rng(index).permutation(graph.num_nodes)[:size]

    def egos(roots: int, width: int, index: int) -> DrawnHops:
        chosen = np.random.default_rng(index).permutation(graph.train)[:roots]
        drawn = ego.sample(chosen, 2, width, index)
        return DrawnHops((len(drawn.node),), (len(drawn.col_source),))

    for parts in (4, 20):
        size = max(graph.num_nodes // parts, 1)
        yield "random_node", partial(random_node_sizes, nodes_per_batch=size), partial(induced, partial(part, size))
    for budget in (500, 4000):
        nodes, edges = (partial(one, *csc, budget) for one in (saint_nodes, saint_edges))
        yield "saint_node", partial(saint_node_sizes, budget=budget), partial(induced, nodes)
        yield "saint_edge", partial(saint_edge_sizes, budget=budget), partial(induced, edges)
    for roots, length in ((200, 2), (2000, 2), (500, 4)):
        walks = partial(saint_walks, *csc, roots, length)
        yield "saint_walk", partial(saint_walk_sizes, roots=roots, length=length), partial(induced, walks)
    for roots, width in ((32, 10), (256, 5)):
        count = min(roots, len(graph.train))
        yield "shadow", partial(shadow_sizes, roots=count, depth=2, num_neighbors=width), partial(egos, count, width)


def subgraph_errors(graph: Known, errors: Errors) -> None:
    """Add the errors of every subgraph sampler."""
    for name, forecast, draw in samplers(graph):
        truth = [draw(index) for index in range(TRUE_SUBGRAPHS)]
        for kind, facts in ((HISTOGRAM, graph.histogram), (MIXING, graph.mixing)):
            add(errors, f"{name}, {kind}", graph.name, forecast(facts), truth)
        drawn = [draw(10**6 + index) for index in range(DRAWN_BATCHES)]
        add(errors, f"{name}, {DRAWN}", graph.name, drawn_sizes(drawn), truth)


def row(name: str, rows: Sequence[tuple[float, ...]], within: float) -> str:
    """One line: for each column bias, median, 95th percentile and worst error, and the share within a limit."""
    cells = []
    for column in zip(*rows, strict=True):
        sizes = np.abs(column) * 100
        figures = (100 * float(np.mean(column)), np.median(sizes), np.quantile(sizes, 0.95), sizes.max())
        cells.append("{:6.1f} {:5.1f} {:5.1f} {:6.1f}".format(*figures) + f" {np.mean(sizes <= within):5.0%}")
    return f"{name:26}" + " |".join(cells)


def show(errors: Errors, by_graph: bool) -> None:
    """Print a table for each forecast."""
    for kind, graphs in errors.items():
        within = 3.0 if kind.endswith(DRAWN) else 15.0
        print(f"\n{kind}: bias, median, 95 %, worst error in %, share within {within:g} %: {', '.join(COLUMNS)}")
        for name, rows in graphs.items() if by_graph else ():
            print(row(name, rows, within))
        print(row("all", [one for rows in graphs.values() for one in rows], within))
        medians = [tuple(float(np.median(np.abs(c))) for c in zip(*rows, strict=True)) for rows in graphs.values()]
        print(row("graphs by their medians", medians, within))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of .npz graphs")
    parser.add_argument("--only", nargs="*", default=[], help="names of graphs that contain one of these")
    arguments = parser.parse_args()
    names = [str(path) for path in sorted(arguments.folder.glob("*.npz")) if not path.name.startswith("tu_")]
    names += [f"like:{name}" for name in LIKE_GRAPHS]
    graphs = []
    for name in names:
        if arguments.only and not any(part in name for part in arguments.only):
            continue
        try:
            graphs.append(read(name))
        except GnnfitError as error:
            print(f"{name}: {error}", file=sys.stderr)
    closures = {graph.name: degree_blocks(graph.mixing).closure for graph in graphs}
    print("closure beyond chance:", ", ".join(f"{name} {value:.3f}" for name, value in closures.items()))
    print(f"median {statistics.median(closures.values()):.3f}")
    hops: Errors = {}
    cut: Errors = {}
    for graph in graphs:
        others = [value for name, value in closures.items() if name != graph.name]
        neighbor_errors(graph, statistics.median(others or closures.values()), hops)
        subgraph_errors(graph, cut)
    show(hops, by_graph=True)
    show(cut, by_graph=True)


if __name__ == "__main__":
    main()
