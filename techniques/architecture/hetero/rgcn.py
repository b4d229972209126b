"""RGCN: a weight for every relation, one for the node itself (Schlichtkrull et al., ESWC 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techniques.architecture.costs import LayerCost
from techniques.architecture.hetero.built_in import TypedBuiltIn
from techniques.architecture.hetero.costs import TypedSize, relational_cost
from techniques.architecture.hetero.plan import TypedPlan

if TYPE_CHECKING:
    from torch import nn


class Rgcn(TypedBuiltIn):
    """Relational graph convolution with means by relation; node types differ in their encoders alone (ESWC 2018)."""

    __slots__ = ()
    name = "rgcn"
    keeps_unreached = True
    text = "relational GCN: one weight per edge type, few parameters"

    def typed_cost(self, size: TypedSize) -> LayerCost:
        weights = (len(size.relations) + 1) * size.columns_in * size.columns_out + size.columns_out
        return relational_cost(size, parameters=weights)

    def typed_conv(self, plan: TypedPlan, index: int) -> nn.Module:
        from techniques.architecture.hetero.convs import RGCN

        return RGCN(plan.widths[index], plan.widths[index + 1], plan.relations, plan.uses[index])

    def pyg_layers(self) -> str:
        return "RGCNConv"


RGCN = Rgcn()
