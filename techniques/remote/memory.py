"""Structure and features in host memory: the default while they fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.architecture.edge_inputs import read_columns, reads_weights
from techniques.architecture.hetero.typed import is_typed, relations_of
from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict
from techniques.facts import FLOAT_BYTES, Facts, Task
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.hardware.allocator import MAPPED_BYTES, SMALL_BYTES
from techniques.job import Job, JobSpec
from techniques.recipe_parts import LOAD, edge_input

LABEL_BYTES_PER_NODE = 8 + 3
"""int64 class ids and three boolean masks."""
READING_BYTES_PER_NODE = Range(0, 16, 34)
"""While labels are read and splits are made (23 graphs); multi-label ones are stored as bytes."""
LINK_BYTES_PER_EDGE = {False: 16, True: 12}
"""int32 message edges, training edges and held-out pairs; an undirected edge is stored twice and split once."""
LINK_SCRATCH_BYTES_PER_EDGE, LINK_KEPT_BYTES_PER_EDGE = 30, 22
"""Meanwhile, and what of it the heap keeps where arrays of 8 bytes an edge are too small to be mapped (9 graphs)."""
LINK_SECONDS_PER_EDGE = 200e-9
"""Splitting sorts a key per edge (measured at 60 M edges)."""
ADDS_LOOPS = ("gcn", "gat", "gatv2", "appnp", "sgc")
"""Architectures whose layers add a loop of their own to every node, as PyG's do."""
POINTER_BYTES = 8
POSITION_BYTES = 8
SOURCE_BYTES = 4
"""The structure keeps one int32 source per edge up to 2**31 nodes."""
DISK_BYTES_PER_SECOND = 500e6
SORT_SECONDS_PER_EDGE = 25e-9
"""Counting sort of edges by target, one thread; random writes (measured on 2 cores at 2.5 M edges)."""


REMOVE_LOOPS_IMPORT = "from torch_geometric.utils import remove_self_loops"
REMOVE_LOOPS_WITH_DATA = """\
# The layers add loops of their own.
data.edge_index, data.edge_data = remove_self_loops(data.edge_index, data.edge_data.float())"""


@dataclass(frozen=True)
class ReadGraph:
    """Open the graph and read labels and splits; edges and features are memory-mapped until something needs them."""

    stage: Stage = Stage.SOURCE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        so_far = so_far.hold(Phase.LOAD, Place.HOST, "small objects", SMALL_BYTES)
        if so_far.facts.task is Task.LINK:
            return self._links(so_far)
        graphs = so_far.facts.task is Task.GRAPH
        items = graph.num_graphs if graphs else graph.num_nodes
        label_bytes = LABEL_BYTES_PER_NODE * items + (POINTER_BYTES * (items + 1) if graphs else 0)
        if graph.labels.multi_label:
            label_bytes += FLOAT_BYTES * items * graph.labels.num_classes
        so_far = so_far.hold(Phase.LOAD, Place.HOST, "labels", Range.within(label_bytes, 0.05))
        reading = READING_BYTES_PER_NODE * items + Range.exact(
            graph.labels.multi_label * graph.labels.num_classes * items
        )
        so_far = so_far.spike(Phase.LOAD, Place.HOST, reading)
        seconds = (graph.structure_stored_bytes + graph.features.stored_bytes) / DISK_BYTES_PER_SECOND
        return so_far.spend(Phase.LOAD, Range(seconds / 10, seconds, seconds * 4))

    def _links(self, so_far: Forecast) -> Forecast:
        """Split the edges; what is hidden is not there for messages to pass along."""
        graph = so_far.facts.graph
        mask = 1 if graph.edge_weighted or graph.edge_features else 0
        split = Range.within((LINK_BYTES_PER_EDGE[graph.undirected] + mask) * graph.num_edges, 0.3)
        so_far = so_far.hold(Phase.LOAD, Place.HOST, "links", split)
        small = POSITION_BYTES * graph.num_edges < MAPPED_BYTES
        scratch = LINK_SCRATCH_BYTES_PER_EDGE + (LINK_KEPT_BYTES_PER_EDGE if small else 0)
        so_far = so_far.spike(Phase.LOAD, Place.HOST, Range(0.6, 1.0, 1.3) * (scratch * graph.num_edges))
        so_far = so_far.spend(Phase.LOAD, Range.factor(LINK_SECONDS_PER_EDGE * graph.num_edges, 4))
        return so_far.changed(
            facts=so_far.facts.model_copy(update={"graph": graph.with_edge_share(graph.message_share)})
        )

    def build(self, job: Job) -> Job:
        if job.facts.task is Task.LINK:
            from techniques.remote.links import read_links

            return replace(job, links=read_links(job.stored, job.facts.graph.undirected))
        if job.facts.task is Task.GRAPH:
            import numpy as np

            from techniques.remote.graphs import read_graphs

            labels, masks, targets = read_graphs(job.stored)
            pointer = np.array(job.stored.read("graph_ptr"), dtype=np.int64)
            return replace(job, labels=labels, masks=masks, targets=targets, graph_ptr=pointer)
        from techniques.remote.labels import read_labels, read_splits

        labels = read_labels(job.stored)
        return replace(job, labels=labels, masks=read_splits(job.stored, labels))


@dataclass(frozen=True)
class SortEdges:
    """Sort the edges by target (CSC), once."""

    drop_self_loops: bool
    weights: bool = False
    edge_columns: int = 0
    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        structure = POINTER_BYTES * (graph.num_nodes + 1) + SOURCE_BYTES * graph.num_edges
        structure += FLOAT_BYTES * (self.weights + self.edge_columns) * graph.num_edges
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "structure", Range.within(structure, 0.02))
        scratch = POINTER_BYTES * graph.num_nodes
        if self.drop_self_loops:
            scratch += graph.num_edges
            if graph.self_loops:
                scratch += 8 * graph.num_edges
        if self.weights or self.edge_columns:
            # Where each sorted edge stood, also after the loops have gone.
            scratch += POSITION_BYTES * graph.num_edges * (3 if self.drop_self_loops and graph.self_loops else 1)
        so_far = so_far.spike(Phase.PREPARE, Place.HOST, Range.within(scratch, 0.1))
        so_far = so_far.spend(Phase.PREPARE, Range.factor(SORT_SECONDS_PER_EDGE * graph.num_edges + 0.01, 3))
        return self._without_loops(so_far)

    def _without_loops(self, so_far: Forecast) -> Forecast:
        """Later stages know, and draw from, the edges that are left."""
        graph = so_far.facts.graph
        if not (self.drop_self_loops and graph.self_loops):
            return so_far
        kept = graph.model_copy(update={"num_edges": graph.num_edges - graph.self_loops, "self_loops": 0})
        left = getattr(so_far.draw, "without_loops", None)
        draw = so_far.draw if left is None else left(kept)
        return so_far.changed(facts=so_far.facts.model_copy(update={"graph": kept}), draw=draw)

    def build(self, job: Job) -> Job:
        from techniques.sampling.edge_data import stored_edge_data
        from techniques.sampling.structure import Structure

        graph = job.facts.graph
        edge_index = job.stored.read("edge_index") if job.links is None else job.links.message_edges
        kept = None if job.links is None else job.links.message_mask
        data = stored_edge_data(job.stored, self.weights, self.edge_columns > 0, graph.edge_weight_symmetric, kept)
        structure = Structure.build(edge_index, graph.num_nodes, graph.undirected, self.drop_self_loops, data)  # type: ignore[arg-type]
        return replace(job, structure=structure)


class StructureInMemory:
    """Edges sorted by target in host memory: 4 bytes an edge and 8 a node."""

    __slots__ = ()
    slot = Slot.REMOTE
    name = "memory"
    text = "edges in host memory: the fastest to sample from"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return ()

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        if is_typed(spec):
            from techniques.remote.hetero_parts import ReadTargets, SortByType

            return (ReadTargets(), SortByType(relations_of(facts.graph, spec)))
        adds_loops = spec.options[Slot.ARCHITECTURE] in ADDS_LOOPS
        weights, columns = reads_weights(facts, spec), read_columns(facts, spec)
        return (ReadGraph(), SortEdges(drop_self_loops=adds_loops, weights=weights, edge_columns=columns))

    def recipe(self, spec: JobSpec) -> str:
        holds = "x, y, edge_index and train_mask"
        if spec.options[Slot.SAMPLING] == "link_neighbor":
            holds = "x, edge_index (what messages may use) and train_edge_index [2, M] (positives)"
        name = edge_input(spec)
        holds = f"{name}, {holds}" if name else holds
        text = f"# A torch_geometric.data.Data with {holds}\n{LOAD}"
        if spec.options[Slot.ARCHITECTURE] not in ADDS_LOOPS:
            return text
        if name:
            return f"{REMOVE_LOOPS_IMPORT}\n{text}\n{REMOVE_LOOPS_WITH_DATA.replace('edge_data', name)}"
        loops = "data.edge_index = remove_self_loops(data.edge_index)[0]  # the layers add loops of their own"
        return f"from torch_geometric.utils import remove_self_loops\n{text}\n{loops}"


class FeaturesInMemory:
    """Feature rows in host memory, in the form the representation room says."""

    __slots__ = ()
    slot = Slot.REMOTE_FEATURES
    name = "memory"
    text = "features in host memory: the fastest to read"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return ()

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        return ()

    def recipe(self, spec: JobSpec) -> str:
        return ""


STRUCTURE_IN_MEMORY = StructureInMemory()
FEATURES_IN_MEMORY = FeaturesInMemory()
