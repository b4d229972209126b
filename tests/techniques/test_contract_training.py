"""What is forecast is what runs: every usable combination of options trains and predicts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from planner.inspect.opened import drawer
from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques import options
from techniques.architecture.hetero.typed import TYPED, is_typed
from techniques.assembly import forecast
from techniques.base import Option, Slot
from techniques.errors import OptionError
from techniques.facts import Facts, HardwareFacts, Task
from techniques.job import JobSpec
from tests.combinations import COMBINATIONS, SAMPLING, every_option, meeting, ranges, usable
from tests.covering import covering

HIDDEN = 8


def with_option(facts: Facts, one: Option, **settings: Any) -> JobSpec:
    """A spec that uses the option beside choices that allow it."""
    helpful = {Slot.HARDWARE: "cpu"}
    if one.name == "memmap":
        helpful[Slot.SAMPLING] = "neighbor"
    if one.name in ("gat", "gatv2"):
        helpful[Slot.REPRESENTATION] = "coo"
    if one.name in ("rows", "sgc", "sign"):
        helpful |= {Slot.ARCHITECTURE: "sgc", Slot.SAMPLING: "full_batch"}
    if one.name == "custom":
        helpful |= {Slot.REPRESENTATION: "coo", Slot.REPRESENTATION_FEATURES: "dense"}
    if facts.task is Task.LINK:
        helpful[Slot.SAMPLING] = "link_neighbor"
    if facts.task is Task.GRAPH:
        helpful[Slot.SAMPLING] = "graph_batch"
    return make_spec(facts, Pins({**helpful, one.slot: one.name}, settings), {})


TRAINABLE = {
    "dense": {},
    "sparse": {"features": "sparse"},
    "no-features": {"features": "none"},
    "float16-directed": {"features": "float16", "undirected": False},
    "multi-label": {"labels": "multi"},
    "links": {"labels": "none", "undirected": False},
    "undirected-links": {"labels": "none"},
    "weighted": {"weights": "symmetric"},
    "weighted-directed": {"weights": "random", "undirected": False},
    "edge-attributes": {"edge_columns": 3},
    "positions": {"positions": True},
    "weighted-links": {"labels": "none", "weights": "symmetric", "edge_columns": 2},
}
TRAINABLE_SETS: dict[str, dict[str, Any]] = {
    "set": {},
    "set-multi-label": {"labels": "multi"},
    "set-regression": {"labels": "target"},
    "set-regression-directed": {"labels": "targets", "undirected": False, "features": "float16"},
    "set-weighted": {"weights": True, "edge_columns": 3},
    "set-no-features": {"features": "none"},
}


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def of_architecture(name: str) -> list[dict[Slot, str]]:
    """Combinations that this machine could run."""
    here = ("cpu", "cuda") if has_gpu() else ("cpu",)
    return [one for one in COMBINATIONS if one[Slot.ARCHITECTURE] == name and one[Slot.HARDWARE] in here]


UNTYPED = [one.name for one in options(Slot.ARCHITECTURE) if one.name not in TYPED]
NEVER_TRAINED = {Task.LINK: ("sgc", "sign"), Task.GRAPH: ("appnp", "sgc", "sign", "custom"), Task.NODE: ()}
"""Rows carry node labels; they have no readout of graphs."""


@pytest.fixture(scope="module")
def trained_on(tiny: Any, tiny_set: Any, profiled: Any, own_model: Any) -> Callable[[str], Any]:
    """``trained_on(kind)``: a graph, and for each architecture its facts and specs; all options meet on it that can."""

    @cache
    def build(kind: str) -> tuple[Any, dict[str, list[tuple[Facts, JobSpec]]]]:
        stored = tiny(**TRAINABLE[kind]) if kind in TRAINABLE else tiny_set(**TRAINABLE_SETS[kind])
        facts = profiled(stored, device=2**34)
        own = facts.model_copy(update={"model": own_model(facts)})
        small = {"hidden": HIDDEN, "batch_size": 16, "threads": 1, "batch_cost": 50}
        within = {**small, "propagation_steps": 2, "trim": False}  # sampled hops
        found: list[JobSpec] = []
        for architecture in UNTYPED:
            settings = within if architecture == "appnp" else small
            found += usable(own if architecture == "custom" else facts, of_architecture(architecture), **settings)
        by_architecture: dict[str, list[tuple[Facts, JobSpec]]] = {}
        for spec in meeting(found):
            architecture = spec.options[Slot.ARCHITECTURE]
            its = own if architecture == "custom" else facts
            by_architecture.setdefault(architecture, []).append((its, spec))
        return stored, by_architecture

    return build


@pytest.mark.parametrize("architecture", UNTYPED)
@pytest.mark.parametrize("kind", [*TRAINABLE, *TRAINABLE_SETS])
def test_every_usable_combination_trains_and_predicts(
    kind: str, architecture: str, trained_on: Any, make_job: Any
) -> None:
    stored, by_architecture = trained_on(kind)
    its = by_architecture.get(architecture, [])
    for facts, spec in its:
        assert_trains_as_forecast(facts, spec, stored, make_job)
    task = next(iter(by_architecture.values()))[0][0].task
    assert len(its) >= 2 or (not its and architecture in NEVER_TRAINED[task])


def assert_trains_as_forecast(facts: Facts, spec: JobSpec, stored: Any, make_job: Any) -> None:
    import math

    import torch

    from tuner.training import train_epoch

    job = make_job(facts, stored, spec)
    loss, finished = train_epoch(job)
    assert math.isfinite(loss) and finished, spec.options
    logits = job.need("predict")()
    labels = facts.graph.labels
    columns = HIDDEN if facts.task is Task.LINK else labels.num_targets or labels.num_classes
    rows = facts.graph.num_graphs if facts.task is Task.GRAPH else facts.graph.num_nodes
    if is_typed(spec):
        rows = facts.graph.nodes_by_type[facts.graph.target_type or ""]
    assert logits.shape == (rows, columns), spec.options
    assert torch.isfinite(logits).all(), spec.options
    # Only who coarsens the graph knows how many super-nodes have a training member.
    draw = None if spec.options[Slot.COARSENING] == "none" else drawer(stored, facts.graph)
    expected = forecast(spec, facts, draw)
    parameters = sum(parameter.numel() for parameter in job.model.parameters())
    assert parameters == expected.parameters, "the forecast counts the parameters of the live model"
    assert len(list(job.moved_batches())) == expected.steps_per_epoch, spec.options


@every_option
def test_every_named_choice_of_a_knob_is_forecast_and_trains(
    one: Option, tiny: Any, profiled: Any, make_job: Any
) -> None:
    """Knobs whose values are names choose between ways to do something; each must be one."""
    import math

    from tuner.training import train_epoch

    stored = tiny()
    facts = profiled(stored)
    for knob in one.knobs(facts):
        for value in knob.choices:
            if not isinstance(value, str):
                continue
            chosen: dict[str, Any] = {knob.name: value}
            spec = with_option(facts, one, hidden=HIDDEN, batch_size=16, threads=1, **chosen)
            if not check(facts, spec).usable:
                continue
            for name, figure in ranges(forecast(spec, facts)).items():
                assert 0 <= figure.low <= figure.expected <= figure.high < float("inf"), (name, value)
            loss, finished = train_epoch(make_job(facts, stored, spec))
            assert math.isfinite(loss) and finished, (knob.name, value)


@pytest.mark.parametrize("kind", ["classes", "sparse", "multi", "masks"])
@pytest.mark.parametrize("architecture", TYPED)
def test_every_usable_typed_combination_trains_and_predicts(
    kind: str, architecture: str, films: Any, profiled: Any, make_job: Any
) -> None:
    from techniques.remote.source import from_object

    labels = "multi" if kind == "multi" else "classes"
    stored = from_object(films(sparse=kind == "sparse", labels=labels, masks=kind == "masks"), "films")
    facts = profiled(stored, device=2**34)
    ran = 0
    small: dict[str, Any] = {"hidden": HIDDEN, "batch_size": 16, "threads": 1}
    for more in ({}, {"featureless": "degree", "trim": False, "prefetch": 0}):
        for spec in meeting(usable(facts, of_architecture(architecture), **small, **more)):
            assert_trains_as_forecast(facts, spec, stored, make_job)
            ran += 1
    assert ran >= 4


@pytest.mark.parametrize("architecture", UNTYPED)
def test_every_other_architecture_takes_all_types_as_one(
    architecture: str, films: Any, profiled: Any, make_job: Any, own_model: Any
) -> None:
    from techniques.remote.source import from_object

    stored = from_object(films(), "films")
    facts = profiled(stored)
    if architecture == "custom":
        facts = facts.model_copy(update={"model": own_model(facts)})
    specs = usable(facts, of_architecture(architecture), hidden=HIDDEN, batch_size=8, threads=1)
    each = covering(specs, lambda one: one.options[SAMPLING])
    assert {"full_batch"} < {spec.options[SAMPLING] for spec in each}
    for spec in each:
        assert_trains_as_forecast(facts, spec, stored, make_job)


def test_cuda_without_a_gpu_says_so(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> None:
    if has_gpu():
        pytest.skip("this machine has a GPU")
    stored = tiny()
    facts = profiled(stored, device=2**34)
    with pytest.raises(OptionError, match="needs a GPU"):
        make_job(facts, stored, spec_for(facts, {"hardware": "cuda"}))


def test_a_job_without_a_part_names_what_is_missing(tiny: Any, profiled: Any, tmp_path: Any, spec_for: Any) -> None:
    from techniques.job import Job

    stored = tiny()
    facts: Facts = profiled(stored)
    assert isinstance(facts.hardware, HardwareFacts)
    with pytest.raises(OptionError, match="provides no model"):
        Job(spec=spec_for(facts), facts=facts, stored=stored, scratch=tmp_path).need("model")
