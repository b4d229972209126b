"""Edges as a sparse CSR matrix: neighbours are summed by one fused product, no message is ever stored."""

from __future__ import annotations

from techniques.architecture.edge_inputs import reads_weights, shares_values
from techniques.base import USABLE, Knob, Part, Slot, Verdict, refuse
from techniques.facts import Facts, Task
from techniques.job import JobSpec
from techniques.recipe_parts import EDGE_WEIGHTED, precomputes, trims, weighs_edges
from techniques.representation.coo import UseBlocks

INDEX_BYTES = 4
"""int32 sources and row pointers."""
VALUE_BYTES = 4
"""One float32 per edge, shared by the matrix and its transpose."""

RECIPE = '''\
from torch_geometric.utils import sort_edge_index, to_torch_csr_tensor
torch.sparse.check_sparse_tensor_invariants.disable()  # the default, but PyTorch warns where it is not written


def adjacency(batch):
    """Rows are targets: neighbours are summed by one fused product. Parallel edges stay apart."""
    edge_index = sort_edge_index(batch.edge_index, sort_by_row=False).flip(0)
    return to_torch_csr_tensor(edge_index, size=(batch.num_nodes, batch.num_nodes), is_coalesced=True)'''
WEIGHTED_RECIPE = '''\
from torch_geometric.utils import sort_edge_index, to_torch_csr_tensor
torch.sparse.check_sparse_tensor_invariants.disable()  # the default, but PyTorch warns where it is not written


def adjacency(batch):
    """Rows are targets, values are weights: neighbours are summed by one fused product. Parallel edges stay apart."""
    edge_index, weight = sort_edge_index(batch.edge_index, batch.edge_weight, sort_by_row=False)
    size = (batch.num_nodes, batch.num_nodes)
    return to_torch_csr_tensor(edge_index.flip(0), weight, size=size, is_coalesced=True)'''


class CsrAdjacency:
    """Up to five times faster than COO on a CPU (README) and without its one row per edge."""

    __slots__ = ()
    slot = Slot.REPRESENTATION
    name = "csr"
    text = "sparse matrix: fused product, no message per edge in memory"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        if (name := spec.options[Slot.ARCHITECTURE]) in ("gat", "gatv2"):
            rule = "the fused product needs one weight per edge, attention computes one per head"
            text = "a sparse adjacency saves attention nothing: it needs every message"
            return refuse("architecture", name, rule, "PyG, message_passing.py", text)
        if spec.settings.get("aggregator") == "max":
            rule = "the fused product sums, it cannot take the largest"
            return refuse("aggregator", "max", rule, "PyG, message_passing.py", "the maximum needs every message")
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return ()

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        own_sources = 0 if spec.options[Slot.SAMPLING] == "full_batch" and facts.task is not Task.GRAPH else 1
        copies = own_sources + (0 if shares_transpose(facts, spec) else 1)
        rows = 1 if shares_transpose(facts, spec) else 2
        edge_bytes = VALUE_BYTES + INDEX_BYTES * copies
        row_bytes = INDEX_BYTES * rows
        if not reads_weights(facts, spec):
            return (UseBlocks(fused=True, edge_bytes=edge_bytes, row_bytes=row_bytes),)
        # Values are the weights; the transposed matrix has its own, and every source a degree.
        edge_bytes += 0 if shares_transpose(facts, spec) else VALUE_BYTES
        degrees = VALUE_BYTES
        return (UseBlocks(True, edge_bytes, row_bytes + degrees, edge_weighted=True, edge_data_bytes=VALUE_BYTES),)

    def recipe(self, spec: JobSpec) -> str:
        if precomputes(spec):
            return ""
        if trims(spec):
            return "# PyG trims layers of edge_index only, so no sparse matrix is made of a batch."
        if weighs_edges(spec):
            return ""
        return WEIGHTED_RECIPE if spec.settings.get(EDGE_WEIGHTED) else RECIPE


def shares_transpose(facts: Facts, spec: JobSpec) -> bool:
    """A whole undirected graph is its own transpose and uses the structure's sources; sampled neighbourhoods never do, and
    induced subgraphs have sources of their own (``techniques/sampling/batches.py``)."""
    whole = spec.options[Slot.SAMPLING] == "full_batch" and facts.task is not Task.GRAPH
    return whole and shares_values(facts, spec)


CSR = CsrAdjacency()
