"""Edges as a dense matrix over all pairs: a plain matrix product, for small graphs of which many pairs are linked."""

from __future__ import annotations

from dataclasses import dataclass

from techniques.architecture.costs import aggregation_moved, products_per_sum
from techniques.architecture.edge_inputs import reads_weights
from techniques.architecture.layer_size import LayerSize
from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict, refuse
from techniques.facts import FLOAT_BYTES, Facts
from techniques.forecast import Forecast, Place
from techniques.hardware.rates import Rates
from techniques.job import Job, JobSpec
from techniques.recipe_parts import EDGE_WEIGHTED, weighs_edges
from techniques.sampling.batches import needs_one_graph

SOURCE = "source, technique 2"
INDUCED = ("full_batch", "cluster", "graph_saint", "random_node")
"""Samplers whose blocks hold all edges between their nodes; sampled neighbourhoods are sparse by construction."""

SUMS = '''\
def neighbor_sum(adjacency, x, **_):
    """What PyG's layers sum edge by edge, as one dense product."""
    return adjacency @ (x[0] if isinstance(x, tuple) else x)


'''
MATRIX = (
    "    adjacency = to_dense_adj(batch.edge_index{values}, max_num_nodes=batch.num_nodes)[0].t()"
    "  # parallel edges add up\n"
)
SUMMING = ("gcn", "sage", "gin")
NORMALISED = {
    "gcn": """\
    root = (adjacency.sum(1) + 1).rsqrt()
    adjacency = root.unsqueeze(1) * (adjacency + torch.eye(batch.num_nodes, device=root.device)) * root
""",
    "sage": "    adjacency = adjacency / adjacency.sum(1, keepdim=True).clamp(min=1)\n",
}
"""What an architecture does to the matrix: GCN's loops and roots of degrees, GraphSAGE's mean."""


@dataclass(frozen=True)
class UseMatrices:
    """Tell later stages that training multiplies by dense matrices, 4 bytes a pair.

    They are written row by row from the sorted edges, weights included, so that nothing else is needed for a moment.
    """

    weighted: bool = False
    """Entries are the graph's own weights, and every node has a degree that is a sum of them."""
    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        row_bytes = FLOAT_BYTES * (2 if self.weighted else 1)
        so_far = so_far.changed(fused=True, edge_bytes=0.0, row_bytes=row_bytes, pair_bytes=FLOAT_BYTES)
        return so_far.changed(edge_weighted=self.weighted)

    def build(self, job: Job) -> Job:
        structure = job.need("structure")
        structure.fused = structure.dense = True
        return job


@dataclass(frozen=True)
class DenseAdjacency:
    """4 n^2 bytes whatever the number of edges (PyG ``to_dense_adj``, ``DenseGCNConv``): pays where many pairs are linked."""

    slot: Slot = Slot.REPRESENTATION
    name: str = "dense"
    text: str = "matrix over all pairs: fastest where many pairs are linked, grows with the square of nodes"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        text = "nodes of different graphs are never linked: a sparse adjacency of a batch has no zeros for them"
        if refused := needs_one_graph(facts, "representation", self.name, text):
            return refused
        architecture, sampling = spec.options[Slot.ARCHITECTURE], spec.options[Slot.SAMPLING]
        if architecture in ("gat", "gatv2"):
            rule = "a dense product has one weight per pair, attention computes one per head"
            text = "dense attention needs several floats per pair and head"
            return refuse("architecture", architecture, rule, "Velickovic et al., ICLR 2018", text)
        if architecture not in SUMMING or spec.settings.get("aggregator") == "max":
            rule = f"a dense product sums neighbours: {', '.join(SUMMING)}"
            return refuse(
                "architecture", architecture, rule, SOURCE, "this layer does more than one sum over neighbours"
            )
        if sampling not in INDUCED:
            rule = "dense matrices need batches with all edges between their nodes"
            text = "a sampled neighbourhood has a few edges per node: a sparse matrix holds it"
            return refuse("sampling", sampling, rule, SOURCE, text)
        if spec.training.precision == "bf16":
            text = "the matrix is float32: a sparse adjacency trains in bf16"
            return refuse("precision", "bf16", "dense matrices are multiplied in float32", SOURCE, text)
        return _too_large(facts, spec) or USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return ()

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        return (UseMatrices(reads_weights(facts, spec)),)

    def recipe(self, spec: JobSpec) -> str:
        if weighs_edges(spec):
            return SUMS
        values = ", edge_attr=batch.edge_weight" if spec.settings.get(EDGE_WEIGHTED) else ""
        made = MATRIX.format(values=values) + NORMALISED.get(spec.options[Slot.ARCHITECTURE], "")
        text = '    """Rows are targets."""\n'
        imported = "from torch_geometric.utils import to_dense_adj\n\n\n"
        return f"{imported}{SUMS}def adjacency(batch):\n{text}{made}    return adjacency"


def matrix_bytes(nodes: float) -> float:
    """Bytes of the matrix over all pairs."""
    return FLOAT_BYTES * nodes * nodes


def _too_large(facts: Facts, spec: JobSpec) -> Verdict | None:
    """The refusal of a whole graph whose matrix, after the growth that the user expects, is beyond the limits."""
    if spec.options[Slot.SAMPLING] != "full_batch":
        return None  # the matrices of batches are in the forecast
    limit = facts.host_limit_bytes
    if spec.options[Slot.HARDWARE] == "cuda":
        limit = min(limit, facts.device_limit_bytes)
    for fact, nodes in (("nodes", facts.graph.num_nodes), ("growth", facts.graph.num_nodes * facts.goal.grow)):
        needs = matrix_bytes(nodes)
        if needs > limit:
            rule = f"4 n^2 bytes within the {limit / 1e9:.1f} GB of the {_place(spec).value}"
            text = f"a dense matrix needs {needs / 1e9:,.1f} GB"
            return refuse(fact, f"{nodes:,.0f} nodes", rule, SOURCE, text)
    return None


def _place(spec: JobSpec) -> Place:
    return Place.DEVICE if spec.options[Slot.HARDWARE] == "cuda" else Place.HOST


def break_even_density(speed: Rates, nodes: int, columns: int) -> float:
    """Share of linked pairs from which summing ``columns`` wide rows by a dense product takes less time, above 0.

    Both times are the ledger's: operations at the rate of dense products, and bytes at that of memory.
    """
    pairs = float(nodes) * nodes
    dense = _seconds(speed, _layer(nodes, pairs, columns, dense=True))
    fixed, full = (_seconds(speed, _layer(nodes, edges, columns, dense=False)) for edges in (0.0, pairs))
    return (dense - fixed) / (full - fixed)


def _layer(nodes: int, edges: float, columns: int, dense: bool) -> LayerSize:
    return LayerSize(
        nodes, nodes, edges, columns, columns, first=False, last=False, fused=True, transform_first=True, dense=dense
    )


def _seconds(speed: Rates, size: LayerSize) -> float:
    columns = size.columns_out
    operations = 2 * size.edges * columns * products_per_sum(size, columns)
    return operations / speed.flops_per_second + FLOAT_BYTES * aggregation_moved(size, columns) / speed.bytes_per_second


DENSE = DenseAdjacency()
