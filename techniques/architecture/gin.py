"""GIN: a sum over neighbours, then a two-layer perceptron (Xu et al., ICLR 2019)."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Gin(BuiltIn):
    """As expressive as the Weisfeiler-Lehman test; sums grow with the degree, so hubs can make it unstable."""

    name = "gin"
    text = "graph isomorphism network: most expressive sum, sensitive to hubs"
    can_transform_first = True

    def layer_cost(self, size: LayerSize) -> LayerCost:
        """The columns that are summed are ``columns_in``, or ``columns_out`` where the transform comes first."""
        columns = size.columns_out if size.transform_first else size.columns_in
        source, summed = size.sources * columns, size.targets * columns
        target = size.targets * size.columns_out
        messages = size.messages(columns)
        nodes = size.sources if size.transform_first else size.targets
        first_product = nodes * size.columns_in * size.columns_out if size.sparse_nonzeros is None else 0.0
        second_product = size.targets * size.columns_out * size.columns_out
        sparse = (size.sparse_nonzeros or 0.0) * size.columns_out
        back = 2 if size.transform_first or not size.first else 1
        projected = source if size.transform_first else 0.0
        # What each product is taken of: the sums (where they come first) and the hidden layer's values.
        sums = 0.0 if size.transform_first else summed
        to_input = max(
            source + 2 * summed,
            source + summed + (source if size.fused else messages),
            2 * source + messages,
        )
        # Rows per edge and their sums, or sums, the node's own row, both added; then sums, hidden values, output.
        inference = max(
            projected + summed + max(messages, 2 * summed, 2 * target),
            sparse_forward(size, size.columns_out),
        )
        return LayerCost(
            output=target,
            saved=sums + target,
            forward=max(inference, sums + target + dropped_out(size)),
            backward=max(sums + 3 * target, to_input if back == 2 else 0.0, sparse_backward(size, size.columns_out)),
            inference=inference,
            gemm=first_product + second_product,
            input_gemm=second_product + (0.0 if size.first else first_product),
            aggregated=back * size.edges * columns + 2 * sparse,
            moved=aggregation_moved(size, columns) + 4 * summed + 4 * target + activations_moved(size) + 2 * sparse,
            parameters=(size.columns_in + 1) * size.columns_out + (size.columns_out + 1) * size.columns_out,
            gathered=columns,
            keeps_input=size.transform_first,
        )

    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        from techniques.architecture.convs import GIN

        return GIN(columns_in, columns_out, transform_first)

    def pyg_layers(self) -> str:
        return "GIN"


GIN = Gin()
