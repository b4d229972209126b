"""What to look at for a symptom, with this graph's and this machine's numbers."""

from __future__ import annotations

from planner.costing import fits
from planner.quantities import format_bytes, format_seconds
from planner.records import ForecastFigures
from planner.rules import LOW_HOMOPHILY, MEMORY_HIGH, MEMORY_LOW
from techniques.base import Slot
from techniques.facts import FLOAT_BYTES, Facts, Origin
from techniques.forecast import Phase
from techniques.job import JobSpec
from techniques.record import Record
from techniques.representation.unit_rows import WIDE_COLUMNS
from techniques.sampling.seeds import IMBALANCED

DEEP_LAYERS = 4
WAITING_SHARE = 0.2
"""Of an epoch: where making batches adds more, the loader is what to look at."""
FEW_TRAINING_NODES = 20
"""Per class, as in the public splits of citation graphs; fewer teach little."""


class Check(Record):
    """One thing that was looked at."""

    name: str
    value: str
    state: str
    """``ok``, ``look`` (this may well be it) or ``unknown`` (look yourself)."""
    text: str


def checks(facts: Facts, symptom: str, spec: JobSpec, figures: ForecastFigures) -> tuple[Check, ...]:
    """What bears on the symptom, suspicious first."""
    if symptom.startswith("oom"):
        found = _memory(facts, symptom, spec, figures)
    elif symptom == "no-convergence":
        found = _learning(facts, spec, figures)
    elif symptom == "growth":
        found = _size(facts)
    else:
        found = [*_gpu(facts, spec, symptom), *_time(facts, spec, figures)]
    if not symptom.startswith("oom"):
        fine = {"text": "not likely the cause"}
        found = [one.model_copy(update=fine) if one.state == "ok" else one for one in found]
    return tuple(sorted(found, key=lambda one: ("look", "unknown", "ok").index(one.state)))


def _memory(facts: Facts, symptom: str, spec: JobSpec, figures: ForecastFigures) -> list[Check]:
    phase = {"oom-train": Phase.TRAIN, "oom-evaluate": Phase.EVALUATE, "oom-load": Phase.LOAD}[symptom]
    host = figures.baseline_host_bytes + figures.phases[phase].host_peak_bytes
    found = [_against(f"host memory to {phase.value}", host.low, host.high, facts.host_limit_bytes)]
    if phase is Phase.EVALUATE:
        text = "a script that calls the model on the whole graph needs the memory of a full batch: gnnfit and inference() do not"
        found.append(Check(name="how it is judged", value="layer by layer, in chunks", state="unknown", text=text))
    device = figures.phases[phase].device_peak_bytes
    if device.high and facts.device_limit_bytes:
        found.append(_against(f"GPU memory to {phase.value}", device.low, device.high, facts.device_limit_bytes))
    on_device = facts.device_limit_bytes and figures.needs_device_bytes / facts.device_limit_bytes
    tightest = figures.needs_host_bytes / max(facts.host_limit_bytes, 1)
    peak = figures.device_peak_phase if on_device > tightest else figures.peak_phase
    text = "this phase has the peak" if peak is phase else f"the peak of the forecast is in {peak.value}, not here"
    found.append(
        Check(name="phase with the peak", value=peak.value, state="look" if peak is phase else "ok", text=text)
    )
    found += [*_size(facts), _free(facts)]
    hidden = spec.settings.get("hidden")
    messages = (
        FLOAT_BYTES * figures.input_edges_per_step * (hidden if isinstance(hidden, int) else facts.graph.features.width)
    )
    if spec.options[Slot.REPRESENTATION] == "coo":
        text = "a message per edge is held; csr sums without them"
        found.append(
            Check(
                name="messages of one layer and step", value=f"up to {format_bytes(messages)}", state="look", text=text
            )
        )
    return found


def _against(name: str, low: float, high: float, limit: int) -> Check:
    value = f"{format_bytes(low)} to {format_bytes(high)} of {format_bytes(limit)}"
    if low > limit:
        return Check(name=name, value=value, state="look", text="cannot fit as it is")
    if high > limit:
        return Check(name=name, value=value, state="look", text="may or may not fit")
    return Check(
        name=name,
        value=value,
        state="ok",
        text="should fit: look for other processes, or for data that your script keeps",
    )


def _free(facts: Facts) -> Check:
    hardware = facts.hardware
    free, total = hardware.memory_available_bytes, hardware.memory_total_bytes
    state = "look" if free < 0.5 * total else "ok"
    text = "other programs hold more than half" if state == "look" else "the rest is held by others, or kept in reserve"
    where = "" if hardware.origin is Origin.MEASURED else " (estimated)"
    return Check(
        name="memory that is free",
        value=f"{format_bytes(free)} of {format_bytes(total)}{where}",
        state=state,
        text=text,
    )


def _size(facts: Facts) -> list[Check]:
    data, limit = facts.grown_dataset_bytes, facts.host_limit_bytes
    times = limit / max(data, 1)
    value = f"{format_bytes(data)}; {format_bytes(limit)} are usable, {times:,.{int(times < 100)}f} times as much"
    state = "ok" if limit >= MEMORY_HIGH * data else "look"
    return [
        Check(
            name="size of the data",
            value=value,
            state=state,
            text=f"the source wants {MEMORY_LOW} to {MEMORY_HIGH} times",
        )
    ]


def _time(facts: Facts, spec: JobSpec, figures: ForecastFigures) -> list[Check]:
    step = figures.epoch_seconds.expected / max(figures.steps_per_epoch, 1)
    found = [
        Check(name="steps per epoch", value=f"{figures.steps_per_epoch:,} of about {format_seconds(step)}", state="unknown",
              text="measure it: gnnfit measure says which share of an epoch waits for batches"),
        Check(name="one step reads", value=f"{figures.input_nodes_per_step:,.0f} nodes, {figures.input_edges_per_step:,.0f} edges",
              state="look" if figures.input_nodes_per_step > 0.5 * facts.graph.num_nodes and figures.steps_per_epoch > 3 else "ok",
              text="sampled neighbourhoods that cover half the graph, many times an epoch, are read again and again"),
        Check(name="PyG's native samplers", value="pyg-lib", state="unknown",
              text="without pyg-lib or torch-sparse PyG's own samplers fail or crawl; gnnfit's loaders need neither"),
    ]  # fmt: skip
    found += _batches(figures)
    if not fits(facts, figures):
        found.append(
            Check(
                name="memory", value="forecast over the limit", state="look", text="a machine that swaps is slow first"
            )
        )
    return found


def _gpu(facts: Facts, spec: JobSpec, symptom: str) -> list[Check]:
    """Whether there is a GPU, and whether it is used."""
    used = spec.options[Slot.HARDWARE]
    if not facts.hardware.gpus:
        text = "where you see an idle GPU, plan for that machine with --on"
        look = symptom == "gpu-idle"
        return [Check(name="GPU", value=f"none in {facts.hardware.name}", state="look" if look else "ok", text=text)]
    if used == "cpu":
        return [Check(name="trained on", value=used, state="look", text="a GPU is there and not used")]
    return [Check(name="trained on", value=used, state="ok", text="it is used")]


def _batches(figures: ForecastFigures) -> list[Check]:
    """How much of an epoch making batches takes, by forecast."""
    if figures.loader is None:
        return []
    share = figures.loader.wait_seconds.expected / max(figures.epoch_seconds.expected, 1e-12)
    text = "make them ahead in threads, fewer neighbours, rows in memory: an idle processor waits for its batches"
    value = f"{share:.0%} of an epoch by forecast"
    return [Check(name="batches", value=value, state="look" if share > WAITING_SHARE else "ok", text=text)]


def _learning(facts: Facts, spec: JobSpec, figures: ForecastFigures) -> list[Check]:
    labels, graph = facts.graph.labels, facts.graph
    found = [_known("homophily", labels.homophily, lambda value: value < LOW_HOMOPHILY,
                    "neighbours mostly differ in class: GCN averages them away, GraphSAGE does not"),
             _known("largest class over smallest", labels.imbalance, lambda value: value >= IMBALANCED,
                    "accuracy alone misleads: draw rare classes more often, judge by macro-F1")]  # fmt: skip
    per_class = graph.num_train / max(labels.num_classes, 1)
    found.append(Check(name="training nodes per class", value=f"{per_class:,.0f}", state="look" if per_class < FEW_TRAINING_NODES else "ok",
                       text="few labels: more dropout and weight decay, fewer parameters"))  # fmt: skip
    layers = spec.settings.get("layers")
    if isinstance(layers, int):
        found.append(Check(name="layers", value=str(layers), state="look" if layers >= DEEP_LAYERS else "ok",
                           text="deep stacks of convolutions make all nodes alike"))  # fmt: skip
    steps = figures.steps_per_epoch
    found.append(Check(name="steps per epoch", value=f"{steps:,}", state="look" if steps == 1 else "ok",
                       text="one step an epoch: a hundred epochs and more are usual, not ten"))  # fmt: skip
    scaled = spec.settings.get("unit_rows")
    if scaled is not None:
        found.append(Check(name="rows scaled to length 1", value=str(scaled).lower(), state="ok" if scaled else "look" if graph.features.width >= WIDE_COLUMNS else "unknown",
                           text="counts and other large values stall training"))  # fmt: skip
    return found


def _known(name: str, value: float | None, bad, text: str) -> Check:  # type: ignore[no-untyped-def]
    if value is None:
        return Check(name=name, value="not known", state="unknown", text=text)
    return Check(name=name, value=f"{value:.2f}", state="look" if bad(value) else "ok", text=text)
