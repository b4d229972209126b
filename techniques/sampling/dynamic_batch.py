"""Graphs of uneven size in batches of even cost: fewer large ones or more small ones a step."""

from __future__ import annotations

from techniques.base import USABLE, Knob, Part, Slot, Verdict
from techniques.facts import Facts, Task
from techniques.job import JobSpec, setting_int
from techniques.recipe_parts import graph_loss
from techniques.sampling.batches import at_least_one, has_sparse_features, prefetch_knob
from techniques.sampling.graph_batch import default_graphs
from techniques.sampling.graph_batches import EvenBatches, needs_graph_labels, set_sizes

NODES, EDGES = "nodes", "edges"


class DynamicBatch:
    """Every step costs about the same, so memory is bounded by the mean and not by chance (source, technique 4; PyG
    DynamicBatchSampler).

    PyG's fills a batch until the next graph would not fit, so an epoch has no known length and its last batch is what is
    left. Here an epoch has a fixed number of steps, and a shuffled order of the training graphs is cut at equal shares
    of their total cost: every graph is seen once an epoch, none is too big.
    """

    __slots__ = ()
    slot = Slot.SAMPLING
    name = "dynamic_batch"
    text = "batches of even cost from graphs of uneven size"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        return needs_graph_labels(facts) or USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return (batch_cost_knob(facts), cost_knob(), prefetch_knob())

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        batches = EvenBatches(
            layers=setting_int(spec.settings, "layers"),
            prefetch=setting_int(spec.settings, "prefetch"),
            sparse_features=has_sparse_features(spec),
            cost=str(spec.settings["cost"]),
            batch_cost=at_least_one(spec.settings, "batch_cost"),
        )
        return (batches,)

    def recipe(self, spec: JobSpec) -> str:
        return f"""\
from techniques.sampling.loader import GraphLoader
# torch_geometric.loader.DynamicBatchSampler evens out costs, too, but its epochs have no known length.
loader = GraphLoader(
    data,
    data.train_mask,
    batch_cost={spec.settings["batch_cost"]},
    cost="{spec.settings["cost"]}",
    shuffle=True,
)


{graph_loss(spec)}"""


def cost_knob() -> Knob:
    """What a step costs: on a CPU and on a GPU both grow with edges where messages are gathered, else with nodes."""
    return Knob(name="cost", text="what is evened out", default=NODES, choices=(NODES, EDGES), tuned=False)


def batch_cost_knob(facts: Facts) -> Knob:
    """Nodes (or edges) of one step: around those of as many graphs as a plain batch has."""
    mean = set_sizes(facts.graph).nodes_mean if facts.task is Task.GRAPH and facts.graph.graph_set else 32.0
    default = max(1, round(default_graphs(facts) * mean))
    choices = tuple(sorted({max(1, round(default * factor)) for factor in (0.25, 0.5, 1, 2, 4)}))
    return Knob(name="batch_cost", text="nodes (or edges) per step", default=default, choices=choices)


DYNAMIC_BATCH = DynamicBatch()
