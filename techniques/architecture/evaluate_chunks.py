"""Evaluation of graphs that training samples: exact logits of every node in the memory of a few chunks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from techniques.architecture.chunks import INFERENCE_CHUNK_BYTES, PAIRS_PER_CHUNK
from techniques.architecture.layer_kind import LayerKind
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.operations.step import inference
from techniques.architecture.readout import Readout
from techniques.base import Slot, Stage
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, Facts
from techniques.forecast import BATCH_LABELS, Forecast, Phase, Place, Range
from techniques.hardware.allocator import fixed_bytes
from techniques.hardware.rates import Rates
from techniques.job import Job, JobSpec, setting_int
from techniques.step_shape import LayerShape, StepShape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


SECONDS_PER_EDGE = 10e-9
"""The kernel that finds each chunk's sources (measured, as for sampling)."""
HEAP_FACTOR = Range(0.5, 1.5, 2.5)
"""Heap that chunks of ever other sizes take, over what one of them needs."""
ROWS_PER_SEED, MOST_CHUNK_BYTES = 4, 2**22
"""Rows of a chunk for every seed of a training step, which holds more of them for every layer; larger chunks are no quicker."""


def chunk_bytes(facts: Facts, spec: JobSpec, widths: Sequence[int]) -> int:
    """Of the rows that a chunk gathers, and of those that it makes: no more than training holds anyway, fewer chunks than small ones.

    ``widths`` are those of what the layers make.
    """
    rows = ROWS_PER_SEED * _fewest_rows(facts, spec) * max(widths)
    return min(max(FLOAT_BYTES * rows, INFERENCE_CHUNK_BYTES), MOST_CHUNK_BYTES)


def _fewest_rows(facts: Facts, spec: JobSpec) -> int:
    """Rows of every layer that a training step has at least: its seeds, or a part's nodes; 0 where it is not known."""
    settings, graph = spec.settings, facts.graph
    if spec.options[Slot.COARSENING] != "none":
        return 0
    if "batch_size" in settings:
        return min(setting_int(settings, "batch_size"), graph.num_train)
    joined = setting_int(settings, "parts_per_batch") if "parts_per_batch" in settings else 1
    return graph.num_nodes * joined // setting_int(settings, "num_parts")


@dataclass(frozen=True)
class EvaluateInChunks:
    """Layer by layer; what a layer says of all nodes is on disk, and the kernel may drop it from memory."""

    architecture: LayerKind
    plan: NetworkPlan
    speed: Rates
    chunk_bytes: int = INFERENCE_CHUNK_BYTES
    stage: Stage = Stage.EVALUATE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph, place = so_far.facts.graph, self.speed.place
        so_far = so_far.drop(Place.HOST, *BATCH_LABELS)
        so_far = so_far.drop(Place.DEVICE, "batch")
        so_far = so_far.changed(pair_bytes=0.0)  # there is no matrix of the whole graph: fused products
        layer = LayerShape.homogeneous(graph.num_nodes, graph.num_nodes, graph.num_edges)
        sizes = self.plan.sizes(so_far, StepShape((layer,) * (len(self.plan.widths) - 1), graph.num_nodes))
        kernel = FLOAT_BYTES * graph.num_nodes + graph.degrees.max
        tables = sum(sorted(self._tables(so_far, sizes))[-3:])
        chunk = max(self._chunk_bytes(so_far, size) for size in sizes)
        pairs = FLOAT_BYTES * self.plan.widths[-1] * 3 * PAIRS_PER_CHUNK if self.plan.readout is Readout.PAIRS else 0
        heap = HEAP_FACTOR * ((chunk if place is Place.HOST else 2 * self.chunk_bytes) + pairs)
        fixed = fixed_bytes(chunk + kernel + tables + pairs)
        so_far = so_far.spike(Phase.EVALUATE, Place.HOST, heap + Range.within(kernel + tables, 0.5) + fixed)
        if place is Place.DEVICE:
            so_far = so_far.spike(Phase.EVALUATE, place, Range.within(chunk, 0.3))
        return so_far.spend(Phase.EVALUATE, Range.factor(self._seconds(so_far, sizes), self.speed.time_factor))

    def _tables(self, so_far: Forecast, sizes: list[LayerSize]) -> list[float]:
        """Bytes of the outputs that are small enough to stay in memory."""
        columns = [size.columns_out for size in sizes] + [self.architecture.layer_cost(size).gathered for size in sizes]
        found = [FLOAT_BYTES * so_far.facts.graph.num_nodes * one for one in columns]
        return [one for one in found if one <= INFERENCE_CHUNK_BYTES]

    def _chunk_bytes(self, so_far: Forecast, size: LayerSize) -> float:
        """What one chunk of a layer takes: gathered rows, edges, and what the layer makes of them."""
        columns = self.architecture.layer_cost(size).gathered
        rows = max(self.chunk_bytes / (FLOAT_BYTES * columns), 2.0)
        targets = self.chunk_bytes / (FLOAT_BYTES * max(self.plan.widths[1:]))
        share = min(1.0, rows / (size.targets + size.edges), targets / size.targets)
        sources = min(size.sources, share * (size.targets + size.edges))
        chunk = replace(size, sources=sources, targets=share * size.targets, edges=share * size.edges, first=False)
        chunk = replace(chunk, sparse_nonzeros=None, transform_first=False, columns_in=columns)
        edge_bytes = (FLOAT_BYTES + INDEX_BYTES / 2) if so_far.fused else 4 * INDEX_BYTES
        floats = self.architecture.layer_cost(chunk).inference + sources * columns
        return FLOAT_BYTES * floats + edge_bytes * chunk.edges + INDEX_BYTES * sources

    def _seconds(self, so_far: Forecast, sizes: list[LayerSize]) -> float:
        seconds, speed = 0.0, self.speed
        seconds += speed.seconds(inference(sizes, self.architecture.layer_operations))
        for size in sizes:
            cost = self.architecture.layer_cost(size)
            gathered = FLOAT_BYTES * min(size.edges + size.targets, 8 * size.sources) * cost.gathered
            seconds += SECONDS_PER_EDGE * size.edges
            seconds += 2 * gathered / so_far.facts.hardware.memory_bandwidth_bytes_per_second
            if speed.link_bytes_per_second is not None:
                seconds += gathered / speed.link_bytes_per_second
        return seconds

    def build(self, job: Job) -> Job:
        from techniques.architecture.layerwise import LayerWise
        from techniques.architecture.network import Network

        model = job.need("model")
        assert isinstance(model, Network)
        walk = LayerWise(job.need("structure"), job.need("device"), job.scratch, self.chunk_bytes)
        features = job.need("features")

        def predict(nodes: Tensor | None = None) -> Tensor:
            every = walk.inference(model, features)
            return every if nodes is None else walk.chosen(every, nodes.cpu())

        return replace(job, predict=predict)
