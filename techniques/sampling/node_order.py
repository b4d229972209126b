"""Nodes renumbered once so that neighbours lie side by side in memory: what it costs, and what sums over them gain.

Measured (tests/benchmarks/orderings.py): whole-graph sums gain where rows leave the cache and the given ids scatter
neighbours. Sorting by degree gains next to nothing; METIS parts gain as much as communities and take six times as long to
find (like:ogbn-products@0.1), so neither is offered. Sampled batches number their nodes themselves and gain nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from techniques.base import Knob, Slot, Stage, Verdict, refuse
from techniques.facts import FLOAT_BYTES, Facts, GraphFacts, Task
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.hardware.rates import Rates, rates
from techniques.job import Job, JobSpec, setting_int
from techniques.step_shape import DrawnHops

if TYPE_CHECKING:
    from techniques.sampling.drawn import DrawnGraph

NODE_ORDER = "node_order"
AS_GIVEN, RCM, COMMUNITY = "as_given", "rcm", "community"
CACHE_BYTES = 16 * 2**20
"""Rows that sums find in the processor's last cache: half of a usual one, which others use, too."""
MOST_ROWS = 65_536
MOST_COMMUNITY_NODES = 4096
"""A community's rows of 64 floats fill a megabyte, a core's own cache."""
SECONDS_PER_NODE = {RCM: 80e-9, COMMUNITY: 1e-6}
SECONDS_PER_EDGE = {RCM: 8e-9, COMMUNITY: 80e-9}
"""Finding an order, one thread (processor time on graphs of 0.7 to 12 M edges)."""
RENUMBER_SECONDS_PER_EDGE = 40e-9
SCRATCH_BYTES_PER_NODE = {RCM: 36, COMMUNITY: 58}
MOST_SAVED = 0.6
"""Share of an epoch that is counted as saved at most."""


def node_order_knob(facts: Facts) -> Knob:
    """As given, unless asked for; tuned where the hidden rows of all nodes are more than a cache holds."""
    large = facts.graph.num_nodes * FLOAT_BYTES * (facts.model.hidden or 64) > 2 * CACHE_BYTES
    return Knob(
        name=NODE_ORDER,
        text="renumber nodes once so that neighbours are near in memory: reverse Cuthill-McKee, or by community",
        default=AS_GIVEN,
        choices=(AS_GIVEN, RCM, COMMUNITY),
        tuned=large and can_renumber(facts) and not facts.hardware.gpus,
    )


def order_of(spec: JobSpec) -> str:
    """The order that a spec asks for."""
    return str(spec.settings.get(NODE_ORDER, AS_GIVEN))


def can_renumber(facts: Facts) -> bool:
    """One graph with one type of nodes."""
    return facts.task is not Task.GRAPH and facts.graph.num_graphs == 1 and not facts.graph.heterogeneous


def order_verdict(facts: Facts, spec: JobSpec) -> Verdict | None:
    """A refusal where nodes of other kinds or of other graphs would be mixed."""
    order = order_of(spec)
    if order == AS_GIVEN:
        return None
    rule = "nodes are renumbered in one graph with one type of nodes, as it is stored"
    if not can_renumber(facts):
        text = "nodes of one graph, or of one type, must stay together"
        return refuse(NODE_ORDER, order, rule, "gnnfit", text)
    if spec.options[Slot.ARCHITECTURE] in ("sgc", "sign"):
        return refuse(NODE_ORDER, order, rule, "gnnfit", "features are propagated once: training sums no neighbours")
    if spec.options[Slot.REPRESENTATION_FEATURES] == "embedding":
        return refuse(NODE_ORDER, order, rule, "gnnfit", "a learned table has its rows in the graph's own order")
    if spec.options[Slot.COARSENING] != "none":
        return refuse(NODE_ORDER, order, rule, "gnnfit", "a coarse graph has an order of its own")
    return None


@dataclass(frozen=True)
class Renumber:
    """Find the order, and move the structure, the labels and the splits; features are read in it afterwards."""

    order: str
    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        structure = so_far.held[(Place.HOST, "structure")].expected
        plain = 8 * (graph.num_nodes + 1) + 4 * graph.num_edges
        positions = 8 * graph.num_edges if structure > plain + 1 else 0.0
        finding = SCRATCH_BYTES_PER_NODE[self.order] * graph.num_nodes
        finding += 0 if graph.undirected else 4 * graph.num_edges + 8 * graph.num_nodes
        moving = 4 * graph.num_nodes + structure + positions
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "node order", Range.exact(8 * graph.num_nodes))
        so_far = so_far.spike(Phase.PREPARE, Place.HOST, Range.within(max(finding, moving), 0.15))
        return so_far.spend(Phase.PREPARE, Range.factor(order_seconds(graph, self.order), 3))

    def build(self, job: Job) -> Job:
        from techniques.sampling.renumbered import renumber

        return renumber(job, self.order)


@dataclass(frozen=True)
class GatherFeatures:
    """Rows of features pass through memory a chunk at a time on their way to their new places."""

    chunk_rows: int = 65_536
    stage: Stage = Stage.SEEDS

    def forecast(self, so_far: Forecast) -> Forecast:
        features, nodes = so_far.facts.graph.features, so_far.facts.graph.num_nodes
        if features.generated:
            return so_far
        chunk = FLOAT_BYTES * min(nodes, self.chunk_rows) * features.width
        if features.sparse_at_rest:
            chunk = FLOAT_BYTES * features.nonzeros
        return so_far.spike(Phase.PREPARE, Place.HOST, Range(0.0, chunk, chunk))

    def build(self, job: Job) -> Job:
        return job


@dataclass(frozen=True)
class FasterSums:
    """What sums over neighbours gain: every row that is found in the cache need not come from memory.

    Counted on the host only, where it was measured, for undirected graphs at hand; for others no gain is counted.
    """

    order: str
    rows: int
    speed: Rates
    stage: Stage = Stage.EVALUATE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        if so_far.draw is None or self.speed.place is not Place.HOST or not graph.undirected:
            return so_far
        more = reuse_gain(tuple(so_far.draw(RowReuse(self.rows))), self.order)
        gathered_bytes = FLOAT_BYTES / 2 * so_far.aggregation_flops_per_epoch.expected
        saved = more * gathered_bytes / self.speed.bytes_per_second
        saved = min(saved, MOST_SAVED * so_far.phases[Phase.TRAIN].seconds.expected)
        return so_far.spend(Phase.TRAIN, Range(-saved / 3, -saved, -saved))

    def build(self, job: Job) -> Job:
        return job


@dataclass(frozen=True)
class RowReuse:
    """Looks, in some places, at how many different rows sums read: as the ids are, by breadth first, by community."""

    rows: int
    quick_to_draw: ClassVar[bool] = False

    def draw(self, graph: DrawnGraph, index: int) -> DrawnHops:
        import numpy as np

        from techniques.sampling.kernels.reuse import rows_in_order, rows_of_ball, rows_of_community

        start = int(np.random.default_rng((index, self.rows)).integers(graph.num_nodes))
        found = [
            rows_in_order(graph.colptr, graph.row, start, self.rows),
            rows_of_ball(graph.colptr, graph.row, start, self.rows),
            rows_of_community(graph.colptr, graph.row, start, min(self.rows, MOST_COMMUNITY_NODES)),
        ]
        return DrawnHops(tuple(rows for rows, _ in found), tuple(entries for _, entries in found))


def reuse(drawn: tuple[DrawnHops, ...]) -> tuple[float, float, float]:
    """Shares of rows found in the cache: as given, in the order of reverse Cuthill-McKee, by community."""
    rows = [sum(one.nodes[kind] for one in drawn) for kind in range(3)]
    entries = [sum(one.edges[kind] for one in drawn) for kind in range(3)]
    given, ball, community = (1 - read / max(all_read, 1) for read, all_read in zip(rows, entries, strict=True))
    return given, ball, max(ball, community)  # communities stand in the order of reverse Cuthill-McKee themselves


def reuse_gain(drawn: tuple[DrawnHops, ...], order: str) -> float:
    """Share of rows that an order finds in the cache beyond those that the given one does; 0 to 1."""
    given, ball, community = reuse(drawn)
    return max({RCM: ball, COMMUNITY: community}[order] - given, 0.0)


def order_seconds(graph: GraphFacts, order: str) -> float:
    """Finding an order and renumbering, once."""
    finding = SECONDS_PER_NODE[order] * graph.num_nodes + SECONDS_PER_EDGE[order] * graph.num_edges
    return finding + RENUMBER_SECONDS_PER_EDGE * graph.num_edges


def rows_in_cache(facts: Facts, spec: JobSpec) -> int:
    """Rows as wide as the hidden layers that the cache holds."""
    hidden = setting_int(spec.settings, "hidden") if "hidden" in spec.settings else facts.model.hidden or 64
    return max(16, min(CACHE_BYTES // (FLOAT_BYTES * hidden), MOST_ROWS))


def order_parts(facts: Facts, spec: JobSpec) -> tuple[Renumber | GatherFeatures | FasterSums, ...]:
    """What an order adds to a job; nothing where nodes stay as they are."""
    order = order_of(spec)
    if order == AS_GIVEN:
        return ()
    return (
        Renumber(order),
        GatherFeatures(),
        FasterSums(order, rows_in_cache(facts, spec), rates(facts, spec)),
    )


def order_recipe(spec: JobSpec) -> str:
    """The same in plain numpy and PyG."""
    order = order_of(spec)
    if order == AS_GIVEN:
        return ""
    find = "rcm_order(colptr, row, data.is_undirected())"
    if order == COMMUNITY:
        find = f"community_order(colptr, row, data.is_undirected(), {MOST_COMMUNITY_NODES})"
    name = f"{order}_order"
    moved = "value[order]"
    if spec.options[Slot.REPRESENTATION_FEATURES] == "csr":
        moved = "value[order] if value.layout is torch.strided else value.to_dense()[order].to_sparse_csr()"
    return f"""\
from techniques.sampling.kernels import build_csc
from techniques.sampling.kernels.orders import {name}
colptr, row, _ = build_csc(data.edge_index.numpy(), data.num_nodes)
order = torch.from_numpy({find})  # node order[i] becomes node i
rank = torch.empty_like(order)
rank[order] = torch.arange(len(order))
for name, value in data.to_dict().items():
    if data.is_node_attr(name):
        data[name] = {moved}
data.edge_index = rank[data.edge_index]
# Rows of model(...) are in the new order: out[rank] is in that of the graph.
"""
