"""What graph-level tasks add to a built-in architecture: knobs, normalisation, evaluation and the pasted network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from techniques.architecture.forward import forward_resident, forward_seconds
from techniques.architecture.layer_kind import LayerKind
from techniques.architecture.network_plan import NetworkPlan
from techniques.base import Knob, Stage
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, Facts, GraphFacts, Task
from techniques.forecast import BATCH_LABELS, Forecast, Phase, Place, Range
from techniques.hardware.allocator import heap_slack
from techniques.hardware.rates import Rates
from techniques.job import Job, JobSpec, setting_int
from techniques.recipe_parts import EDGE_COLUMNS
from techniques.sampling.graph_batches import EVALUATION_NODES, set_sizes
from techniques.step_shape import LayerShape, StepShape

if TYPE_CHECKING:
    from torch import Tensor


POOLS = ("sum", "mean", "max")
NORM, NO_NORM = "batch_norm", "none"
PYG_POOLS = {"sum": "global_add_pool", "mean": "global_mean_pool", "max": "global_max_pool"}


def graph_knobs(facts: Facts) -> tuple[Knob, ...]:
    """How nodes become a graph, and what keeps deep sums stable; nothing for other tasks."""
    if facts.task is not Task.GRAPH:
        return ()
    return (
        Knob(name="pool", text="how the nodes of a graph become one row", default="sum", choices=POOLS),
        Knob(
            name="norm",
            text="batch normalisation before every ReLU but the readout's (Xu et al., ICLR 2019)",
            default=NORM,
            choices=(NORM, NO_NORM),
        ),
    )


def normalises(spec: JobSpec) -> bool:
    """Whether layers are normalised."""
    return spec.settings.get("norm") == NORM


def pool_of(spec: JobSpec) -> str:
    """The pooling of a graph-level network; empty for other tasks."""
    return str(spec.settings.get("pool", ""))


@dataclass(frozen=True)
class EvaluateGraphs:
    """Logits of graphs, forward only, in batches of at most ``EVALUATION_NODES`` nodes."""

    architecture: LayerKind
    plan: NetworkPlan
    speed: Rates
    stage: Stage = Stage.EVALUATE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph, place = so_far.facts.graph, self.speed.place
        so_far = so_far.drop(Place.HOST, *BATCH_LABELS)
        judged, whole = (self._resident(so_far, count) for count in (_most_judged(graph), graph.num_graphs))
        # A kept model answers for the whole set, once.
        so_far = so_far.spike(Phase.EVALUATE, place, Range(judged.low, judged.expected, whole.high))
        shape = self._shape(graph, graph.num_graphs)
        batches = max(graph.labels.val or 0, 1) / shape.seeds
        seconds = batches * forward_seconds(self, so_far, shape)
        return so_far.spend(Phase.EVALUATE, Range.factor(seconds, self.speed.time_factor))

    def _resident(self, so_far: Forecast, num_graphs: float) -> Range:
        """What the largest batch of so many graphs needs, and the batch itself."""
        graph, shape = so_far.facts.graph, self._shape(so_far.facts.graph, num_graphs)
        layer = shape.layers[0]
        edges = so_far.edge_bytes * layer.num_edges + (so_far.row_bytes + INDEX_BYTES) * layer.num_sources
        batch = FLOAT_BYTES * graph.features.width * layer.num_sources + edges
        held = heap_slack(batch, (batch,))
        return forward_resident(self, so_far, shape) + Range(batch, batch, batch + held.high)

    def _shape(self, graph: GraphFacts, num_graphs: float) -> StepShape:
        sizes = set_sizes(graph)
        nodes = float(min(max(EVALUATION_NODES, sizes.nodes_max), max(num_graphs * sizes.nodes_mean, 1.0)))
        layer = LayerShape.homogeneous(nodes, nodes, nodes * graph.mean_degree)
        return StepShape((layer,) * (len(self.plan.widths) - 1), nodes / max(sizes.nodes_mean, 1e-9))

    def build(self, job: Job) -> Job:
        import torch

        model, batches, device = job.need("model"), job.need("graph_batches"), job.need("device")
        everyone = torch.arange(job.facts.graph.num_graphs)

        @torch.no_grad()
        def predict(graphs: Tensor | None = None) -> Tensor:
            was_training = model.training
            model.eval()
            chosen = everyone if graphs is None else graphs.cpu()
            parts = [model.logits(batch.to(device)) for batch in batches(chosen)]
            model.train(was_training)
            return torch.cat(parts) if parts else torch.empty(0, self.plan.num_classes)

        return replace(job, predict=predict)


def _most_judged(graph: GraphFacts) -> float:
    """Graphs of the larger of the two splits that are looked at while training."""
    return float(max(graph.labels.val or 0, graph.labels.test or 0, 1))


NETWORK = '''\
from torch_geometric.nn import {imports}
torch.manual_seed({seed})


class GraphNetwork(torch.nn.Module):
    """Convolutions, {pool_text} over the nodes of each graph, a perceptron."""

    def __init__(self, columns, hidden, layers, outputs):
        super().__init__()
        widths = [columns] + [hidden] * layers
        self.convs = torch.nn.ModuleList(self.conv(*pair) for pair in zip(widths[:-1], widths[1:]))
        {norms}
        self.dropout = torch.nn.Dropout({dropout})
        self.head = torch.nn.Sequential(
            torch.nn.Linear(hidden, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, outputs)
        )

    def conv(self, columns, hidden):
        {conv}

    def forward(self, x, edges, graph, num_graphs, **given):
        for conv, norm in zip(self.convs, self.norms):
            x = self.dropout(norm(conv(x, edges, **given)).relu())
        return self.head({pool}(x, graph, num_graphs))


model = GraphNetwork(data.num_features, {hidden}, {layers}, num_outputs)'''

BATCH_NORM = "BatchNorm(hidden, allow_single_element=True)"
GIN_CONV = """\
mlp = torch.nn.Sequential(
            torch.nn.Linear(columns, hidden),
            {norm}torch.nn.ReLU(),
            torch.nn.Linear(hidden, hidden),
        )
        return GINConv(mlp)"""


def graph_recipe(architecture: LayerKind, spec: JobSpec) -> str:
    """The network with PyG's layers and pooling."""
    pool, name = PYG_POOLS[pool_of(spec)], architecture.name
    conv, layer = _conv(name, spec)
    imports = sorted({layer, pool, *(("BatchNorm",) if normalises(spec) else ())})
    norms = BATCH_NORM if normalises(spec) else "torch.nn.Identity()"
    return NETWORK.format(
        imports=", ".join(imports),
        seed=spec.training.seed,
        pool_text=pool_of(spec),
        norms=f"self.norms = torch.nn.ModuleList({norms} for _ in range(layers))",
        dropout=spec.training.dropout,
        conv=conv,
        pool=pool,
        hidden=setting_int(spec.settings, "hidden"),
        layers=setting_int(spec.settings, "layers"),
    )


def _conv(name: str, spec: JobSpec) -> tuple[str, str]:
    """How a layer is made, and the class that it is of."""
    columns = setting_int(spec.settings, EDGE_COLUMNS) if EDGE_COLUMNS in spec.settings else 0
    if name in ("gat", "gatv2"):
        heads = setting_int(spec.settings, "heads")
        edges = f", edge_dim={columns}" if columns else ""
        attention = {"gat": "GATConv", "gatv2": "GATv2Conv"}[name]
        return f"return {attention}(columns, hidden // {heads}, heads={heads}{edges})", attention
    if name == "gin":
        return GIN_CONV.format(norm=f"{BATCH_NORM},\n            " if normalises(spec) else ""), "GINConv"
    layer = {"gcn": "GCNConv", "sage": "SAGEConv"}[name]
    largest = ', aggr="max"' if spec.settings.get("aggregator") == "max" else ""
    return f"return {layer}(columns, hidden{largest})", layer
