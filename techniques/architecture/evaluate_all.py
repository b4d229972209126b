"""Evaluation of a whole graph at once: exact logits of every node, a layer at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from techniques.architecture.chunks import CHUNK_BYTES, FUSED_CHUNK_EDGES, PAIRS_PER_CHUNK
from techniques.architecture.layer_kind import LayerKind
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.ledger import SORT_FLOATS
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.operations.step import inference
from techniques.architecture.readout import Readout
from techniques.base import Stage
from techniques.facts import FLOAT_BYTES, INDEX_BYTES
from techniques.forecast import BATCH_LABELS, ZERO, Forecast, Phase, Place, Range
from techniques.hardware.allocator import pass_resident
from techniques.hardware.rates import Rates
from techniques.job import Job
from techniques.step_shape import LayerShape, StepShape

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class EvaluateAllNodes:
    """Exact logits of every node, layer by layer in chunks."""

    architecture: LayerKind
    plan: NetworkPlan
    speed: Rates
    stage: Stage = Stage.EVALUATE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph, place = so_far.facts.graph, self.speed.place
        so_far = so_far.drop(Place.HOST, *BATCH_LABELS)
        whole = StepShape((LayerShape.homogeneous(graph.num_nodes, graph.num_nodes, graph.num_edges),), graph.num_nodes)
        peak = ZERO
        sizes = self.plan.sizes(so_far, StepShape(whole.layers * (len(self.plan.widths) - 1), graph.num_nodes))
        for size in sizes:
            peak = peak.maximum(self._resident(so_far, size))
        seconds = self.speed.seconds(inference(sizes, self.architecture.layer_operations))
        so_far = so_far.spike(Phase.EVALUATE, place, peak)
        if self.plan.readout is Readout.PAIRS:
            # Both ends of a chunk of pairs and their product, beside the embeddings.
            scored = FLOAT_BYTES * self.plan.widths[-1] * (graph.num_nodes + 3 * PAIRS_PER_CHUNK)
            so_far = so_far.spike(Phase.EVALUATE, place, Range.within(scored, 0.3))
        return so_far.spend(Phase.EVALUATE, Range.factor(seconds, self.speed.time_factor))

    def _resident(self, so_far: Forecast, size: LayerSize) -> Range:
        """One layer for all nodes."""
        live = self._live_bytes(so_far, size)
        gathered = self.architecture.layer_cost(size).gathered
        blocks = [
            FLOAT_BYTES * size.sources * columns for columns in (gathered, size.columns_out, _input_columns(size))
        ]
        if not so_far.fused:
            blocks.append(FLOAT_BYTES * gathered * min(size.edges, self._chunk_edges(so_far, size)))
        return pass_resident(live, blocks, self.speed.place, shapes_vary=False)

    def _live_bytes(self, so_far: Forecast, size: LayerSize) -> float:
        """Input, what the layer makes of one chunk of targets, and where there are several, the output of all."""
        share = min(1.0, self._chunk_edges(so_far, size) / max(size.edges, 1.0))
        chunk = replace(size, targets=share * size.targets, edges=share * size.edges)
        floats = self.architecture.layer_cost(chunk).inference
        if self.plan.half_input and size.first:
            # Rows as float32: of one chunk where they are multiplied first, else of all nodes.
            projects = size.transform_first or self.architecture.always_transforms
            floats += (min(size.sources, 65_536.0) if projects else size.sources) * size.columns_in
        floats += size.sources * _input_columns(size)
        # On the host CSR makes nothing: sources are the structure's own, and values those of training, as all of COO is.
        on_device = self.speed.place is Place.DEVICE
        edge_bytes = float((FLOAT_BYTES if on_device else 0) if so_far.fused else 2 * INDEX_BYTES)
        floats += 0 if so_far.fused or on_device else SORT_FLOATS * chunk.edges
        if so_far.edge_data_bytes:  # a view of the structure's, or its copy on the device
            edge_bytes = 0 if so_far.fused else edge_bytes
            edge_bytes += so_far.edge_data_bytes if on_device else 0
        if size.dense and not on_device:
            edge_bytes = 0  # rows of the matrix that training has used
        if share == 1.0:
            return FLOAT_BYTES * floats + (edge_bytes * size.edges if on_device else 0.0)
        # Pages of the output are touched as it fills; a chunk's rows and edges go only when the next ones are there.
        floats += size.targets * size.columns_out
        return FLOAT_BYTES * floats + 2 * edge_bytes * chunk.edges

    def _chunk_edges(self, so_far: Forecast, size: LayerSize) -> float:
        """Edges of one chunk (``network.target_chunks``); a target with more neighbours has a chunk of its own."""
        columns = self.architecture.layer_cost(size).gathered
        if size.dense:
            return size.edges if self.speed.place is Place.HOST else max(CHUNK_BYTES / FLOAT_BYTES, size.sources)
        edges = FUSED_CHUNK_EDGES if so_far.fused else CHUNK_BYTES / (FLOAT_BYTES * columns)
        return max(edges, so_far.facts.graph.degrees.max)

    def build(self, job: Job) -> Job:
        from techniques.architecture.convs import set_true_degrees
        from techniques.architecture.network import Network

        model, structure, device = job.need("model"), job.need("structure"), job.need("device")
        assert isinstance(model, Network)
        batch = job.need("transfer")(job.need("batches")()[0])  # the one that training has moved already
        degrees = structure.degrees().to(device)

        def predict(nodes: Tensor | None = None) -> Tensor:
            set_true_degrees(model, degrees)
            try:
                every = model.inference(batch.x, structure, device)
            finally:
                set_true_degrees(model, None)
            return every if nodes is None else every[nodes.to(device)]

        return replace(job, predict=predict)


def _input_columns(size: LayerSize) -> int:
    """Of what the layer reads: a learned table is counted with the parameters, and features with the batch."""
    return 0 if size.learned or size.first else size.columns_in
