"""Which batches of graphs the sizes of a set's graphs point to, and the figures that say why."""

from __future__ import annotations

from techniques.base import Reason, Slot
from techniques.facts import Facts
from techniques.job import JobSpec
from techniques.sampling.dynamic_batch import NODES
from techniques.sampling.graph_batch import default_graphs
from techniques.sampling.graph_batches import EvenBatches, FixedBatches, relative_spread, set_sizes

UNEVEN = 0.10
"""Deviation over mean of what a plain batch costs, from which batches of even cost are worth it: one batch in a hundred
then costs a quarter more than the mean, and memory is that of the largest."""
HIGH = 2.326


def plain_spread(facts: Facts, count: int | None = None) -> float:
    """Deviation over mean of the nodes of a plain batch of ``count`` graphs, by default as many as it usually has."""
    batches = FixedBatches(1, 0, False, batch_size=count or default_graphs(facts))
    return relative_spread(batches, facts.graph)


def even_spread(facts: Facts, batch_cost: int, cost: str = NODES) -> float:
    """The same of batches of even cost."""
    return relative_spread(EvenBatches(1, 0, False, cost=cost, batch_cost=batch_cost), facts.graph, cost)


def has_uneven_graphs(facts: Facts) -> bool:
    """Whether batches of as many graphs differ much in cost."""
    return plain_spread(facts) >= UNEVEN


def set_reasons(facts: Facts, spec: JobSpec) -> list[Reason]:
    """How large the graphs are, and how much a step's cost varies with either kind of batch."""
    sizes, graph = set_sizes(facts.graph), facts.graph
    about = f"{sizes.nodes_mean:.1f} nodes each, deviation {sizes.nodes_deviation:.1f}, most {sizes.nodes_max:,}"
    found = [_reason("graphs", f"{graph.num_graphs:,}", "labels are per graph", f"{about}: whole graphs are batched")]
    sampling = spec.options[Slot.SAMPLING]
    if sampling == "full_batch":
        return found
    if sampling == "dynamic_batch":
        batches = EvenBatches(
            1, 0, False, cost=str(spec.settings["cost"]), batch_cost=int(str(spec.settings["batch_cost"]))
        )
        even = relative_spread(batches, graph, batches.cost)
        plain = relative_spread(FixedBatches(1, 0, False, batch_size=round(batches.graphs(graph))), graph, batches.cost)
        worth = "evened out" if plain >= UNEVEN else "even enough without"
        text = f"{worth}: +-{even:.1%} in place of +-{plain:.1%} with as many graphs a step"
        value = f"+-{even:.1%} of {batches.cost}"
    else:
        size = int(str(spec.settings["batch_size"]))
        plain = plain_spread(facts, size)
        even = even_spread(facts, max(1, round(size * sizes.nodes_mean)))
        worth = "dynamic_batch would even it out" if plain >= UNEVEN else "even enough: dynamic_batch would gain little"
        text, value = f"{worth} (+-{even:.1%})", f"+-{plain:.1%} of nodes"
    rule = f"uneven from +-{UNEVEN:.0%} a batch"
    assumed = "; spread of sizes assumed" if sizes.assumed else ""
    return [*found, _reason("cost per batch", value, rule, text + assumed)]


def _reason(fact: str, value: str, rule: str, text: str) -> Reason:
    return Reason(fact=fact, value=value, rule=rule, source="source, technique 4: DynamicBatchSampler", text=text)
