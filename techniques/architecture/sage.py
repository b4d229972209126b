"""GraphSAGE: the mean of the neighbours beside the node itself (Hamilton et al., NeurIPS 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techniques.architecture.built_in import BuiltIn
from techniques.architecture.costs import (
    LayerCost,
    LayerSize,
    activations_kept,
    activations_moved,
    aggregation_moved,
)

if TYPE_CHECKING:
    from torch import nn


class Sage(BuiltIn):
    """Made for sampled neighbourhoods and unseen nodes; good memory, good convergence (source, technique 3)."""

    name = "sage"
    text = "GraphSAGE: made for sampled batches and growing graphs"
    can_transform_first = True

    def layer_cost(self, size: LayerSize) -> LayerCost:
        return _transform_first(size) if size.transform_first else _aggregate_first(size)

    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        from techniques.architecture.convs import SAGE

        return SAGE(columns_in, columns_out, transform_first)

    def pyg_layers(self) -> str:
        return "GraphSAGE"


def _aggregate_first(size: LayerSize) -> LayerCost:
    target_in, source_in = size.targets * size.columns_in, size.sources * size.columns_in
    target = size.targets * size.columns_out
    messages = 0.0 if size.fused else size.edges * size.columns_in
    to_input = 0.0 if size.first else 2 * target_in + messages + 2 * source_in
    product = size.targets * size.columns_in * size.columns_out
    return LayerCost(
        kept=target_in + activations_kept(size),
        forward=max(messages + 2 * target_in, target_in + 2 * target, target_in + activations_kept(size)),
        backward=2 * target + to_input,
        gemm=2 * product,
        input_gemm=0.0 if size.first else 2 * product,
        aggregated=(1 if size.first else 2) * size.edges * size.columns_in,
        moved=aggregation_moved(size, size.columns_in) + 2 * target_in + activations_moved(size),
        parameters=(2 * size.columns_in + 1) * size.columns_out,
    )


def _transform_first(size: LayerSize) -> LayerCost:
    source, target = size.sources * size.columns_out, size.targets * size.columns_out
    messages = 0.0 if size.fused else size.edges * size.columns_out
    dense = 0.0 if size.sparse_nonzeros is not None else 2 * size.sources * size.columns_in * size.columns_out
    sparse = 2 * (size.sparse_nonzeros or 0.0) * size.columns_out
    source_in = 0.0 if size.first else size.sources * size.columns_in
    return LayerCost(
        kept=activations_kept(size),
        forward=max(3 * source + messages + 2 * target, activations_kept(size)),
        backward=max(2 * target + messages + 3 * source, 2 * source + source_in),
        gemm=dense,
        input_gemm=0.0 if size.first else dense,
        aggregated=2 * (size.edges * size.columns_out + sparse),
        moved=aggregation_moved(size, size.columns_out) + 6 * source + activations_moved(size) + 2 * sparse,
        parameters=(2 * size.columns_in + 1) * size.columns_out,
    )


SAGE = Sage()
