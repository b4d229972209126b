"""Exact logits of every node of the target type, layer by layer, type by type, in chunks of edges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from techniques.architecture.chunks import CHUNK_BYTES, FUSED_CHUNK_EDGES
from techniques.architecture.hetero.costs import typed_blocks
from techniques.architecture.hetero.heap import FIXED, heap_share
from techniques.base import Stage
from techniques.facts import FLOAT_BYTES, INDEX_BYTES
from techniques.forecast import ZERO, Forecast, Phase, Place, Range
from techniques.hardware.allocator import LIVE_ERROR, fixed_bytes
from techniques.hardware.rates import Rates
from techniques.job import Job
from techniques.step_shape import LayerShape, StepShape

if TYPE_CHECKING:
    from torch import Tensor

    from techniques.architecture.hetero.built_in import TypedBuiltIn
    from techniques.architecture.hetero.costs import TypedSize
    from techniques.architecture.hetero.plan import TypedPlan


@dataclass(frozen=True)
class EvaluateTypes:
    """Layer-wise inference: memory for two layers' rows of all types and one chunk of edges."""

    architecture: TypedBuiltIn
    plan: TypedPlan
    speed: Rates
    stage: Stage = Stage.EVALUATE

    def forecast(self, so_far: Forecast) -> Forecast:
        # What batches and steps have given back stays in the heap, but for tensors that are mapped one by one.
        so_far = so_far.drop(Place.HOST, "sampling")
        nodes = {name: float(one.num_nodes) for name, one in zip(self.plan.names, self.plan.inputs, strict=True)}
        edges = {"|".join(key): one.num_edges for key, one in zip(self.plan.keys, self.plan.relations, strict=True)}
        shape = StepShape(
            (LayerShape(nodes, nodes, edges),) * len(self.plan.uses), nodes[self.plan.names[self.plan.target]]
        )
        seconds, peak = 0.0, ZERO
        for size in self.plan.sizes(so_far, shape):
            seconds += self.speed.seconds(self.architecture.layer_operations(size).forward)
            live = FLOAT_BYTES * self._live_floats(so_far, size)  # type: ignore[arg-type]
            blocks = [FLOAT_BYTES * block for block in typed_blocks(size)]  # type: ignore[arg-type]
            peak = peak.maximum(self._resident(so_far, live, blocks))
        so_far = so_far.spike(Phase.EVALUATE, self.speed.place, peak)
        return so_far.spend(Phase.EVALUATE, Range.factor(seconds, self.speed.time_factor))

    def _live_floats(self, so_far: Forecast, size: TypedSize) -> float:
        """The input of all types, what is written of them so far, and one chunk of one type."""
        cost = self.architecture.layer_cost(size)
        if size.use is None:
            return cost.inference + (0.0 if size.inputs is not None else size.targets * size.columns_in)
        embedded = self.plan.encoded if size.use is self.plan.uses[0] else {}
        # The first layer reads embeddings where they are.
        held = sum(size.read[kind] for kind in size.use.inputs if not (kind in embedded and embedded[kind].embedded))
        live, peak = held * size.columns_in, 0.0
        edge_floats = 1.0 if so_far.fused else 2.0 * INDEX_BYTES / FLOAT_BYTES
        limit = FUSED_CHUNK_EDGES if so_far.fused else CHUNK_BYTES / (FLOAT_BYTES * size.columns_in)
        for target in size.use.outputs:
            edges = sum(size.by_relation[place] for place in size.use.into(size.relations, target))
            share = min(1.0, limit / max(edges, 1.0))
            out = size.written[target] * size.columns_out
            made = self.architecture.inference_floats(_chunk(size, target, share)) + edge_floats * share * edges
            peak = max(peak, live + made + (out if share < 1.0 else 0.0))
            live += out
        return peak

    def _resident(self, so_far: Forecast, live: float, blocks: list[float]) -> Range:
        return LIVE_ERROR * live + FIXED * (live * heap_share(blocks)) + fixed_bytes(live)

    def build(self, job: Job) -> Job:
        model: Any = job.need("model")
        structure, device, features = job.need("structure"), job.need("device"), job.need("features")

        def predict(nodes: Tensor | None = None) -> Tensor:
            every: Tensor = model.inference(features, structure, device)
            return every if nodes is None else every[nodes.to(device)]

        return replace(job, predict=predict)


def _chunk(size: TypedSize, target: int, share: float) -> TypedSize:
    """A share of one type's targets, with their in-edges."""
    assert size.use is not None
    places = size.use.into(size.relations, target)
    edges = tuple(share * count if place in places else 0.0 for place, count in enumerate(size.by_relation))
    written = tuple(share * count if kind == target else 0.0 for kind, count in enumerate(size.written))
    use = replace(size.use, relations=places, outputs=(target,))
    return replace(size, by_relation=edges, written=written, use=use, dropout=False)
