"""How large one layer of one step is."""

from __future__ import annotations

from dataclasses import dataclass

from techniques.architecture.readout import Readout
from techniques.step_shape import StepShape


@dataclass(frozen=True)
class LayerSize:
    """One layer of one step: S sources, T targets, m edges, I columns in, O columns out."""

    sources: float
    targets: float
    edges: float
    columns_in: int
    columns_out: int
    first: bool
    """The input needs no gradient."""
    last: bool
    fused: bool
    transform_first: bool
    heads: int = 1
    sparse_nonzeros: float | None = None
    """Non-zeros of a sparse input; ``None`` for a dense one."""
    dropout: bool = True
    weighted: bool = False
    """Messages are multiplied with a weight per edge."""
    edge_columns: int = 0
    """Columns of the edges' attributes."""
    bf16: bool = False
    """Dense products and what is between layers are bfloat16; sums over neighbours are float32."""
    dense: bool = False
    """Neighbours are summed by a product with a dense matrix: ``edges`` are all S T pairs."""
    learned: bool = False
    """The input are rows of a learned table, gathered for this step."""

    @property
    def narrow(self) -> float:
        """Floats that one value of a dense product takes."""
        return 0.5 if self.bf16 else 1.0

    def narrow_copy(self, rows: float) -> float:
        """Floats of the bfloat16 copy of ``rows`` of the first layer's dense input, kept for the weight's gradient."""
        return 0.5 * rows * self.columns_in if self.bf16 and self.first and self.sparse_nonzeros is None else 0.0

    def widened(self, values: float) -> float:
        """Floats of a float32 copy of bfloat16 ``values``; 0 where they are float32 already."""
        return values if self.bf16 else 0.0

    def messages(self, columns: int) -> float:
        """Floats alive while rows are gathered edge by edge and, where they are, weighted; 0 for a fused product."""
        if self.fused:
            return 0.0
        # Rows before and after their weights are alive together, but not beside their sums.
        rows = max(self.edges, 2 * self.edges - self.targets) if self.weighted else self.edges
        return rows * columns


def shape_sizes(
    shape: StepShape,
    widths: tuple[int, ...],
    fused: bool,
    transform_first: bool,
    heads: int = 1,
    sparse_nonzeros: float | None = None,
    dropout: bool = True,
    readout: Readout = Readout.NODES,
    weighted: bool = False,
    edge_columns: int = 0,
    bf16: bool = False,
    dense: bool = False,
    learned_input: bool = False,
) -> list[LayerSize]:
    """Sizes of every layer; ``widths`` are F_in, hidden, ..., classes; only the first layer may transform first."""
    last = len(shape.layers) - (0 if readout.follows else 1)
    return [
        LayerSize(
            sources=layer.num_sources,
            targets=layer.num_targets,
            edges=layer.num_edges,
            columns_in=widths[index],
            columns_out=widths[index + 1],
            first=index == 0 and not learned_input,
            learned=index == 0 and learned_input,
            last=index == last,
            fused=fused,
            transform_first=transform_first and index == 0,
            heads=heads if index < last else 1,
            sparse_nonzeros=sparse_nonzeros if index == 0 else None,
            dropout=dropout,
            weighted=weighted,
            edge_columns=edge_columns,
            bf16=bf16,
            dense=dense,
        )
        for index, layer in enumerate(shape.layers)
    ]
