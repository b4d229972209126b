"""FLOPs of typed steps that were really run: nodes and edges of an epoch's batches, layer by layer and type by type."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from techniques import option
from techniques.base import Slot

if TYPE_CHECKING:
    from techniques.architecture.hetero.network import HeteroBatch
    from techniques.architecture.ledger import StepCost
    from techniques.job import Job


class TypedShapes:
    """What all batches of one epoch need, summed: their ledgers' GEMMs and aggregations."""

    def __init__(self, job: Job) -> None:
        from techniques.architecture.hetero.built_in import TypedBuiltIn

        architecture = option(Slot.ARCHITECTURE, job.spec.options[Slot.ARCHITECTURE])
        assert isinstance(architecture, TypedBuiltIn)
        self.architecture, self.plan = architecture, architecture.network_plan(job.facts, job.spec)
        self.fused = job.need("structure").fused
        self.gemm = self.aggregation = 0.0
        self._known: dict[int, tuple[float, float]] = {}

    def add(self, batch: HeteroBatch) -> None:
        """Count one batch; a batch that comes again is counted once and remembered."""
        if id(batch) not in self._known:
            self._known = {id(batch): self._count(batch)}
        gemm, aggregation = self._known[id(batch)]
        self.gemm, self.aggregation = self.gemm + gemm, self.aggregation + aggregation

    def _count(self, batch: HeteroBatch) -> tuple[float, float]:
        cost = self.cost(batch)
        return cost.gemm_flops, cost.aggregation_flops

    def cost(self, batch: HeteroBatch) -> StepCost:
        """The ledger of one batch."""
        from techniques.architecture.ledger import step_cost
        from techniques.step_shape import LayerShape, StepShape

        names, keys = self.plan.names, ["|".join(key) for key in self.plan.keys]
        shapes = []
        for layer in batch.blocks:
            edges = {keys[place]: float(block.num_edges) for place, block in layer.blocks.items()}
            sources, targets = (
                dict(zip(names, map(float, counts), strict=True)) for counts in (layer.num_sources, layer.num_targets)
            )
            shapes.append(LayerShape(sources, targets, edges))
        shape = StepShape(tuple(shapes), float(batch.y.size(0)))
        sizes: Any = self.plan.sizes(self.fused, shape)
        sizes[0] = replace(sizes[0], inputs=self._true_nonzeros(batch))
        return step_cost([(size, self.architecture.layer_cost(size)) for size in sizes], shape.seeds)

    def _true_nonzeros(self, batch: HeteroBatch) -> dict[int, Any]:
        found = {}
        for kind, one in self.plan.encoded.items():
            x = batch.x.get(kind)
            if one.sparse and x is not None:
                one = replace(one, nonzeros_per_node=x.values().numel() / max(x.size(0), 1))
            found[kind] = one
        return found


def typed_ops() -> dict[type, Any]:
    """What thop is taught of typed networks."""
    from techniques.architecture.hetero.convs import HGT, RGCN, HeteroSAGE
    from techniques.architecture.hetero.network import Encoder

    return {Encoder: _count_encoder, **dict.fromkeys((HeteroSAGE, RGCN, HGT), _count_layer)}


def _count_encoder(encoder: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    encoder.total_ops += torch.DoubleTensor([encoder.dense_products(inputs[0])])


def _count_layer(layer: Any, inputs: tuple[Any, ...], output: Any) -> None:
    layer.total_ops += torch.DoubleTensor([layer.dense_products(inputs[1])])
