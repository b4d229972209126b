"""GAT: every neighbour weighted by learned attention (Velickovic et al., ICLR 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techniques.architecture.built_in import BuiltIn
from techniques.architecture.costs import LayerCost, activations_moved, dropped_out, sparse_backward, sparse_forward
from techniques.architecture.graph_level import pool_of
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.operations.attention import gat
from techniques.architecture.operations.passes import Passes
from techniques.base import Knob, Slot, Verdict, refuse
from techniques.facts import Facts
from techniques.job import JobSpec, setting_int
from techniques.recipe_parts import EDGE_COLUMNS

if TYPE_CHECKING:
    from torch import nn


class Gat(BuiltIn):
    """Most accurate and most expensive: keeps one message per edge and head (source, technique 3)."""

    __slots__ = ()
    name = "gat"
    always_transforms = True
    text = "attention: often most accurate, always most expensive; keeps every message"
    can_transform_first = True
    uses_edge_attr = True

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        hidden, heads = setting_int(spec.settings, "hidden"), setting_int(spec.settings, "heads")
        if heads > 0 and hidden % heads:
            text = f"a hidden width of {hidden} cannot be shared by {heads} heads"
            return refuse("hidden", hidden, "hidden must be a multiple of heads", "PyG GATConv", text)
        return super().check(facts, spec)

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        heads = Knob(name="heads", text="attention heads; must divide hidden", default=4, choices=(1, 2, 4, 8))
        return (*super().knobs(facts), heads)

    def layer_cost(self, size: LayerSize) -> LayerCost:
        """Every gathered row is kept; m' counts a loop per target."""
        edges = size.edges + size.targets
        source, target = size.sources * size.columns_out, size.targets * size.columns_out
        messages, scores, index = edges * size.columns_out, edges * size.heads, 4 * edges
        dense = 0.0 if size.sparse_nonzeros is not None else size.sources * size.columns_in * size.columns_out
        sparse = (size.sparse_nonzeros or 0.0) * size.columns_out
        input_gradient = 0.0 if size.first else size.sources * size.columns_in
        # One score per head straight from an edge's attributes (``convs.GAT``): no row of its own per edge.
        edge_products = size.edges * size.edge_columns * size.heads
        edge_parameters = (size.edge_columns + 1) * size.columns_out if size.edge_columns else 0
        # The product, the edges with loops, gathered rows; the score before its slope, its exponential, the sum of
        # those of one target, and their quotient.
        narrow, copied = size.narrow, size.narrow_copy(size.sources)
        saved = copied + narrow * (source + messages) + index + 4 * scores
        return LayerCost(
            output=target if size.last else narrow * target,
            saved=saved,
            # Weighted messages and their sums.
            forward=max(
                saved + max(messages + target, 2 * target, dropped_out(size)),
                sparse_forward(size, size.columns_out),
            ),
            # Gradients of a message, of its row and of its weight before that is summed to one per head.
            backward=max(
                saved + (2 * messages + 1.5 * source if size.bf16 else 3 * messages) + scores,
                copied + 4 * source,
                copied + narrow * (source + input_gradient),
                sparse_backward(size, size.columns_out),
            ),
            beside_gradients=copied + narrow * (source + input_gradient),
            inference=max(
                narrow * (source + messages) + index + messages + 3 * scores,
                copied + narrow * source,
                sparse_forward(size, size.columns_out),
            ),
            gemm=dense + edge_products,
            input_gemm=0.0 if size.first else dense,
            aggregated=2 * (messages + 5 * scores + 2 * source + sparse),
            moved=9 * messages
            + 12 * scores
            + 8 * source
            + activations_moved(size)
            + 2 * sparse
            + (size.edge_columns + 4 * size.heads) * size.edges * (size.edge_columns > 0),
            parameters=(size.columns_in + 3) * size.columns_out + edge_parameters,
            gathered=size.columns_out,
            edge_blocks=(index, *(scores,) * 5),
            recomputed=target + max(saved + messages + target, sparse_forward(size, size.columns_out)),
        )

    def layer_operations(self, size: LayerSize) -> Passes:
        return gat(size)

    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        from techniques.architecture.convs import GAT

        if last:
            return GAT(columns_in, columns_out, heads=1, concat=False)
        return GAT(columns_in, columns_out // heads, heads=heads, concat=True)

    def build_network(self, plan: NetworkPlan) -> nn.Module:
        network = super().build_network(plan)
        if plan.edge_columns:
            for conv in network.convs:  # type: ignore[union-attr]
                conv.read_edges(plan.edge_columns)  # type: ignore[operator]
        return network

    def pyg_layers(self) -> str:
        return "GAT"

    def pyg_conv(self) -> str:
        """Name of PyG's layer, for recipes."""
        return "GATConv"

    def recipe(self, spec: JobSpec) -> str:
        lines = [super().recipe(spec)]
        if pool_of(spec):
            return lines[0]
        if spec.options[Slot.SAMPLING] != "shadow_k_hop":
            width = spec.settings["hidden"] if setting_int(spec.settings, "layers") > 1 else "data.num_features"
            out = spec.settings["hidden"] if spec.options[Slot.SAMPLING] == "link_neighbor" else "num_classes"
            lines.insert(0, f"from torch_geometric.nn import {self.pyg_conv()}")
            columns = spec.settings.get(EDGE_COLUMNS)
            out = f"{out}, edge_dim={columns}" if columns else out
            lines.append(f"model.convs[-1] = {self.pyg_conv()}({width}, {out})  # one head in the last layer")
        return "\n".join([*lines, "for conv in model.convs:", "    conv.dropout = 0.0  # of attention weights"])


GAT = Gat()
