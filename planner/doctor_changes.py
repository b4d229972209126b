"""What could be changed about a run, one change at a time, and what each brings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from planner.costing import cost, fits
from planner.pins import Pins
from planner.proposal import check, make_spec
from planner.records import Candidate, ForecastFigures
from techniques.base import SettingValue, Slot
from techniques.facts import Facts
from techniques.forecast import Phase, Range
from techniques.job import JobSpec
from techniques.record import Record
from techniques.step_shape import Draw

LEAST_GAIN = 0.03
"""A change that saves less than this share of what hurts is not told."""
OF_PHASE = {"oom-train": Phase.TRAIN, "oom-evaluate": Phase.EVALUATE, "oom-load": Phase.LOAD}


class Change(Record):
    """One change: its flag, what it does to memory and time, and what it costs beside them."""

    flag: str
    text: str
    price: str
    """What is given up; empty where nothing is."""
    loss: int
    """0 the same numbers, 1 other numbers of like quality, 2 another model or less information."""
    host_bytes: Range
    device_bytes: Range
    epoch_seconds: Range
    converge_seconds: float
    fits: bool
    saves: float
    """Share of what hurts (peak of the phase, or seconds per epoch) that goes away; negative where it grows."""


@dataclass(frozen=True)
class Idea:
    """A change to try: options by slot, settings and training by name."""

    flag: str
    text: str
    price: str
    loss: int
    options: tuple[tuple[Slot, str], ...] = ()
    settings: tuple[tuple[str, SettingValue], ...] = ()
    training: tuple[tuple[str, object], ...] = ()


def ideas(facts: Facts, symptom: str, spec: JobSpec) -> list[Idea]:
    """Every change that could bear on a symptom, whether it helps or not."""
    found = [*_exact(spec), *_batches(spec, symptom), *_samplers(facts, spec), *_smaller(spec), *_storage(facts, spec)]
    if symptom == "no-convergence":
        return [*_quality(facts, spec)]
    return found


def scored(
    facts: Facts, symptom: str, spec: JobSpec, before: ForecastFigures, tried: list[Idea], draw: Draw | None
) -> list[Change]:
    """The ideas that can be used and help, best first."""
    found = []
    for idea in tried:
        changed = applied(facts, spec, idea)
        if changed == spec or not check(facts, changed).usable:
            continue
        after = cost(facts, changed, draw)
        saves = _saves(symptom, before, after)
        sooner = symptom not in OF_PHASE and after.seconds_to_converge < (1 - LEAST_GAIN) * before.seconds_to_converge
        if symptom == "no-convergence" or helps(saves) or sooner:
            found.append(_change(facts, idea, after, saves))
    return sorted(found, key=lambda one: (not one.fits, one.loss, one.converge_seconds if one.fits else -one.saves))


def helps(saves: float) -> bool:
    """Whether a share of what hurts is worth telling."""
    return saves >= LEAST_GAIN


def planned_change(symptom: str, before: ForecastFigures, best: Candidate) -> Change:
    """Where no single change is enough: everything that the plan would do."""
    slots = (Slot.SAMPLING, Slot.REPRESENTATION, Slot.ARCHITECTURE, Slot.HARDWARE)
    figures = best.forecast
    return Change(
        flag=" ".join(f"--fix {slot.value}={best.options[slot]}" for slot in slots),
        text="what gnnfit plan recommends, all together",
        price="",
        loss=1,
        host_bytes=figures.baseline_host_bytes + figures.peak_host_bytes,
        device_bytes=figures.peak_device_bytes,
        epoch_seconds=figures.epoch_seconds,
        converge_seconds=figures.seconds_to_converge,
        fits=True,
        saves=_saves(symptom, before, figures),
    )


def applied(facts: Facts, spec: JobSpec, idea: Idea) -> JobSpec:
    """The spec with one change."""
    settings = {**spec.settings, **dict(idea.settings)}
    changed = make_spec(facts, Pins(), {**spec.options, **dict(idea.options)}, settings)
    training = spec.training.model_copy(update=dict(idea.training))
    return changed.model_copy(update={"training": training})


def _change(facts: Facts, idea: Idea, after: ForecastFigures, saves: float) -> Change:
    return Change(
        flag=idea.flag,
        text=idea.text,
        price=idea.price,
        loss=idea.loss,
        host_bytes=after.baseline_host_bytes + after.peak_host_bytes,
        device_bytes=after.peak_device_bytes,
        epoch_seconds=after.epoch_seconds,
        converge_seconds=after.seconds_to_converge,
        fits=fits(facts, after),
        saves=saves,
    )


def _saves(symptom: str, before: ForecastFigures, after: ForecastFigures) -> float:
    phase = OF_PHASE.get(symptom)
    if phase is None:
        seconds = [figures.epoch_seconds.expected for figures in (before, after)]
        return 1 - seconds[1] / max(seconds[0], 1e-12)
    place = "device_peak_bytes" if before.needs_device_bytes and phase is not Phase.LOAD else "host_peak_bytes"
    peaks = [getattr(figures.phases[phase], place).expected for figures in (before, after)]
    return float(1 - peaks[1] / max(peaks[0], 1.0))


def _exact(spec: JobSpec) -> Iterator[Idea]:
    """The same numbers."""
    if spec.options[Slot.REPRESENTATION] != "csr":
        text = "sums of neighbours as one sparse product: no message per edge in memory"
        yield Idea("--fix representation=csr", text, "", 0, options=((Slot.REPRESENTATION, "csr"),))
    if spec.options[Slot.REPRESENTATION_FEATURES] != "csr":
        yield Idea("--fix representation.features=csr", "only the features that are not zero are held", "", 0,
                   options=((Slot.REPRESENTATION_FEATURES, "csr"),))  # fmt: skip
    if not spec.training.checkpoint_layers:
        text = "keep only the inputs of layers and compute the rest again"
        yield Idea(
            "--set checkpoint_layers=true",
            text,
            "one more forward pass a step",
            0,
            training=(("checkpoint_layers", True),),
        )
    if spec.settings.get("prefetch") == 0:
        yield Idea("--set prefetch=2", "threads make the next batches while a step runs", "a few batches more in memory", 0,
                   settings=(("prefetch", 2),))  # fmt: skip
    if spec.settings.get("trim") is False:
        yield Idea(
            "--set trim=true", "layers leave out nodes that no later layer reads", "", 0, settings=(("trim", True),)
        )
    if spec.training.precision != "bf16":
        text = "half the bytes of what layers keep for the backward pass"
        yield Idea("--set precision=bf16", text, "fewer digits in dense products", 1, training=(("precision", "bf16"),))


def _batches(spec: JobSpec, symptom: str) -> Iterator[Idea]:
    """Smaller ones for memory, larger ones for speed."""
    factors = (2.0, 4.0) if symptom in ("slow-epoch", "gpu-idle") else (0.5, 0.25)
    for name in ("batch_size", "batch_cost"):
        size = spec.settings.get(name)
        for value in [max(int(size * factor), 1) for factor in factors] if isinstance(size, int) else ():
            price = "more steps an epoch" if factors[0] < 1 else "fewer, larger steps: may want a larger learning rate"
            yield Idea(f"--set {name}={value}", f"{size} -> {value} a step", price, 1, settings=((name, value),))
    fanouts = spec.settings.get("fanouts")
    if isinstance(fanouts, tuple):
        fewer = tuple(max(one // 2, 1) for one in fanouts)
        said = ",".join(map(str, fewer))
        yield Idea(f"--set fanouts={said}", "fewer neighbours per hop", "a rougher estimate of each neighbourhood", 1,
                   settings=(("fanouts", fewer),))  # fmt: skip


def _samplers(facts: Facts, spec: JobSpec) -> Iterator[Idea]:
    """Another way to make batches, another processor."""
    texts = {
        "neighbor": (
            "a few neighbours around a batch: memory is bounded by the batch",
            "an approximated convolution",
            1,
        ),
        "link_neighbor": ("a few neighbours around a batch of edges", "an approximated convolution", 1),
        "cluster": ("METIS parts as batches: each node is read once an epoch", "edges between parts are lost", 2),
        "full_batch": ("the whole graph at once: no sampling at all", "memory grows with the graph", 0),
        "dynamic_batch": ("batches of even cost", "", 0),
    }
    for name, (text, price, loss) in texts.items():
        if name != spec.options[Slot.SAMPLING]:
            yield Idea(f"--fix sampling={name}", text, price, loss, options=((Slot.SAMPLING, name),))
    if facts.hardware.gpus:
        other = "cpu" if spec.options[Slot.HARDWARE] == "cuda" else "cuda"
        price = "slower steps" if other == "cpu" else "device memory is smaller"
        yield Idea(f"--fix hardware={other}", f"train on the {other}", price, 0, options=((Slot.HARDWARE, other),))


def _smaller(spec: JobSpec) -> Iterator[Idea]:
    """A smaller or a lighter model."""
    hidden, layers = spec.settings.get("hidden"), spec.settings.get("layers")
    if isinstance(hidden, int) and hidden >= 32:
        yield Idea(f"--set hidden={hidden // 2}", f"width {hidden} -> {hidden // 2}", "a smaller model", 2,
                   settings=(("hidden", hidden // 2),))  # fmt: skip
    if isinstance(layers, int) and layers > 1:
        fanouts = spec.settings.get("fanouts")
        fewer = (("fanouts", fanouts[: layers - 1]),) if isinstance(fanouts, tuple) else ()
        yield Idea(f"--set layers={layers - 1}", f"{layers} -> {layers - 1} layers", "a node sees one hop less", 2,
                   settings=(("layers", layers - 1), *fewer))  # fmt: skip
    if spec.options[Slot.ARCHITECTURE] in ("gat", "gatv2"):
        yield Idea("--fix architecture=sage", "no attention: no message per edge and head", "another model", 2,
                   options=((Slot.ARCHITECTURE, "sage"), (Slot.REPRESENTATION, "csr")))  # fmt: skip


def _storage(facts: Facts, spec: JobSpec) -> Iterator[Idea]:
    """Where the data lies, and a smaller graph."""
    if spec.options[Slot.REMOTE_FEATURES] != "memmap":
        yield Idea("--fix remote.features=memmap", "features stay on disk, mapped", "slower first reads", 0,
                   options=((Slot.REMOTE_FEATURES, "memmap"), (Slot.REPRESENTATION_FEATURES, "dense")))  # fmt: skip
    if spec.options[Slot.REPRESENTATION_FEATURES] != "half":
        yield Idea("--fix representation.features=half", "features as float16 at rest", "rounded features", 1,
                   options=((Slot.REPRESENTATION_FEATURES, "half"),))  # fmt: skip
    if spec.options[Slot.COARSENING] == "none" and facts.goal.detail != "local":
        yield Idea("--fix coarsening=heavy_edge", "train on super-nodes, half as many", "lost detail", 2,
                   options=((Slot.COARSENING, "heavy_edge"),))  # fmt: skip


def _quality(facts: Facts, spec: JobSpec) -> Iterator[Idea]:
    """What helps learning: cheap tries first."""
    rate = spec.training.learning_rate
    for value in (rate / 5, rate * 3):
        yield Idea(f"--set learning_rate={value:.2g}", "another step size", "", 0, training=(("learning_rate", value),))
    if spec.settings.get("unit_rows") is False:
        yield Idea(
            "--set unit_rows=true",
            "rows of features scaled to length 1",
            "lengths are lost",
            1,
            settings=(("unit_rows", True),),
        )
    if spec.settings.get("seed_order") == "uniform":
        yield Idea(
            "--set seed_order=imbalanced",
            "rare classes are drawn more often",
            "",
            1,
            settings=(("seed_order", "imbalanced"),),
        )
    if spec.training.dropout > 0:
        yield Idea(
            "--set dropout=0",
            "less regularisation where training itself stays bad",
            "may overfit",
            1,
            training=(("dropout", 0.0),),
        )
    if spec.training.precision == "bf16":
        yield Idea("--set precision=fp32", "full precision", "more memory", 0, training=(("precision", "fp32"),))
    if spec.options[Slot.SAMPLING] != "full_batch":
        yield Idea("--fix sampling=full_batch", "exact gradients: sampling is a rough estimate", "memory of the whole graph", 0,
                   options=((Slot.SAMPLING, "full_batch"),))  # fmt: skip
    fanouts = spec.settings.get("fanouts")
    if isinstance(fanouts, tuple):
        more = tuple(2 * one for one in fanouts)
        yield Idea(f"--set fanouts={','.join(map(str, more))}", "more neighbours per hop: less noise", "slower steps", 0,
                   settings=(("fanouts", more),))  # fmt: skip
    if spec.options[Slot.ARCHITECTURE] != "sage":
        yield Idea("--fix architecture=sage", "keeps a node apart from its neighbours", "another model", 2,
                   options=((Slot.ARCHITECTURE, "sage"),))  # fmt: skip
    layers = spec.settings.get("layers")
    if isinstance(layers, int) and layers > 2:
        yield Idea("--set layers=2", "deep stacks of convolutions make all nodes alike", "shorter reach", 1,
                   settings=(("layers", 2), *((("fanouts", fanouts[:2]),) if isinstance(fanouts, tuple) else ())))  # fmt: skip
