"""What every option is told: facts about the graph, the model, the machine and the goal.

Bytes are ``int``, seconds ``float``. Unknown is ``None``; where it matters ``notes`` says why. Node and edge counts
are kept by type from the start: a homogeneous graph has the one node type ``node`` and the one edge type ``edge``.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from techniques.graph_figures import DegreeFacts, EdgeTypeFacts, FeatureFacts, GraphSetFacts, LabelFacts, NodeTypeFacts
from techniques.hardware.calibration import Calibration
from techniques.own_model import CustomFacts
from techniques.record import Record

NODE = "node"
EDGE = "edge"

FLOAT_BYTES = 4
INDEX_BYTES = 8
SOURCE_BYTES = 4
"""The structure keeps one int32 source per edge up to 2**31 nodes."""


class Task(StrEnum):
    """What the model learns to predict."""

    NODE = "node"
    LINK = "link"
    GRAPH = "graph"


class Objective(StrEnum):
    """What the best candidate is best at."""

    TIME = "time"
    MEMORY = "memory"
    ACCURACY = "accuracy"


class Origin(StrEnum):
    """Where a figure comes from, best first."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    TYPED = "typed"


class SizeClass(StrEnum):
    """Size classes of the source: hundreds to thousands, tens of thousands, hundreds of thousands and more."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class GraphFacts(Record):
    """Everything the planner knows about a graph.

    ``num_edges`` counts stored directed entries: an undirected graph stores both directions.
    """

    name: str
    source: str | None = None
    """The GRAPH argument that this was read from; ``None`` for counts alone."""
    origin: Origin = Origin.MEASURED
    task: Task = Task.NODE
    num_nodes: int
    num_edges: int
    undirected: bool
    nodes_by_type: dict[str, int]
    edges_by_type: dict[str, int]
    node_types: tuple[NodeTypeFacts, ...] = ()
    """Of a heterogeneous graph that was read; empty for one of one type, and for counts alone."""
    edge_types: tuple[EdgeTypeFacts, ...] = ()
    target_type: str | None = None
    """The node type that has labels."""
    density: float
    isolated: int | None = None
    self_loops: int | None = None
    degrees: DegreeFacts
    features: FeatureFacts
    labels: LabelFacts
    num_graphs: int = 1
    graph_set: GraphSetFacts | None = None
    """Sizes of the graphs, where there are several."""
    structure_stored_bytes: int
    dataset_bytes: int
    """Structure and features in memory: int64 ``edge_index`` and float32 features, or what the user stated."""
    edge_features: int = 0
    """Columns of ``edge_attr``."""
    edge_weighted: bool = False
    edge_weight_least: float | None = None
    edge_weight_symmetric: bool = False
    """Whether the graph is undirected and both directions of every edge weigh the same."""
    unread_edge_data: tuple[str, ...] = ()
    """Weights and attributes that only some edge types have, such as ``edge_attr of user|buys|item``."""
    position_columns: int = 0
    """Columns of ``pos``, the positions of the nodes."""
    size_class: SizeClass
    fingerprint: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def heterogeneous(self) -> bool:
        return len(self.nodes_by_type) > 1 or len(self.edges_by_type) > 1

    @property
    def mean_degree(self) -> float:
        return self.num_edges / max(self.num_nodes, 1)

    @property
    def message_share(self) -> float:
        """Share of the edges that messages pass along: for a link task what is not hidden for validation and test."""
        split = self.labels
        if self.task is not Task.LINK or split.train is None:
            return 1.0
        return split.train / max(split.train + (split.val or 0) + (split.test or 0), 1)

    def nonzeros_of(self, nodes: float, reached: float) -> float:
        """Non-zeros of the features of so many nodes, ``reached`` of them along an edge."""
        mean = self.features.nonzeros / max(self.num_nodes, 1)
        along = mean if self.features.reached_nonzeros is None else self.features.reached_nonzeros
        return (nodes - reached) * mean + reached * along

    def with_edge_share(self, share: float) -> GraphFacts:
        """The same graph with a random share of its edges."""
        if share >= 1.0:
            return self
        before = self.degrees
        scaled: dict[str, object] = {"mean": share * before.mean}
        scaled["totals"] = tuple(int(share * total) for total in before.totals)
        if before.block_edges is not None:
            scaled["block_edges"] = tuple(tuple(int(share * count) for count in row) for row in before.block_edges)
        degrees = before.model_copy(update=scaled)
        return self.model_copy(update={"num_edges": int(share * self.num_edges), "degrees": degrees})

    @property
    def num_train(self) -> int:
        """Training nodes, or edges for a link task, or graphs; 60 % of all nodes, 80 % of all graphs where not known."""
        if self.labels.train is not None:
            return self.labels.train
        if self.task is Task.GRAPH:
            return max(1, int(0.8 * self.num_graphs))
        return max(1, int(0.6 * self.num_nodes))


class GpuFacts(Record):
    """One accelerator."""

    name: str
    memory_total_bytes: int
    memory_free_bytes: int
    compute_capability: str | None = None
    memory_bandwidth_bytes_per_second: float | None = None
    float32_flops_per_second: float | None = None
    host_link_bytes_per_second: float | None = None


class HardwareFacts(Record):
    """A machine: the one at hand, or one from the catalog."""

    name: str
    origin: Origin
    cores: int
    """Cores usable: the least of the count, the affinity mask and the cgroup quota."""
    memory_total_bytes: int
    memory_available_bytes: int
    disk_free_bytes: int | None = None
    gpus: tuple[GpuFacts, ...] = ()
    memory_bandwidth_bytes_per_second: float
    """One direction, all usable cores together."""
    gemm_flops_per_second: float
    """float32 matrix products, all usable cores together."""
    host_link_bytes_per_second: float | None = None
    calibration: Calibration | None = None
    """What ``gnnfit calibrate`` has measured here."""
    notes: tuple[str, ...] = ()
    """Reasons for what is missing ("no GPU: ...") and sources of what is there."""


class ModelFacts(Record):
    """The model: a built-in architecture or the user's own ``module:factory``."""

    architecture: str | None = None
    """Name of an architecture, ``custom`` for the user's own; ``None`` leaves the choice to the planner."""
    layers: int | None = None
    hidden: int | None = None
    custom: CustomFacts | None = None


class Goal(Record):
    """What the user wants, and what the user knows that no file says."""

    optimize: Objective = Objective.TIME
    target: float | None = Field(default=None, gt=0.0, le=1.0)
    """The validation metric that training must reach; ``None``: what PyG's defaults reach, or almost the best seen."""
    task: Task | None = None
    host_memory_bytes: int | None = Field(default=None, ge=1)
    device_memory_bytes: int | None = Field(default=None, ge=0)
    grow: float = Field(default=1.0, ge=1.0)
    context_hops: int | None = Field(default=None, ge=1)
    deadline_seconds: float | None = Field(default=None, gt=0.0)
    detail: str | None = Field(default=None, pattern="^(local|global)$")
    hierarchy: str | None = None
    """A file that says which nodes belong to which level (``techniques/coarsening/hierarchy.py``), and the one of its levels
    that may be coarsened."""
    hierarchy_level: str | None = None
    ddp_tried: bool | None = None


class Correction(Record):
    """How forecasts of one kind were off on this machine: measured over expected, median of so many ``rows``."""

    architecture: str
    representation: str
    sampling: str
    level: str
    rows: int
    seconds: float
    memory: float
    epochs: float = 1.0
    """Of epochs until the stopping rule held."""


class Facts(Record):
    """All facts in one bundle: what ``Option.check`` and ``Option.parts`` are told."""

    graph: GraphFacts
    model: ModelFacts = ModelFacts()
    hardware: HardwareFacts
    goal: Goal = Goal()
    corrections: tuple[Correction, ...] = ()
    """What this machine's history says, where it is asked."""

    @property
    def task(self) -> Task:
        """What the user asks for, else what the graph's labels allow."""
        return self.goal.task or self.graph.task

    @property
    def host_limit_bytes(self) -> int:
        """Host memory that a run may use: what the user states, else what is available."""
        return self.goal.host_memory_bytes or self.hardware.memory_available_bytes

    @property
    def grown_dataset_bytes(self) -> int:
        """The data set after the growth that the user expects."""
        return int(self.graph.dataset_bytes * self.goal.grow)

    @property
    def device_limit_bytes(self) -> int:
        """Memory of the first device that a run may use; 0 without a device."""
        if self.goal.device_memory_bytes is not None:
            return self.goal.device_memory_bytes
        return self.hardware.gpus[0].memory_free_bytes if self.hardware.gpus else 0
