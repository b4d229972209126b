"""HGT: attention with keys, queries and values by type (Hu et al., WWW 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techniques.architecture.costs import LayerCost
from techniques.architecture.hetero.attention_cost import attention_cost, attention_inference
from techniques.architecture.hetero.built_in import TypedBuiltIn
from techniques.architecture.hetero.costs import TypedSize
from techniques.architecture.hetero.plan import TypedPlan
from techniques.base import Knob, Slot, Verdict, refuse
from techniques.facts import Facts
from techniques.job import JobSpec

if TYPE_CHECKING:
    from torch import nn


class Hgt(TypedBuiltIn):
    """Heterogeneous graph transformer: attends over all relations at once (Hu et al., WWW 2020)."""

    __slots__ = ()
    name = "hgt"
    text = "attention by node and edge type: most expressive, most expensive"
    activated = False
    has_head = True

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        verdict = super().check(facts, spec)
        if verdict.usable and spec.options[Slot.REPRESENTATION] == "csr":
            rule = "the fused product needs one weight per edge, attention computes one per head"
            return refuse("architecture", "hgt", rule, "PyG, message_passing.py", "attention needs every message")
        return verdict

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        heads = Knob(name="heads", text="attention heads; must divide hidden", default=4, choices=(1, 2, 4, 8))
        return (*super().knobs(facts), heads)

    def typed_cost(self, size: TypedSize) -> LayerCost:
        return attention_cost(size)

    def inference_floats(self, size: TypedSize) -> float:
        return attention_inference(size)

    def typed_conv(self, plan: TypedPlan, index: int) -> nn.Module:
        from techniques.architecture.hetero.convs import HGT

        return HGT(plan.widths[index], plan.heads, plan.names, plan.keys, plan.relations, plan.uses[index])

    def pyg_layers(self) -> str:
        return "HGTConv"


HGT = Hgt()
