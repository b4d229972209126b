"""GraphSAGE by edge type: what PyG's ``to_hetero`` and ``HeteroConv`` make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techniques.architecture.costs import LayerCost
from techniques.architecture.hetero.built_in import TypedBuiltIn
from techniques.architecture.hetero.costs import TypedSize, relational_cost
from techniques.architecture.hetero.plan import TypedPlan

if TYPE_CHECKING:
    from torch import nn


class HeteroSage(TypedBuiltIn):
    """A GraphSAGE layer for every edge type, summed by target (Hamilton et al., 2017; PyG's to_hetero)."""

    __slots__ = ()
    name = "hetero_sage"
    text = "GraphSAGE by edge type, as PyG's to_hetero: made for sampled batches"

    def typed_cost(self, size: TypedSize) -> LayerCost:
        assert size.use is not None
        each = (2 * size.columns_in + 1) * size.columns_out
        return relational_cost(size, parameters=each * len(size.use.relations))

    def typed_conv(self, plan: TypedPlan, index: int) -> nn.Module:
        from techniques.architecture.hetero.convs import HeteroSAGE

        return HeteroSAGE(plan.widths[index], plan.widths[index + 1], plan.keys, plan.relations, plan.uses[index])

    def pyg_layers(self) -> str:
        return "SAGEConv"


HETERO_SAGE = HeteroSage()
