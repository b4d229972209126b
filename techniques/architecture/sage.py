"""GraphSAGE: the mean of the neighbours beside the node itself (Hamilton et al., NeurIPS 2017)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from techniques.architecture.built_in import BuiltIn
from techniques.architecture.chunks import MAX_BYTES
from techniques.architecture.costs import (
    LayerCost,
    activations_moved,
    aggregation_moved,
    dropped_out,
    sparse_backward,
    sparse_forward,
)
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.operations.passes import Passes
from techniques.architecture.operations.sage import sage_max, sage_mean
from techniques.base import Knob, Slot, Verdict, refuse
from techniques.facts import Facts
from techniques.job import JobSpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Sage(BuiltIn):
    """Made for sampled neighbourhoods and unseen nodes; good memory, good convergence (source, technique 3)."""

    name = "sage"
    text = "GraphSAGE: made for sampled batches and growing graphs"
    can_transform_first = True
    aggregator: str = "mean"

    @property
    def step_kind(self) -> str:
        return "sage max" if self.aggregator == "max" else self.name

    def configured(self, spec: JobSpec) -> Sage:
        return Sage(str(spec.settings["aggregator"]))

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        if spec.settings["aggregator"] == "max" and spec.options[Slot.REPRESENTATION_FEATURES] == "csr":
            rule = "the largest of the neighbours' rows is taken before their product with the weight"
            return refuse("aggregator", "max", rule, "PyG SAGEConv", "sparse rows are multiplied, never compared")
        return super().check(facts, spec)

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        text = "what stands for the neighbours: mean, or max column by column"
        aggregator = Knob(name="aggregator", text=text, default="mean", choices=("mean", "max"), tuned=False)
        return (*super().knobs(facts), aggregator)

    def network_plan(self, facts: Facts, spec: JobSpec) -> NetworkPlan:
        """The maximum of products is not the product of the maximum: no transform first."""
        plan = super().network_plan(facts, spec)
        return replace(plan, transform_first=False) if spec.settings["aggregator"] == "max" else plan

    def layer_cost(self, size: LayerSize) -> LayerCost:
        if self.aggregator == "max":
            return _largest(size)
        return _transform_first(size) if size.transform_first else _aggregate_first(size)

    def layer_operations(self, size: LayerSize) -> Passes:
        return sage_max(size) if self.aggregator == "max" else sage_mean(size)

    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        from techniques.architecture.convs import SAGE

        return SAGE(columns_in, columns_out, transform_first, self.aggregator)

    def pyg_layers(self) -> str:
        return "GraphSAGE"

    def pyg_options(self) -> str:
        return ', aggr="max"' if self.aggregator == "max" else ""


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
        beside_gradients=saved + narrow * target if size.first else narrow * (target + 2 * target_in + source_in),
        inference=inference,
        gemm=2 * product,
        input_gemm=0.0 if size.first else 2 * product,
        aggregated=(1 if size.first else 2) * size.edges * size.columns_in,
        moved=aggregation_moved(size, size.columns_in) + 2 * target_in + activations_moved(size),
        parameters=(2 * size.columns_in + 1) * size.columns_out,
        gathered=size.columns_in,
        recomputed=narrow * target + inference,
    )


def _largest(size: LayerSize) -> LayerCost:
    """Max keeps the largest rows, and gathers those of all edges again for the backward pass; a few columns at once."""
    target_in, source_in = size.targets * size.columns_in, size.sources * size.columns_in
    target, every = size.targets * size.columns_out, size.edges * size.columns_in
    messages = min(every, max(MAX_BYTES / 4, size.edges))
    product = size.targets * size.columns_in * size.columns_out
    narrow, kind = size.narrow, 1.0 if size.first else size.narrow  # the graph's own features are float32
    saved = narrow * target_in + size.narrow_copy(size.targets)
    # Gradients of the root and of the largest; a row per edge, the largest beside it, and how many tie.
    to_input = max(
        narrow * (target + 3 * target_in + source_in),
        narrow * (source_in + 2 * target_in) + 2 * messages + 2 * target_in,
        (1 + narrow) * source_in + 2 * narrow * target_in + messages,
    )
    copied = saved * (size.bf16 and size.first)
    multiplied = narrow * target + max(kind * target_in, narrow * target if copied else kind * target_in + target)
    gathered = kind * (target_in + messages)
    inference = max(gathered, copied + multiplied)
    return LayerCost(
        output=target if size.last else narrow * target,
        saved=saved,
        forward=max(inference, saved + max(dropped_out(size), size.widened(1.5 * target) * size.last)),
        backward=saved + narrow * target if size.first else to_input,
        beside_gradients=saved + narrow * target if size.first else narrow * (target + 3 * target_in + source_in),
        inference=inference,
        gemm=2 * product,
        input_gemm=0.0 if size.first else 2 * product,
        aggregated=(1 if size.first else 4) * every,
        moved=(4 if size.first else 8) * every + 4 * target_in + activations_moved(size),
        parameters=(2 * size.columns_in + 1) * size.columns_out,
        gathered=size.columns_in,
        # The second product keeps its input only: it is not taken again.
        recomputed=narrow * target + max(gathered, copied + narrow * target + kind * target_in),
    )


def _transform_first(size: LayerSize) -> LayerCost:
    source, target = size.sources * size.columns_out, size.targets * size.columns_out
    messages = size.messages(size.columns_out)
    dense = 0.0 if size.sparse_nonzeros is not None else 2 * size.sources * size.columns_in * size.columns_out
    sparse = 2 * (size.sparse_nonzeros or 0.0) * size.columns_out
    input_gradient = 0.0 if size.first else size.sources * size.columns_in
    narrow, copied = size.narrow, size.narrow_copy(size.sources)
    summing = 2 * narrow * source + target + size.widened(source) + messages
    stacked = 2 * narrow * size.columns_in * size.columns_out  # both weights, until they are multiplied with
    multiplied = stacked + max(copied + 2 * narrow * source, sparse_forward(size, 2 * size.columns_out))
    making = max(summing, 2 * narrow * source + 2 * target)
    inference = max(making, multiplied)
    return LayerCost(
        output=target if size.last else narrow * target,
        saved=copied,
        # Both products side by side, one row per edge and their sums; or sums and means, means and output.
        forward=max(multiplied, copied + max(making, dropped_out(size), size.widened(1.5 * target))),
        # Gradients of root and neighbours, and both side by side.
        backward=copied
        + max(
            source + 2 * target,
            (1 + narrow) * source + (target if size.fused else messages),
            4 * narrow * source,
            narrow * (2 * source + input_gradient),
            sparse_backward(size, 2 * size.columns_out),
        ),
        beside_gradients=copied + narrow * (2 * source + input_gradient),
        inference=inference,
        gemm=dense,
        input_gemm=0.0 if size.first else dense,
        aggregated=2 * (size.edges * size.columns_out + sparse),
        moved=aggregation_moved(size, size.columns_out) + 6 * source + activations_moved(size) + 2 * sparse,
        parameters=(2 * size.columns_in + 1) * size.columns_out,
        gathered=2 * size.columns_out,
        # Without the division, whose result nothing needs.
        recomputed=target + narrow * source + max(copied + summing, multiplied),
    )


SAGE = Sage()
