"""Evaluation of a ShaDow network: it knows nothing but ego graphs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from techniques.architecture.chunks import INFERENCE_CHUNK_BYTES
from techniques.architecture.forward import forward_resident, forward_seconds
from techniques.architecture.layer_kind import LayerKind
from techniques.architecture.network_plan import NetworkPlan
from techniques.base import Stage
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, GraphFacts
from techniques.forecast import BATCH_LABELS, Forecast, Phase, Place, Range
from techniques.hardware.rates import Rates
from techniques.job import Job

if TYPE_CHECKING:
    from torch import Tensor

    from techniques.sampling.shadow_k_hop import EgoBatches


@dataclass(frozen=True)
class EvaluateEgoGraphs:
    """Logits of nodes from their ego graphs, a batch at a time, forward only.

    The ego graphs are drawn anew from one fixed seed, so that a model is judged alike every time. Any node may be a root: where
    few nodes are trained on, or a coarse graph was, batches are larger than any in training. What is said of many nodes is on
    disk, and the kernel may drop it from memory.
    """

    architecture: LayerKind
    plan: NetworkPlan
    speed: Rates
    batches: EgoBatches
    """Of any nodes of the graph that is judged."""
    stage: Stage = Stage.EVALUATE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph, place, batches = so_far.facts.graph, self.speed.place, self.batches
        so_far = so_far.drop(Place.HOST, *BATCH_LABELS)
        so_far = so_far.drop(Place.DEVICE, "batch")
        sizes, error = batches.sizes(so_far)
        shape = batches.shape(graph, sizes.high_nodes, sizes.high_edges)
        batch = batches.batch_bytes(so_far, shape)
        needs = Range.within(batch, error + 0.05) + forward_resident(self, so_far, shape)
        # The validation nodes alone, while training; any nodes in the end, as predictions are made.
        judged = max(graph.labels.val or 0, 1) / max(batches.seeds(graph, shape.input_nodes), 1.0)
        share = min(1.0, judged)
        needs = Range(share * needs.low, share * needs.expected, needs.high)
        if place is Place.DEVICE:
            so_far = so_far.spike(Phase.EVALUATE, place, needs)
        making = batches.making_bytes_per_edge * shape.input_edges
        needs = needs + Range(0.0, 0.5 * share * making, making) + self._answers_bytes(graph)
        so_far = so_far.spike(Phase.EVALUATE, Place.HOST, needs)
        seconds = forward_seconds(self, so_far, shape) + batches.making_seconds(so_far, shape, batch)
        return so_far.spend(Phase.EVALUATE, Range.factor(judged * seconds, self.speed.time_factor))

    def _answers_bytes(self, graph: GraphFacts) -> Range:
        """The classes that are found, and those or the ids that they belong to: of validation nodes, in the end of all."""
        judged = 2 * INDEX_BYTES * (graph.labels.val or 0)
        table = min(FLOAT_BYTES * graph.labels.num_classes * graph.num_nodes, INFERENCE_CHUNK_BYTES)
        return Range(0.0, judged, max(judged, 2 * INDEX_BYTES * graph.num_nodes) + table)

    def build(self, job: Job) -> Job:
        import torch

        from techniques.architecture.layerwise import new_table

        model, ego_batches, transfer = job.need("model"), job.need("ego_batches"), job.need("transfer")
        num_nodes = job.facts.graph.num_nodes

        @torch.no_grad()
        def predict(nodes: Tensor | None = None) -> Tensor:
            was_training = model.training
            model.eval()
            roots = torch.arange(num_nodes) if nodes is None else nodes.cpu()
            out, done = torch.empty(0), 0
            for batch in ego_batches(roots):
                made = model.logits(transfer(batch))
                out = out if done else new_table(roots.numel(), made.size(1), job.scratch)
                out[done : done + made.size(0)] = made
                done += made.size(0)
            model.train(was_training)
            return out

        return replace(job, predict=predict)
