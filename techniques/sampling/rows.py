"""Mini-batches of plain rows: for architectures whose features are propagated before training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict, refuse
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, Facts, GraphFacts
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.job import Job, JobSpec, setting_int
from techniques.recipe_parts import precomputes
from techniques.sampling.batches import (
    SampledBatches,
    at_least_one,
    needs_node_labels,
    prefetch_knob,
    whole_epochs,
)
from techniques.sampling.seeds import OrderedSeeds, draws_balanced, seed_order_knob, seeds_per_step
from techniques.sampling.shapes import HopSizes
from techniques.step_shape import DrawnHops, LayerShape, StepShape

if TYPE_CHECKING:
    from techniques.sampling.drawn import DrawnGraph


@dataclass(frozen=True)
class RowBatches(SampledBatches):
    """Rows of some training nodes a step; a node that is drawn twice is there twice."""

    batch_size: int
    balanced: bool
    drawable: ClassVar[bool] = False
    basis: ClassVar[str] = "rows of the training nodes"
    from_counts: ClassVar[bool] = False

    def counted(self, graph: GraphFacts) -> HopSizes:
        rows = float(min(self.batch_size, graph.num_train))
        return HopSizes([rows], [0.0], [rows], [0.0])

    def draw(self, graph: DrawnGraph, index: int) -> DrawnHops:
        return DrawnHops((min(self.batch_size, graph.train.size),), (0,))

    def steps(self, graph: GraphFacts) -> tuple[int, float]:
        return whole_epochs(graph.num_train, self.batch_size)

    def seeds(self, graph: GraphFacts, nodes: float) -> float:
        return nodes

    def scratch_bytes(self, graph: GraphFacts, shape: StepShape) -> float:
        return 0.0

    def _block_bytes(self, so_far: Forecast, shape: StepShape) -> float:
        return 0.0

    def build(self, job: Job) -> Job:
        from techniques.sampling.row_batches import row_batches

        return row_batches(job, self)


@dataclass(frozen=True)
class AllRows:
    """The rows of all training nodes, gathered once."""

    layers: int
    stage: Stage = Stage.BATCH

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        layer = LayerShape.homogeneous(graph.num_train, graph.num_train, 0.0)
        shape = StepShape((layer,) * self.layers, seeds=graph.num_train)
        so_far = so_far.changed(shape=shape, largest_shape=shape, steps_per_epoch=1)
        so_far = so_far.resting_on("rows of all training nodes as one batch")
        batch = (FLOAT_BYTES * graph.features.width + 2 * INDEX_BYTES) * graph.num_train
        return so_far.hold(Phase.PREPARE, Place.HOST, "batch", Range.within(batch, 0.02))

    def build(self, job: Job) -> Job:
        from techniques.sampling.row_batches import all_rows

        return all_rows(job, self.layers)


class Rows:
    """Nothing is sampled but the rows themselves: propagation has been done (SGC, SIGN), so gradients are exact on
    average and a step's memory is its rows (Frasca et al., 2020, section 3)."""

    __slots__ = ()
    slot = Slot.SAMPLING
    name = "rows"
    text = "batches of propagated rows: no neighbours to sample, for sgc and sign only"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        if refused := needs_node_labels(facts):
            return refused
        name = spec.options[Slot.ARCHITECTURE]
        if not precomputes(spec):
            text = "its layers need neighbours, and plain rows have none"
            return refuse("architecture", name, "rows serve features propagated before", "Frasca et al., 2020", text)
        size = at_least_one(spec.settings, "batch_size")
        if size >= facts.graph.num_train:
            text = f"one batch would hold all {facts.graph.num_train:,} training rows: full_batch does the same"
            return refuse("batch_size", size, "fewer rows than there are to train on", "gnnfit", text)
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        choices = (256, 512, 1024, 2048, 4096)
        fewer = [size for size in choices[:3] if size < facts.graph.num_train]
        size = Knob(name="batch_size", text="seeds per step", default=max(fewer, default=choices[0]), choices=choices)
        return (size, seed_order_knob(facts), prefetch_knob())

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        batches = RowBatches(
            layers=setting_int(spec.settings, "layers"),
            prefetch=setting_int(spec.settings, "prefetch"),
            sparse_features=False,
            batch_size=seeds_per_step(facts, spec),
            balanced=draws_balanced(spec),
        )
        return (OrderedSeeds(batches.balanced), batches)

    def recipe(self, spec: JobSpec) -> str:
        imported, order = "", "shuffle=True"
        if draws_balanced(spec):
            imported = "from torch_geometric.loader import ImbalancedSampler\n"
            order = "sampler=ImbalancedSampler(data, input_nodes=data.train_mask)"
        return f"""\
{imported}from torch_geometric.data import Data


def rows(nodes):
    \"\"\"A batch of plain rows.\"\"\"
    chosen = torch.stack(nodes)
    return Data(x=data.x[chosen], y=data.y[chosen])


loader = torch.utils.data.DataLoader(
    data.train_mask.nonzero().flatten(),
    batch_size={spec.settings["batch_size"]},
    collate_fn=rows,
    {order},
)


def loss_of(batch):
    out = model(batch.x)
    return criterion(out, batch.y), len(out)"""


ROWS = Rows()
