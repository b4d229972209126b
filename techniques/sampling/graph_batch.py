"""A fixed number of graphs a step: what PyG's ``DataLoader`` does with a list of graphs."""

from __future__ import annotations

from techniques.base import USABLE, Knob, Part, Slot, Verdict
from techniques.facts import Facts
from techniques.job import JobSpec, setting_int
from techniques.recipe_parts import graph_loss
from techniques.sampling.batches import at_least_one, has_sparse_features, prefetch_knob
from techniques.sampling.graph_batches import FixedBatches, needs_graph_labels

BATCH_SIZES = (16, 32, 64, 128, 256)
FEWEST_STEPS = 4


class GraphBatch:
    """As many graphs in every step, whatever their sizes: simple, and as uneven in cost as its graphs (source,
    technique 4)."""

    __slots__ = ()
    slot = Slot.SAMPLING
    name = "graph_batch"
    text = "a fixed number of graphs a step: simple, costs vary with their sizes"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        return needs_graph_labels(facts) or USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return (graphs_knob(facts), prefetch_knob())

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        batches = FixedBatches(
            layers=setting_int(spec.settings, "layers"),
            prefetch=setting_int(spec.settings, "prefetch"),
            sparse_features=has_sparse_features(spec),
            batch_size=at_least_one(spec.settings, "batch_size"),
        )
        return (batches,)

    def recipe(self, spec: JobSpec) -> str:
        return f"""\
from techniques.sampling.loader import GraphLoader
# torch_geometric.loader.DataLoader makes the same batches of a list of Data, with Python for every graph.
loader = GraphLoader(data, data.train_mask, batch_size={spec.settings["batch_size"]}, shuffle=True)


{graph_loss(spec)}"""


def default_graphs(facts: Facts) -> int:
    """64 graphs, or fewer so that an epoch has a few steps."""
    train = facts.graph.num_train
    return next((size for size in (64, 32) if train >= FEWEST_STEPS * size), BATCH_SIZES[0])


def graphs_knob(facts: Facts) -> Knob:
    """Graphs of one step."""
    return Knob(name="batch_size", text="graphs per step", default=default_graphs(facts), choices=BATCH_SIZES)


GRAPH_BATCH = GraphBatch()
