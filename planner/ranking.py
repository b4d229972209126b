"""Candidates and a goal to an order: what is best, and why."""

from __future__ import annotations

from planner.choices import choice_reasons
from planner.costing import SAMPLED_STEPS_TO_CONVERGE, Costed, correction_of
from planner.history import LEAST_ROWS
from planner.judgement import preference, sampler_reasons
from planner.quantities import format_bytes, format_seconds
from planner.ranges import range_bytes, range_seconds
from planner.records import ForecastFigures
from planner.typed import ONE_TYPE_HANDICAP, trains_types, type_reasons
from techniques.architecture.hetero.typed import TYPED
from techniques.base import Reason, Slot
from techniques.facts import Facts, Objective, Task
from techniques.forecast import Level, LoaderForecast

ACCURACY_PRIOR = {
    "gat": 1.0,
    "gatv2": 1.0,
    "sage": 1.05,
    "gcn": 1.15,
    "gin": 1.5,
    "appnp": 1.15,
    "sgc": 1.4,
    "sign": 1.2,
    "hetero_sage": 1.05,
    "rgcn": 1.05,
    "hgt": 1.0,
}
"""Time handicap of an architecture for lower expected quality: separately tuned GraphSAGE and GAT are close, GCN up to
a few points behind, GIN unstable with hubs (Bajaj et al., VLDB 2025, section 5); GATv2 is close to GAT on node benchmarks
(Brody et al., ICLR 2022); APPNP leads GCN by a point or two, but on citation graphs only (Gasteiger et al., ICLR 2019); SGC
is on a par with GCN there and behind where features need a perceptron (Wu et al., ICML 2019); SIGN is close to sampled
GraphSAGE (Frasca et al., 2020). A prior to order candidates, replaced by measuring."""
GRAPH_PRIOR = {"gin": 1.0, "sage": 1.5, "gcn": 1.5, "gat": 1.5, "gatv2": 1.5}
"""The same for sets of graphs: sums tell graphs apart that means do not (Xu et al., ICLR 2019, table 1)."""
AVERAGES = ("gcn", "appnp", "sgc")
"""Architectures that average a node with its neighbours: they need homophily."""
GROWS = ("sage", "custom")
GROWTH_HANDICAP = 2.0
"""A graph that grows is trained with GraphSAGE, and GAT in a controlled trial (source, case D); a module of the user's own is
the user's choice."""
HETEROPHILY_HANDICAP = 1.5
POINTLESS_SAMPLING_HANDICAP = 3.0
TIGHT_SHARE = 0.9
TIGHT_HANDICAP = 1.2


SAMPLER_PRIOR = {"cluster": 1.5, "graph_saint": 1.5, "random_node": 2.0, "shadow_k_hop": 1.2}
"""The same for samplers: Cluster-GCN and GraphSAINT reach their accuracy sooner but swing from far below neighbour sampling
(ogbn-papers100M, ogbn-arxiv) to above it (Reddit) (Bajaj et al., VLDB 2025, table 8); random parts drop most edges."""


def order(facts: Facts, costed: list[Costed]) -> list[Costed]:
    """Best first: what the rules on samplers point to, then the goal's objective; least memory heeds no such rule."""
    return sorted(costed, key=lambda one: _score(facts, one))


def _score(facts: Facts, one: Costed) -> tuple[float, ...]:
    seconds = one.figures.seconds_to_converge * _handicap(facts, one)
    memory = one.figures.peak_host_bytes.expected + one.figures.peak_device_bytes.expected
    match facts.goal.optimize:
        case Objective.MEMORY:
            return memory, seconds
        case Objective.ACCURACY:
            return preference(facts, one.spec), _handicap(facts, one), seconds
        case Objective.TIME:
            return preference(facts, one.spec), seconds, memory


def _handicap(facts: Facts, one: Costed) -> float:
    architecture = one.spec.options[Slot.ARCHITECTURE]
    prior = GRAPH_PRIOR if facts.task is Task.GRAPH else ACCURACY_PRIOR
    handicap = prior.get(architecture, 1.2) * SAMPLER_PRIOR.get(one.spec.options[Slot.SAMPLING], 1.0)
    homophily = facts.graph.labels.homophily
    if architecture in AVERAGES and homophily is not None and homophily < 0.5:
        handicap *= HETEROPHILY_HANDICAP
    if facts.goal.grow > 1 and facts.task is not Task.GRAPH and architecture not in GROWS:
        handicap *= GROWTH_HANDICAP
    if trains_types(facts) and architecture not in TYPED:
        handicap *= ONE_TYPE_HANDICAP
    if samples_for_nothing(one):
        handicap *= POINTLESS_SAMPLING_HANDICAP
    if _memory_share(facts, one) > TIGHT_SHARE:
        handicap *= TIGHT_HANDICAP
    return handicap


def samples_for_nothing(one: Costed) -> bool:
    """One batch holds all training nodes: sampling drops neighbours and saves no step."""
    return one.spec.options[Slot.SAMPLING] != "full_batch" and one.figures.steps_per_epoch == 1


def _memory_share(facts: Facts, one: Costed) -> float:
    host = one.figures.needs_host_bytes / max(facts.host_limit_bytes, 1)
    device = one.figures.needs_device_bytes / facts.device_limit_bytes if facts.device_limit_bytes else 0.0
    return max(host, device)


def varied(ranked: list[Costed]) -> list[Costed]:
    """The same order, but the first three differ in sampling or architecture: alternatives should be alternatives."""
    first: list[Costed] = []
    rest: list[Costed] = []
    seen: set[tuple[str, str]] = set()
    for one in ranked:
        key = (one.spec.options[Slot.SAMPLING], one.spec.options[Slot.ARCHITECTURE])
        if key in seen or len(first) >= 3:
            rest.append(one)
        else:
            seen.add(key)
            first.append(one)
    return first + rest


def reasons(facts: Facts, one: Costed) -> tuple[Reason, ...]:
    """Why this candidate is here: memory, time and what each choice is good for."""
    figures, options = one.figures, one.spec.options
    found = [
        Reason(
            fact="host memory",
            value=f"up to {format_bytes(figures.needs_host_bytes)}",
            rule=f"baseline + peak under {format_bytes(facts.host_limit_bytes)}",
            source="cost model",
            text=f"peaks in {figures.peak_phase.value}",
        )
    ]
    if figures.loader is not None:
        found.append(_loader_reason(figures.loader))
    found.append(_basis_reason(facts, figures))
    if figures.needs_device_bytes:
        found.append(
            Reason(
                fact="device memory",
                value=f"up to {format_bytes(figures.needs_device_bytes)}",
                rule=f"peak under {format_bytes(facts.device_limit_bytes)}",
                source="cost model",
                text=f"peaks in {figures.device_peak_phase.value}; CUDA context and allocator's slack included",
            )
        )
    epochs = figures.epochs_to_converge
    found.append(
        Reason(
            fact="time to converge",
            value=range_seconds(figures.convergence_seconds),
            rule=f"{epochs.low:.0f} to {epochs.high:.0f} epochs of {format_seconds(figures.epoch_seconds.expected)}",
            source="Bajaj et al., VLDB 2025, table 3",
            text=f"{epochs.low:.0f} to {epochs.high:.0f} epochs, {_epochs_text(facts, one)}; evaluations included; tune measures it",
        )
    )
    found += forecast_reasons(facts, one)
    handicap = _handicap(facts, one)
    if handicap > 1.0:
        rule = "expected quality of layer and sampler, one-batch sampling, tight memory"
        text = "ranked as if it took so many times as long; tune measures it"
        found.append(_reason("handicap", f"{handicap:.2f}x", rule, "Bajaj et al., VLDB 2025, section 5", text))
    found += type_reasons(facts, one.spec) + sampler_reasons(facts, one.spec) + choice_reasons(facts, options)
    return tuple(found)


def _epochs_text(facts: Facts, one: Costed) -> str:
    """What the number of epochs rests on: published runs, and what this machine's history makes of them."""
    correction = correction_of(facts, one.spec, one.figures.level)
    if correction is not None and correction.epochs != 1.0:
        return f"{correction.epochs:.2f} times the published ones, by this machine's history"
    if one.spec.options[Slot.SAMPLING] == "full_batch":
        return "as published full batches took"
    steps = one.figures.steps_per_epoch
    return f"published samples took some {SAMPLED_STEPS_TO_CONVERGE} steps, {steps:,} make an epoch here"


def forecast_reasons(facts: Facts, one: Costed) -> list[Reason]:
    """What forecasts of time and memory stand on beside the model: a calibration, this machine's history."""
    found, calibration = [], facts.hardware.calibration
    if calibration is not None and calibration.rates:
        text = "seconds are priced with what was measured on this machine"
        found.append(_reason("calibration", f"of {calibration.date}", "same hardware", "gnnfit calibrate", text))
    correction = correction_of(facts, one.spec, one.figures.level)
    if correction is not None:
        value = f"time {correction.seconds:.2f}x, memory {correction.memory:.2f}x"
        rule = f"at least {LEAST_ROWS} measurements of this architecture, representation and sampler here"
        text = f"forecasts times the median of measured over expected in {correction.rows} measurements"
        found.append(_reason("history", value, rule, "--use-history", text))
    return found


def _loader_reason(loader: LoaderForecast) -> Reason:
    """What of training's memory and time goes into making batches; waiting for them and sharing cores with them alike."""
    value = f"{range_bytes(loader.host_bytes)}, {range_seconds(loader.seconds)} an epoch"
    added = f"an epoch is {range_seconds(loader.wait_seconds)} longer for them"
    alive = "one batch" if loader.batches_alive == 1 else f"{loader.batches_alive} batches"
    return _reason("loader", value, "bytes and seconds inside train", "cost model", f"{alive} at a time; {added}")


def _basis_reason(facts: Facts, figures: ForecastFigures) -> Reason:
    """The level of the forecast, in words; sizes may come from counts alone and seconds from a calibration all the same."""
    calibration = facts.hardware.calibration
    value = "from counts" if figures.level is Level.COUNTS else "from the graph at hand"
    value += ", calibrated" if calibration is not None and calibration.rates else ""
    return _reason("forecast", value, "three levels, each better than the last", "gnnfit", "; ".join(figures.basis))


def _reason(fact: str, value: str, rule: str, source: str, text: str) -> Reason:
    return Reason(fact=fact, value=value, rule=rule, source=source, text=text)
