"""APPNP: a perceptron, then personalised PageRank over its predictions (Gasteiger et al., ICLR 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
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
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.operations.appnp import appnp
from techniques.architecture.operations.passes import Passes
from techniques.base import Knob, Slot, Verdict, refuse
from techniques.errors import OptionError
from techniques.facts import Facts
from techniques.job import JobSpec, setting_float, setting_int, setting_ints
from techniques.recipe_parts import weighs_edges
from techniques.sampling.batches import needs_one_graph

if TYPE_CHECKING:
    from torch import nn

HOP_SAMPLERS = ("neighbor", "link_neighbor")


@dataclass(frozen=True)
class Appnp(BuiltIn):
    """Reaches far without deep layers: K steps of Z <- (1 - alpha) A Z + alpha H have no weights and keep nothing for
    the backward pass (Gasteiger et al., ICLR 2019, equation 4; K = 10, alpha = 0.1)."""

    name = "appnp"
    text = "perceptron, then personalised PageRank: reaches far for little memory, needs homophily"
    uses_edge_weight = True
    propagation_steps: int = 10
    alpha: float = 0.1

    def configured(self, spec: JobSpec) -> Appnp:
        steps, alpha = setting_int(spec.settings, "propagation_steps"), setting_float(spec.settings, "alpha")
        if steps < 1:
            raise OptionError(f"propagation_steps must be at least 1, got {steps}", "Write --set propagation_steps=10")
        return Appnp(steps, alpha)

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        text = "a readout of graphs follows convolutions, APPNP's last word is its propagation"
        if refused := needs_one_graph(facts, "architecture", self.name, text):
            return refused
        steps, sampling = setting_int(spec.settings, "propagation_steps"), spec.options[Slot.SAMPLING]
        if sampling == "shadow_k_hop":
            text = "a readout of ego graphs follows convolutions, APPNP's last word is its propagation"
            return refuse("sampling", sampling, "propagation comes last", "Gasteiger et al., ICLR 2019", text)
        if sampling not in HOP_SAMPLERS:
            return super().check(facts, spec)
        hops = len(setting_ints(spec.settings, "fanouts"))
        if steps > hops:
            text = f"{steps} steps reach beyond {hops} sampled hops: full_batch or a subgraph sampler carries them all"
            return refuse("propagation_steps", steps, "steps stay within the hops sampled", "PyG NeighborLoader", text)
        if spec.settings["trim"]:
            text = "every step spreads over all sampled nodes: write --set trim=false"
            return refuse("trim", "true", "propagation needs whole blocks", "PyG APPNP", text)
        return super().check(facts, spec)

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return (
            *super().knobs(facts),
            Knob(
                name="propagation_steps",
                text="steps of personalised PageRank: how many hops it reaches",
                default=min(max(10, facts.goal.context_hops or 0), 100),
                low=1,
                high=100,
                tuned=False,
            ),
            Knob(name="alpha", text="share of a node's own prediction in each step", default=0.1, low=0.0, high=1.0),
        )

    def layer_cost(self, size: LayerSize) -> LayerCost:
        """A dense layer; the last one propagates what it says, and every step's tensors go when it is done."""
        wide, dense_input = size.sources * size.columns_out, size.sparse_nonzeros is None
        narrow, copied = size.narrow, size.narrow_copy(size.sources)
        product = wide * size.columns_in if dense_input else 0.0
        sparse = (size.sparse_nonzeros or 0.0) * size.columns_out
        steps = self.propagation_steps if size.last else 0
        messages = size.messages(size.columns_out)
        multiplied = max(wide, sparse_forward(size, size.columns_out))
        # Predictions, the step before, the same scaled, one row per edge and their sums.
        step = size.sources + (3 if steps > 1 else 2) * wide + wide + max(messages, 0.0 if size.fused else wide)
        multiplied = max(
            multiplied if not dense_input else narrow * wide + copied, size.widened(1.5 * wide) * size.last
        )
        forward = max(multiplied, copied + (step if steps else dropped_out(size)))
        input_gradient = 0.0 if size.first else size.sources * size.columns_in
        # The predictions' own share beside what one step back makes of its gradient.
        back = size.sources + wide + max(2 * wide + (wide if size.fused else messages), 3 * wide)
        multiplied_back = max(narrow * (wide + input_gradient), sparse_backward(size, size.columns_out))
        return LayerCost(
            output=wide if size.last else narrow * wide,
            saved=copied + (size.sources if steps else 0.0),  # one over the root of every degree
            forward=forward,
            backward=copied + max(multiplied_back, back if steps else 0.0),
            beside_gradients=copied + narrow * (wide + input_gradient),
            inference=max(multiplied, step - input_gradient if steps else 0.0),  # what was multiplied goes before
            gemm=product,
            input_gemm=0.0 if size.first else product,
            aggregated=2 * (steps * (size.edges + 2 * size.targets) * size.columns_out + sparse),
            moved=steps * (aggregation_moved(size, size.columns_out) + 6 * wide)
            + size.sources * size.columns_in
            + activations_moved(size)
            + 2 * sparse,
            parameters=(size.columns_in + 1) * size.columns_out,
            gathered=size.columns_out,
            rounds=max(steps, 1),
            # A product keeps its input only: nothing is computed again, bfloat16 copies aside.
            recomputed=wide + copied,
            recomputed_late=copied if steps else 0.0,
        )

    def layer_operations(self, size: LayerSize) -> Passes:
        return appnp(size, self.propagation_steps)

    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        from techniques.architecture.propagation import Dense

        return Dense(columns_in, columns_out)

    def build_network(self, plan: NetworkPlan) -> nn.Module:
        from torch import nn

        from techniques.architecture.propagation import Dense, PropagationNetwork

        layers = [Dense(*both) for both in pairwise(plan.widths)]
        steps, alpha = self.propagation_steps, self.alpha
        saving = {"bf16": plan.bf16, "checkpoint_layers": plan.checkpoint_layers}
        table = nn.Embedding(plan.embedded_nodes, plan.widths[0]) if plan.embedded_nodes else None
        return PropagationNetwork(layers, plan.dropout, steps, alpha, table, **saving)

    def pyg_layers(self) -> str:
        return "APPNP"

    def recipe(self, spec: JobSpec) -> str:
        this = self.configured(spec)
        out = spec.settings["hidden"] if spec.options[Slot.SAMPLING] == "link_neighbor" else "num_classes"
        normalize = ", normalize=False" if weighs_edges(spec) else ""  # the weights are in the adjacency already
        width = spec.settings.get("embedding_width", "data.num_features")
        learned = f"\nmodel.embedding = torch.nn.Embedding(data.num_nodes, {width})" * (
            "embedding_width" in spec.settings
        )
        return f"""\
from torch_geometric.nn import APPNP
torch.manual_seed({spec.training.seed})


class Propagated(torch.nn.Module):
    \"\"\"A perceptron, then personalised PageRank over its predictions.\"\"\"

    def __init__(self):
        super().__init__()
        widths = [{width}] + [{spec.settings["hidden"]}] * {setting_int(spec.settings, "layers") - 1} + [{out}]
        self.lins = torch.nn.ModuleList(torch.nn.Linear(*both) for both in zip(widths, widths[1:]))
        self.dropout = torch.nn.Dropout({spec.training.dropout})
        self.propagate = APPNP(K={this.propagation_steps}, alpha={this.alpha}{normalize})

    def forward(self, x, edge_index, edge_weight=None):
        for lin in self.lins[:-1]:
            x = self.dropout(lin(x).relu())
        return self.propagate(self.lins[-1](x), edge_index, edge_weight)


model = Propagated(){learned}"""


APPNP = Appnp()
