"""What fixes the shape of a network, before there is one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.architecture.layer_size import LayerSize, shape_sizes
from techniques.architecture.readout import Readout
from techniques.base import Settings
from techniques.errors import OptionError
from techniques.forecast import Forecast
from techniques.job import setting_int
from techniques.step_shape import StepShape


@dataclass(frozen=True)
class NetworkPlan:
    """Everything that fixes the network's shape.

    ``widths`` are F_in, hidden, ..., and what the last convolution says: classes, or hidden before a readout.
    """

    widths: tuple[int, ...]
    heads: int
    transform_first: bool
    sparse_input: bool
    dropout: float
    readout: Readout = Readout.NODES
    num_classes: int = 2
    weighted: bool = False
    """Whether every edge of a block has a weight (the graph's own, or GraphSAINT's normalisation)."""
    edge_columns: int = 0
    """Columns of ``edge_attr`` that the layers read."""
    bf16: bool = False
    checkpoint_layers: bool = False
    embedded_nodes: int = 0
    """Rows of a learned table that the first layer reads; 0 where it reads features."""
    half_input: bool = False
    """Features are float16 at rest."""
    norm: bool = False
    """Whether batch normalisation stands between every convolution and its ReLU."""
    pool: str = ""
    """How the nodes of a graph become one row, where the readout is one of graphs."""

    @property
    def table_size(self) -> int:
        """Parameters of the learned table."""
        return self.embedded_nodes * self.widths[0]

    def sizes(self, so_far: Forecast, shape: StepShape) -> list[LayerSize]:
        """Sizes of the layers of one step of ``shape``."""
        nonzeros = so_far.facts.graph.nonzeros_of(shape.input_nodes, shape.reached)
        sizes = shape_sizes(
            shape,
            self.widths,
            so_far.fused,
            self.transform_first,
            self.heads,
            sparse_nonzeros=nonzeros if self.sparse_input else None,
            dropout=self.dropout > 0,
            readout=self.readout,
            weighted=self.weighted,
            edge_columns=self.edge_columns,
            bf16=self.bf16,
            dense=so_far.dense,
            learned_input=self.embedded_nodes > 0,
        )
        return [replace(size, edges=size.sources * size.targets) for size in sizes] if so_far.dense else sizes


def checked_sizes(settings: Settings) -> tuple[int, int, int]:
    """Layers, hidden width and heads (1 where the architecture has none).

    Raises:
        OptionError: one of them is less than 1, or the width is no multiple of the heads.
    """
    layers, hidden = setting_int(settings, "layers"), setting_int(settings, "hidden")
    heads = setting_int(settings, "heads") if "heads" in settings else 1
    for name, value in (("layers", layers), ("hidden", hidden), ("heads", heads)):
        if value < 1:
            raise OptionError(f"{name} must be at least 1, got {value}", f"Write --set {name}=2 or more")
    if hidden % heads:
        raise OptionError(f"hidden must be a multiple of heads, got {hidden} and {heads}", "Write --set heads=4")
    return layers, hidden, heads
