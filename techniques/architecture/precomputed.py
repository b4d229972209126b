"""What SGC and SIGN share: features are propagated once, before training; then rows are all that a step needs."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from techniques.architecture.built_in import BuiltIn
from techniques.architecture.chunks import INFERENCE_CHUNK_BYTES
from techniques.architecture.costs import LayerCost, activations_moved, dropped_out
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.operations.passes import Passes, linear
from techniques.architecture.train_step import TrainStep
from techniques.base import Knob, Part, Slot, Stage, Verdict, refuse
from techniques.facts import FLOAT_BYTES, Facts
from techniques.forecast import BATCH_LABELS, Forecast, Phase, Place, Range
from techniques.hardware.allocator import resident
from techniques.hardware.operations import fused_sum, product, stream
from techniques.hardware.rates import Rates, host_rates, rates
from techniques.job import Job, JobSpec, setting_int
from techniques.recipe_parts import ROW_SAMPLERS
from techniques.sampling.batches import needs_one_graph

if TYPE_CHECKING:
    from torch import Tensor, nn

CHUNK_BYTES = 2**19
"""Rows, and what the widest layer makes of them, that evaluation holds at once; at least ``FEWEST_ROWS``."""
FEWEST_ROWS = 256
COLUMN_BYTES = 64 * 2**20
"""Columns that are propagated at once: so many bytes of them, but at least ``FEWEST_COLUMNS``."""
FEWEST_COLUMNS = 4
FUSED_EDGES = 4_000_000
"""Edges whose values a sparse product holds at once (``network.target_chunks``)."""


class Precomputed(BuiltIn):
    """Neighbours are averaged while preparing; a step is a perceptron on rows and knows no edges."""

    __slots__ = ()
    uses_edge_weight = True
    default_steps: ClassVar[int]
    default_layers: ClassVar[int]
    adds_loops: ClassVar[bool]
    keeps_all: ClassVar[bool]
    """Whether the features before, and after every step, stand side by side; else the last step's replace them."""

    @abstractmethod
    def pyg_propagation(self, steps: int) -> str:
        """PyG code that puts propagated features into ``data.x``."""

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        options, source = spec.options, self.paper()
        text = "rows propagated before training are pooled by no graph: gin, sage and gcn have a readout"
        if refused := needs_one_graph(facts, "architecture", self.name, text):
            return refused
        if options[Slot.SAMPLING] not in ROW_SAMPLERS:
            text = "its features are propagated before training: use full_batch or rows"
            return refuse("sampling", options[Slot.SAMPLING], "a step needs rows, no neighbours", source, text)
        if options[Slot.REPRESENTATION] != "csr":
            rule = "features are propagated by fused products"
            return refuse("representation", options[Slot.REPRESENTATION], rule, source, "training needs no adjacency")
        if options[Slot.REPRESENTATION_FEATURES] != "dense":
            text = "averages of sparse rows have few zeros: they are held dense, where that fits"
            return refuse("features", "sparse", "propagated features are dense", source, text)
        if options[Slot.REMOTE_FEATURES] != "memory":
            text = "propagated features are new numbers, not those on disk"
            return refuse("features", "on disk", "propagated features are held in memory", source, text)
        return super().check(facts, spec)

    @abstractmethod
    def paper(self) -> str:
        """Where it comes from."""

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        width = next(knob for knob in super().knobs(facts) if knob.name == "hidden")
        hops = facts.model.layers or facts.goal.context_hops or self.default_steps
        return (
            Knob(
                name="layers",
                text="linear layers on propagated rows",
                default=self.default_layers,
                low=1,
                high=16,
                tuned=False,
            ),
            width.model_copy(update={"tuned": width.tuned and self.default_layers > 1}),
            Knob(
                name="propagation_steps",
                text="times that features are averaged over neighbours before training",
                default=min(hops, 100),
                low=1,
                high=100,
                tuned=False,
            ),
        )

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        plan, speed = self.network_plan(facts, spec), rates(facts, spec)
        steps = setting_int(spec.settings, "propagation_steps")
        propagate = Propagate(steps, self.adds_loops, self.keeps_all)
        step = TrainStep(self, plan, speed, False, spec.training.accumulate_batches > 1)
        return (propagate, step, EvaluateRows(plan, speed))

    def network_plan(self, facts: Facts, spec: JobSpec) -> NetworkPlan:
        """Rows are as wide as all that is kept."""
        plan, steps = super().network_plan(facts, spec), setting_int(spec.settings, "propagation_steps")
        first = facts.graph.features.width * (steps + 1 if self.keeps_all else 1)
        return replace(plan, widths=(first, *plan.widths[1:]))

    def layer_cost(self, size: LayerSize) -> LayerCost:
        """A linear layer of dense rows."""
        wide, input_gradient = size.targets * size.columns_out, 0.0 if size.first else size.targets * size.columns_in
        product, narrow, copied = wide * size.columns_in, size.narrow, size.narrow_copy(size.targets)
        return LayerCost(
            output=wide if size.last else narrow * wide,
            saved=copied,
            forward=copied + max(dropped_out(size), size.widened(1.5 * wide) * size.last),
            backward=copied + narrow * (wide + input_gradient),
            beside_gradients=copied + narrow * (wide + input_gradient),
            inference=wide,
            gemm=product,
            input_gemm=0.0 if size.first else product,
            aggregated=0.0,
            moved=size.targets * size.columns_in + activations_moved(size),
            parameters=(size.columns_in + 1) * size.columns_out,
            gathered=size.columns_out,
            recomputed=wide + copied,
        )

    def layer_operations(self, size: LayerSize) -> Passes:
        bias = stream(size.targets, size.columns_out, 2)
        return linear(size, size.targets, size.columns_in, size.columns_out, bias=True) + Passes((bias,), ())

    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        from techniques.architecture.propagation import Dense

        return Dense(columns_in, columns_out)

    def pyg_layers(self) -> str:
        return "MLP"

    def recipe(self, spec: JobSpec) -> str:
        layers, hidden = setting_int(spec.settings, "layers"), setting_int(spec.settings, "hidden")
        propagated = self.pyg_propagation(setting_int(spec.settings, "propagation_steps"))
        widths = ["data.num_features", *[str(hidden)] * (layers - 1), "num_classes"]
        dropout = f"torch.nn.Dropout({spec.training.dropout})"
        between = f",\n    torch.nn.ReLU(),\n    {dropout if layers == 2 else 'dropout'},\n    "
        linear = between.join(f"torch.nn.Linear({first}, {second})" for first, second in pairwise(widths))
        shared = f"dropout = {dropout}\n" if layers > 2 else ""
        return f"{propagated}\ntorch.manual_seed({spec.training.seed})\n{shared}model = torch.nn.Sequential(\n    {linear},\n)"


def columns_at_once(num_nodes: int, width: int) -> int:
    """Columns that are propagated together."""
    return min(width, max(FEWEST_COLUMNS, COLUMN_BYTES // (FLOAT_BYTES * num_nodes)))


def rows_at_once(widths: tuple[int, ...], num_nodes: int) -> int:
    """Rows that are evaluated together."""
    widest = max(first + second for first, second in pairwise(widths))
    return min(num_nodes, max(FEWEST_ROWS, CHUNK_BYTES // (FLOAT_BYTES * widest)))


@dataclass(frozen=True)
class Propagate:
    """K sparse products before training, a few columns at a time.

    Holds N F floats, as the features before, or (K + 1) N F where all are kept; and for a moment twice the columns at
    hand, and once more the targets at hand where they are not all.
    """

    steps: int
    adds_loops: bool
    keeps_all: bool
    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph, copies = so_far.facts.graph, self.steps if self.keeps_all else 0
        matrix = FLOAT_BYTES * graph.num_nodes * graph.features.width
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "propagated features", Range.within(copies * matrix, 0.01))
        width = columns_at_once(graph.num_nodes, graph.features.width)
        one = FLOAT_BYTES * graph.num_nodes * width
        edges = min(graph.num_edges, max(FUSED_EDGES, graph.degrees.max))
        # Before and after a step; what all columns are before the first is the features' own memory.
        buffers = 1 if self.steps == 1 and width == graph.features.width and not self.keeps_all else 2
        share = edges / graph.num_edges if 0 < edges < graph.num_edges else 0.0
        live = (buffers + share) * one + FLOAT_BYTES * edges + 12 * graph.num_nodes
        needs = resident(live, [one] * buffers, Place.HOST, shapes_vary=False)
        so_far = so_far.spike(Phase.PREPARE, Place.HOST, needs)
        speed, nodes = host_rates(so_far.facts.hardware), float(graph.num_nodes)
        one_step = (fused_sum(nodes, width, graph.num_edges, nodes), *(stream(nodes, width, 2, fresh=True),) * 3)
        seconds = self.steps * graph.features.width / width * speed.seconds(one_step)
        so_far = so_far.spend(Phase.PREPARE, Range.factor(seconds, speed.time_factor))
        wide = {"width": graph.features.width * (copies + 1), "nonzeros": matrix // FLOAT_BYTES * (copies + 1)}
        graph = graph.model_copy(update={"features": graph.features.model_copy(update=wide)})
        return so_far.changed(facts=so_far.facts.model_copy(update={"graph": graph}))

    def build(self, job: Job) -> Job:
        from techniques.architecture.propagated import propagate
        from techniques.hardware.heap import give_back_freed

        rows = propagate(job.need("features"), job.need("structure"), self.steps, self.adds_loops, self.keeps_all)
        give_back_freed()  # training would stand on what the products have left behind
        return replace(job, features=rows)


@dataclass(frozen=True)
class EvaluateRows:
    """Logits of nodes from their propagated rows, chunk by chunk: no graph is needed. They go behind a file as they are made,
    where they are larger than a chunk."""

    plan: NetworkPlan
    speed: Rates
    stage: Stage = Stage.EVALUATE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph, place = so_far.facts.graph, self.speed.place
        so_far = so_far.drop(Place.HOST, *BATCH_LABELS)
        rows = rows_at_once(self.plan.widths, graph.num_nodes)
        widest = max(first + second for first, second in pairwise(self.plan.widths))
        blocks = [FLOAT_BYTES * rows * width for width in self.plan.widths]
        table = FLOAT_BYTES * graph.num_nodes * self.plan.widths[-1]
        table = table if table <= INFERENCE_CHUNK_BYTES else 0
        on_host = table if place is Place.HOST else 0
        live = FLOAT_BYTES * rows * widest + on_host
        so_far = so_far.spike(Phase.EVALUATE, place, resident(live, blocks, place, shapes_vary=False))
        nodes = float(graph.num_nodes)
        dense = [product(nodes, first, second) for first, second in pairwise(self.plan.widths)]
        seconds = self.speed.seconds([stream(nodes, self.plan.widths[0], fresh=True), *dense])
        return so_far.spend(Phase.EVALUATE, Range.factor(seconds, self.speed.time_factor))

    def build(self, job: Job) -> Job:
        import torch

        from techniques.architecture.layerwise import new_table

        model, features, device = job.need("model"), job.need("features"), job.need("device")
        everyone = torch.arange(job.facts.graph.num_nodes)
        depth, at_once = len(self.plan.widths) - 1, rows_at_once(self.plan.widths, everyone.numel())

        @torch.no_grad()
        def predict(nodes: Tensor | None = None) -> Tensor:
            was_training = model.training
            model.eval()
            chosen = everyone if nodes is None else nodes.cpu()
            out = new_table(chosen.numel(), self.plan.widths[-1], job.scratch)
            for chunk, rows in zip(torch.split(chosen, at_once), torch.split(out, at_once), strict=True):
                rows.copy_(model(features.rows(chunk.numpy()).to(device), (None,) * depth))
            model.train(was_training)
            return out

        return replace(job, predict=predict)
