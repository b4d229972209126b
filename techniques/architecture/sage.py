"""GraphSAGE: the mean of the neighbours beside the node itself (Hamilton et al., NeurIPS 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techniques.architecture.built_in import BuiltIn
from techniques.architecture.costs import (
    LayerCost,
    LayerSize,
    activations_moved,
    aggregation_moved,
    dropped_out,
    sparse_backward,
    sparse_forward,
)

if TYPE_CHECKING:
    from torch import nn


class Sage(BuiltIn):
    """Made for sampled neighbourhoods and unseen nodes; good memory, good convergence (source, technique 3)."""

    __slots__ = ()
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
    messages = size.messages(size.columns_in)
    product = size.targets * size.columns_in * size.columns_out
    # The mean is saved for the weight's gradient. Backward: both weights' input gradients, the root's spread over all
    # sources; then one row per edge, summed by source beside the root's.
    narrow = size.narrow
    root = narrow * source_in
    to_input = max(
        narrow * (target + target_in + source_in + target_in),
        root + (1 + narrow) * target_in,
        root + target_in + (source_in if size.fused else messages),
        root + source_in + max(messages, size.widened(root)),
    )
    saved = narrow * target_in + size.narrow_copy(size.targets)
    wide = 0.0 if size.first else size.widened(source_in)
    inference = max(
        target_in + max(wide + messages, target_in, size.widened(narrow * (target_in + target))),
        saved + narrow * target,
        2 * narrow * target,
    )
    return LayerCost(
        output=target if size.last else narrow * target,
        saved=saved,
        forward=max(
            inference, saved + max(2 * narrow * target, dropped_out(size), size.widened(1.5 * target) * size.last)
        ),
        backward=saved + narrow * target if size.first else to_input,
        inference=inference,
        gemm=2 * product,
        input_gemm=0.0 if size.first else 2 * product,
        aggregated=(1 if size.first else 2) * size.edges * size.columns_in,
        moved=aggregation_moved(size, size.columns_in) + 2 * target_in + activations_moved(size),
        parameters=(2 * size.columns_in + 1) * size.columns_out,
        gathered=size.columns_in,
        recomputed=narrow * target + inference,
    )


def _transform_first(size: LayerSize) -> LayerCost:
    source, target = size.sources * size.columns_out, size.targets * size.columns_out
    messages = size.messages(size.columns_out)
    dense = 0.0 if size.sparse_nonzeros is not None else 2 * size.sources * size.columns_in * size.columns_out
    sparse = 2 * (size.sparse_nonzeros or 0.0) * size.columns_out
    input_gradient = 0.0 if size.first else size.sources * size.columns_in
    narrow, copied = size.narrow, size.narrow_copy(size.sources)
    summing = 2 * narrow * source + target + size.widened(source) + messages
    making = max(summing, 2 * narrow * source + 2 * target, sparse_forward(size, 2 * size.columns_out))
    inference = max(making, copied + 2 * narrow * source)
    return LayerCost(
        output=target if size.last else narrow * target,
        saved=copied,
        # Both products side by side, one row per edge and their sums; or sums and means, means and output.
        forward=copied + max(making, dropped_out(size), size.widened(1.5 * target)),
        # Gradients of root and neighbours, and both side by side.
        backward=copied
        + max(
            source + 2 * target,
            (1 + narrow) * source + (target if size.fused else messages),
            4 * narrow * source,
            narrow * (2 * source + input_gradient),
            sparse_backward(size, 2 * size.columns_out),
        ),
        inference=inference,
        gemm=dense,
        input_gemm=0.0 if size.first else dense,
        aggregated=2 * (size.edges * size.columns_out + sparse),
        moved=aggregation_moved(size, size.columns_out) + 6 * source + activations_moved(size) + 2 * sparse,
        parameters=(2 * size.columns_in + 1) * size.columns_out,
        gathered=2 * size.columns_out,
        # Without the division, whose result nothing needs.
        recomputed=target + narrow * source + copied + max(summing, sparse_forward(size, 2 * size.columns_out)),
    )


SAGE = Sage()
