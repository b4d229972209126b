"""ShaDow (Zeng et al., NeurIPS 2021): each root is classified from a small ego graph of its own, however deep the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from techniques.base import USABLE, Knob, Part, Slot, Verdict, refuse
from techniques.facts import INDEX_BYTES, Facts, GraphFacts
from techniques.forecast import Forecast
from techniques.job import Job, JobSpec, setting_int
from techniques.recipe_parts import inputs, seed_order
from techniques.sampling.batches import (
    SubgraphBatches,
    at_least_one,
    has_sparse_features,
    needs_node_labels,
    prefetch_knob,
    whole_epochs,
)
from techniques.sampling.neighbor import batch_size_knob
from techniques.sampling.seeds import OrderedSeeds, distinct_seeds, draws_balanced, seed_order_knob
from techniques.sampling.shapes import HopSizes
from techniques.sampling.subgraph_shapes import shadow_sizes
from techniques.step_shape import DrawnHops, StepShape

if TYPE_CHECKING:
    from techniques.sampling.drawn import DrawnGraph

DEPTHS = (2, 3, 4, 6, 8)
NEIGHBORS = (5, 3, 2)
LARGEST_REACH = 4_096
"""Nodes that an ego graph may reach by the tree bound before it takes fewer neighbours per node."""


@dataclass(frozen=True)
class EgoBatches(SubgraphBatches):
    """``batch_size`` roots, each with ``num_neighbors`` neighbours per node, ``depth`` hops deep; ``everyone`` may be one, as
    in evaluation, not only training nodes, and then they are half as many as are trained on at once: ego graphs of other nodes
    may be larger."""

    kernel = "shadow"
    batch_size: int
    depth: int
    num_neighbors: int
    balanced: bool
    everyone: bool = False

    def counted(self, graph: GraphFacts) -> HopSizes:
        roots = self.seeds(graph, 0.0)
        return shadow_sizes(graph, roots, self.depth, self.num_neighbors)

    def draw(self, graph: DrawnGraph, index: int) -> DrawnHops:
        roots = graph.seeds(self._roots(graph.train.size), self.balanced, index, self.everyone)
        found = graph.shadow.sample(roots, self.depth, self.num_neighbors, index)
        return DrawnHops((found.node.size,), (found.col_source.size,))

    def seeds(self, graph: GraphFacts, nodes: float) -> float:
        if self.everyone:
            return self._roots(graph.num_train)
        return distinct_seeds(graph, self.batch_size, self.balanced)

    def judged_at_once(self, num_train: int) -> int:
        """Roots of a batch in evaluation."""
        return max(min(self.batch_size, num_train) // 2, 1)

    def _roots(self, num_train: int) -> int:
        return self.judged_at_once(num_train) if self.everyone else self.batch_size

    def shape(self, graph: GraphFacts, nodes: list[float], edges: list[float]) -> StepShape:
        found = super().shape(graph, nodes, edges)
        return replace(found, reached=max(found.input_nodes - found.seeds, 0.0))

    def steps(self, graph: GraphFacts) -> tuple[int, float]:
        return whole_epochs(graph.num_train, self.batch_size)

    def scratch_bytes(self, graph: GraphFacts, shape: StepShape) -> float:
        """A mark for every neighbour of the largest hub; room for the nodes and edges of a batch, half of it to spare."""
        return graph.degrees.max + 1.5 * (16 * shape.input_nodes + 4 * shape.input_edges)

    def _block_bytes(self, so_far: Forecast, shape: StepShape) -> float:
        """Beside the block, the ego graph of every node."""
        return super()._block_bytes(so_far, shape) + INDEX_BYTES * shape.input_nodes

    def build(self, job: Job) -> Job:
        from techniques.sampling.ego_graphs import ego_batches

        return ego_batches(job, self)


class ShadowKHop:
    """Wide neighbourhoods at bounded cost where degrees are low, as in road networks; nodes that roots share are
    computed once per root (source, technique 4, and case E)."""

    __slots__ = ()
    slot = Slot.SAMPLING
    name = "shadow_k_hop"
    text = "an ego graph per root: wide context on graphs of low degree, depth apart from reach"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        if refused := needs_node_labels(facts):
            return refused
        depth, wanted = at_least_one(spec.settings, "depth"), facts.goal.context_hops
        if wanted is not None and wanted > depth:
            text = f"ego graphs reach {depth} hops, {wanted} are wanted"
            return refuse("context", wanted, "reach of the ego graph", "source, technique 4", text)
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        wanted = facts.goal.context_hops or 0
        depth = max(wanted, 2)
        depths = tuple(sorted({depth, *(one for one in DEPTHS if one >= wanted)}))
        degree = facts.graph.mean_degree
        neighbors = next((one for one in NEIGHBORS if min(one, degree) ** depth <= LARGEST_REACH), NEIGHBORS[-1])
        return (
            batch_size_knob(),
            Knob(name="depth", text="hops that an ego graph reaches (k)", default=depth, choices=depths),
            Knob(
                name="num_neighbors",
                text="neighbours per node and hop of an ego graph",
                default=neighbors,
                choices=(2, 3, 5, 10),
            ),
            seed_order_knob(facts),
            prefetch_knob(),
        )

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        batches = ego_part(spec)
        return (OrderedSeeds(batches.balanced), batches)

    def recipe(self, spec: JobSpec) -> str:
        imported, order = seed_order(spec)
        return f"""\
{imported}
from techniques.sampling.loader import ShaDowKHopSampler
from torch_geometric.nn import global_mean_pool
# torch_geometric.loader has the same ShaDowKHopSampler where torch-sparse is installed.
loader = ShaDowKHopSampler(
    data,
    depth={spec.settings["depth"]},
    num_neighbors={spec.settings["num_neighbors"]},
    node_idx=data.train_mask,
    batch_size={spec.settings["batch_size"]},
    {order},
)


def loss_of(batch):
    hidden = model.dropout(model({inputs(spec)}).relu())
    graphs = global_mean_pool(hidden, batch.batch)
    out = model.readout(torch.cat([hidden[batch.root_n_id], graphs], dim=1))
    return criterion(out, batch.y), len(out)"""


def ego_part(spec: JobSpec, everyone: bool = False) -> EgoBatches:
    """The batches of a spec: those that it trains on, or those of ``everyone`` that it is judged on."""
    settings = spec.settings
    return EgoBatches(
        layers=setting_int(settings, "layers"),
        prefetch=setting_int(settings, "prefetch"),
        sparse_features=has_sparse_features(spec),
        batch_size=at_least_one(settings, "batch_size"),
        depth=at_least_one(settings, "depth"),
        num_neighbors=at_least_one(settings, "num_neighbors"),
        balanced=draws_balanced(spec) and not everyone,
        everyone=everyone,
    )


SHADOW_K_HOP = ShadowKHop()
