"""GIN: a sum over neighbours, then a two-layer perceptron (Xu et al., ICLR 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techniques.architecture.built_in import BuiltIn
from techniques.architecture.costs import (
    LayerCost,
    activations_moved,
    aggregation_moved,
    dropped_out,
    sparse_backward,
    sparse_forward,
)
from techniques.architecture.graph_level import pool_of
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.operations.gin import gin
from techniques.architecture.operations.passes import Passes
from techniques.base import Slot
from techniques.job import JobSpec, setting_int

if TYPE_CHECKING:
    from torch import nn


LAST_HIDDEN = 64
"""Least hidden width of the last perceptron: with one hidden value per class a few dead ReLUs lose whole classes (cora, 7
classes, five seeds: test accuracy 0.33 to 0.73 with 7 hidden values, 0.76 to 0.79 with 128)."""


def inner_width(columns_out: int, *, last: bool) -> int:
    """Hidden width of a layer's perceptron."""
    return max(columns_out, LAST_HIDDEN) if last else columns_out


def _largest_summed_back(size: LayerSize, source: float, summed: float, messages: float) -> float:
    """Floats alive while the gradient of the sums becomes that of the rows that were summed."""
    return max(source + 2 * summed, source + summed + (source if size.fused else messages), 2 * source + messages)


class Gin(BuiltIn):
    """As expressive as the Weisfeiler-Lehman test; sums grow with the degree, so hubs can make it unstable."""

    __slots__ = ()
    name = "gin"
    text = "graph isomorphism network: most expressive sum, sensitive to hubs"
    can_transform_first = True
    norms_per_layer = 2

    def layer_cost(self, size: LayerSize) -> LayerCost:
        """The columns that are summed are ``columns_in``, or the hidden width where the transform comes first."""
        inner = inner_width(size.columns_out, last=size.last)
        columns = inner if size.transform_first else size.columns_in
        source, summed = size.sources * columns, size.targets * columns
        middle, target = size.targets * inner, size.targets * size.columns_out
        messages = size.messages(columns)
        nodes = size.sources if size.transform_first else size.targets
        first_product = nodes * size.columns_in * inner if size.sparse_nonzeros is None else 0.0
        second_product = middle * size.columns_out
        sparse = (size.sparse_nonzeros or 0.0) * inner
        back = 2 if size.transform_first or not size.first else 1
        narrow = size.narrow
        projected = narrow * source if size.transform_first else 0.0
        copied = size.narrow_copy(size.sources) if size.transform_first else 0.0
        wide = size.widened(source) if size.transform_first or not size.first else 0.0
        # What each product is taken of: the sums (where they come first) and the hidden layer's values.
        sums = 0.0 if size.transform_first else narrow * summed
        to_input = _largest_summed_back(size, source, summed, messages) if back == 2 else 0.0
        hidden = narrow * middle
        # Rows per edge and their sums, or sums, the node's own row, both added; then sums, hidden values, output.
        making = max(
            projected + summed + max(wide + messages, 2 * summed, size.widened(sums) + hidden + narrow * target),
            sparse_forward(size, inner),
        )
        inference = max(making, copied + projected)
        return LayerCost(
            output=target if size.last else narrow * target,
            saved=copied + sums + hidden,
            forward=copied
            + max(making, sums + hidden + max(dropped_out(size), size.widened(1.5 * target) * size.last)),
            backward=copied + max(sums + 3 * hidden, to_input, sparse_backward(size, inner)),
            beside_gradients=copied + sums + 2 * hidden + (summed if back == 2 else 0.0),
            inference=inference,
            gemm=first_product + second_product,
            input_gemm=second_product + (0.0 if size.first else first_product),
            aggregated=back * size.edges * columns + 2 * sparse,
            moved=aggregation_moved(size, columns)
            + 4 * summed
            + 2 * (middle + target)
            + activations_moved(size)
            + 2 * sparse,
            parameters=(size.columns_in + 1) * inner + (inner + 1) * size.columns_out,
            gathered=columns,
            recomputed=narrow * target + copied + making,
            keeps_input=size.transform_first,
            hidden_columns=inner,
        )

    def layer_operations(self, size: LayerSize) -> Passes:
        return gin(size, inner_width(size.columns_out, last=size.last))

    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        from techniques.architecture.convs import GIN

        return GIN(columns_in, inner_width(columns_out, last=last), columns_out, transform_first)

    def pyg_layers(self) -> str:
        return "GIN"

    def recipe(self, spec: JobSpec) -> str:
        text, sampling, hidden = super().recipe(spec), spec.options[Slot.SAMPLING], setting_int(spec.settings, "hidden")
        if (
            pool_of(spec) or sampling == "shadow_k_hop"
        ):  # a readout follows the last layer, which is as wide as the others
            return text
        links, single = sampling == "link_neighbor", setting_int(spec.settings, "layers") == 1
        out = str(hidden) if links else "num_classes"
        widths = f"{spec.settings.get('embedding_width', 'data.num_features') if single else hidden}, max({out}, {LAST_HIDDEN}), {out}"
        model, convs, rest = text.partition("\nfor conv in ")
        model = model.replace("import GIN\n", "import GIN, GINConv, MLP\n")
        return (
            f"{model}\nmodel.convs[-1] = GINConv(MLP([{widths}], norm=None))  # not too few hidden values{convs}{rest}"
        )


GIN = Gin()
