"""What every option must do, whatever it is: a new option is tested by being in the list."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import FrozenInstanceError
from functools import cache, partial
from itertools import combinations as combinations_of
from itertools import product
from typing import Any

import pytest
from hypothesis import Phase as Phases
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.inspect.degrees import estimated_degrees
from planner.inspect.estimate import for_links, from_counts
from planner.inspect.opened import drawer
from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques import OPTIONS, option, options
from techniques.architecture.hetero.typed import TYPED, is_typed
from techniques.assembly import compose, forecast
from techniques.base import Option, Slot, Technique, Verdict
from techniques.errors import OptionError
from techniques.facts import Facts, GraphFacts, HardwareFacts, Task
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.graph_figures import EdgeTypeFacts, NodeTypeFacts
from techniques.hardware.allocator import MOST_HEAP_BYTES
from techniques.job import JobSpec
from tests.covering import covering

HIDDEN = 8
SAMPLING = Slot.SAMPLING


def identity(one: Option) -> str:
    return f"{one.slot.value}={one.name}"


every_option = pytest.mark.parametrize("one", OPTIONS, ids=identity)


def combinations() -> list[dict[Slot, str]]:
    """Every way to fill the slots."""
    names = [[one.name for one in options(slot)] for slot in Slot]
    return [dict(zip(Slot, chosen, strict=True)) for chosen in product(*names)]


COMBINATIONS = combinations()


def together(*slots: Slot) -> Callable[[dict[Slot, str]], tuple[str, ...]]:
    return lambda chosen: tuple(chosen[slot] for slot in slots)


MEETINGS = [together(*pair) for pair in combinations_of(Slot, 2)]
MEETINGS.append(together(Slot.SAMPLING, Slot.REPRESENTATION, Slot.ARCHITECTURE))
"""Any two options read each other's settings; batches, their form and the layers over them share one path."""
PAIRS = covering(COMBINATIONS, *MEETINGS)


def name_of(chosen: dict[Slot, str]) -> str:
    return "-".join(chosen[slot] for slot in Slot if len(options(slot)) > 1)


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


# Identity


def test_slots_and_names_are_unique_and_every_room_is_furnished() -> None:
    keys = [(one.slot, one.name) for one in OPTIONS]
    assert len(set(keys)) == len(keys)
    assert {one.slot for one in OPTIONS} == set(Slot)
    assert {one.slot.technique for one in OPTIONS} == set(Technique)


@every_option
def test_is_found_by_its_name(one: Option) -> None:
    assert option(one.slot, one.name) is one


def test_an_unknown_option_is_one_line_with_the_known_ones() -> None:
    with pytest.raises(OptionError) as caught:
        option(Slot.SAMPLING, "nieghbor")
    assert "'nieghbor'" in str(caught.value)
    assert "neighbor" in caught.value.remedy


@every_option
def test_is_a_frozen_value(one: Option) -> None:
    assert hash(one) == hash(one)
    for name in ("name", "text", "anything"):
        with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
            setattr(one, name, "changed")


@every_option
def test_name_and_text_are_for_people(one: Option) -> None:
    assert one.name == one.name.lower() and one.name.isidentifier()
    assert 10 <= len(one.text) <= 100
    assert "\n" not in one.text and not one.text.endswith(".")
    assert one.__class__.__doc__, "a class docstring says where the option comes from"


# Knobs


@every_option
@pytest.mark.parametrize("cores", [1, 2, 64])
def test_knobs_are_valid(one: Option, cores: int, make_facts: Any) -> None:
    knobs = one.knobs(make_facts(cores=cores))
    assert len({knob.name for knob in knobs}) == len(knobs)
    for knob in knobs:
        assert knob.text
        assert (knob.low is None) == (knob.high is None)
        if knob.choices:
            assert knob.low is None
            assert knob.default in knob.choices
        elif knob.low is not None and knob.high is not None:
            assert not isinstance(knob.default, (bool, str, tuple))
            assert knob.low <= knob.default <= knob.high
        else:
            pytest.fail(f"{knob.name} has neither choices nor bounds")


def test_no_two_rooms_share_a_knob(make_facts: Any) -> None:
    facts = make_facts()
    owners: dict[str, set[Slot]] = {}
    for one in OPTIONS:
        for knob in one.knobs(facts):
            owners.setdefault(knob.name, set()).add(one.slot)
    assert all(len(slots) == 1 for slots in owners.values()), owners


# Verdicts


def several_types(scale: int = 1) -> GraphFacts:
    """Counts of a heterogeneous graph: what only a graph that was read has."""
    movies, people = 600 * scale, 400 * scale
    graph = from_counts(movies + people, 5000 * scale, 32, 3, directed=True)
    into, out = estimated_degrees(people, 5000 * scale), estimated_degrees(movies, 5000 * scale)
    return graph.model_copy(
        update={
            "node_types": (
                NodeTypeFacts(name="movie", num_nodes=movies, columns=32, nonzeros=movies, feature_bytes=128 * movies),
                NodeTypeFacts(name="person", num_nodes=people),
            ),
            "edge_types": (
                EdgeTypeFacts(
                    source="movie",
                    relation="by",
                    target="person",
                    num_edges=5000 * scale,
                    degrees=into,
                    out_degrees=out,
                ),
            ),
            "target_type": "movie",
            "nodes_by_type": {"movie": movies, "person": people},
        }
    )


GRAPHS = {
    "types": several_types(),
    "large types": several_types(10_000),
    "small": from_counts(1000, 5000, 32, 3, directed=False),
    "large": from_counts(3_000_000, 60_000_000, 100, 47, directed=True),
    "featureless": from_counts(1000, 5000, 0, 3, directed=False),
    "links": for_links(from_counts(1000, 5000, 32, directed=False)),
    "weighted": from_counts(1000, 5000, 32, 3, directed=False, edge_weighted=True, edge_features=8),
    "set": from_counts(5000, 20_000, 32, 3, directed=False, num_graphs=200),
    "regression": from_counts(5000, 20_000, 32, directed=False, num_graphs=200, num_targets=2),
}


@every_option
@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("device", [0, 16 * 2**30])
def test_check_answers_with_a_reason(one: Option, graph: str, device: int, make_facts: Any) -> None:
    for grow, hops in ((1.0, None), (100.0, 5)):
        facts = make_facts(GRAPHS[graph], device=device, grow=grow, context_hops=hops)
        for chosen in PAIRS:
            if chosen[one.slot] != one.name:
                continue
            verdict = one.check(facts, make_spec(facts, Pins(chosen), {}))
            assert isinstance(verdict, Verdict)
            if verdict.usable:
                continue
            assert verdict.reasons
            for reason in verdict.reasons:
                assert all((reason.fact, reason.value, reason.rule, reason.source, reason.text)), reason
                assert "\n" not in reason.text


@every_option
def test_is_usable_somewhere(one: Option, make_facts: Any, own_model: Any) -> None:
    model = own_model() if one.name == "custom" else None
    sparse = GRAPHS["small"].model_copy(
        update={
            "features": GRAPHS["small"].features.model_copy(update={"nonzeros": 100}),
            "position_columns": 2,
        }
    )
    assert any(
        check(facts, make_spec(facts, Pins(chosen), {})).usable
        for facts in (
            make_facts(one, device=2**34, model=model)
            for one in (sparse, GRAPHS["links"], GRAPHS["featureless"], GRAPHS["set"], GRAPHS["types"])
        )
        for chosen in COMBINATIONS
        if chosen[one.slot] == one.name
    )


# Forecasts


def test_forecasting_every_option_imports_nothing_heavy() -> None:
    code = """
import json, sys
from itertools import product
from planner.inspect.estimate import from_counts
from planner.catalog import machine
from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques import options
from techniques.base import Slot
from techniques.facts import Facts
from techniques.assembly import forecast
facts = Facts(graph=from_counts(1000, 5000, 32, 3, directed=False), hardware=machine("colab-t4"))
done = 0
for chosen in product(*[[one.name for one in options(slot)] for slot in Slot]):
    spec = make_spec(facts, Pins(dict(zip(Slot, chosen))), {})
    for slot, name in spec.options.items():
        for one in options(slot):
            one.recipe(spec) if one.name == name else None
    if check(facts, spec).usable:
        forecast(spec, facts)
        done += 1
heavy = [name for name in ("torch", "torch_geometric", "numpy", "numba", "scipy", "optuna") if name in sys.modules]
print(json.dumps([done, heavy]))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    done, heavy = json.loads(out.stdout)
    assert done >= 20
    assert heavy == []


def usable(facts: Facts, among: Iterable[dict[Slot, str]] = COMBINATIONS, **settings: Any) -> Iterator[JobSpec]:
    specs = (make_spec(facts, Pins(chosen, settings), {}) for chosen in among)
    return (spec for spec in specs if check(facts, spec).usable)


def meeting(specs: Iterable[JobSpec]) -> list[JobSpec]:
    """Of these, enough for all options to meet that can."""
    return covering(specs, *[partial(_of_options, aspect) for aspect in MEETINGS])


def _of_options(aspect: Callable[[dict[Slot, str]], tuple[str, ...]], spec: JobSpec) -> tuple[str, ...]:
    return aspect(dict(spec.options))


@pytest.fixture(scope="module")
def specs_of(make_facts: Any) -> Callable[[str, int], list[JobSpec]]:
    """``specs_of(graph, device)``: specs of a graph in which all options meet that can."""

    @cache
    def specs(graph: str, device: int) -> list[JobSpec]:
        return meeting(usable(make_facts(GRAPHS[graph], device=device)))

    return specs


def ranges(found: Forecast) -> dict[str, Range]:
    figures = {
        "host": found.peak_bytes(Place.HOST),
        "device": found.peak_bytes(Place.DEVICE),
        "epoch": found.epoch_seconds,
        "flops": found.flops_per_epoch,
    }
    for phase in Phase:
        one = found.phases[phase]
        figures |= {f"{phase}.host": one.host_peak_bytes, f"{phase}.device": one.device_peak_bytes}
        figures[f"{phase}.seconds"] = one.seconds
    return figures


@pytest.mark.parametrize("device", [0, 2**34])
@pytest.mark.parametrize("graph", GRAPHS)
def test_every_figure_is_an_ordered_range(graph: str, device: int, make_facts: Any, specs_of: Any) -> None:
    facts = make_facts(GRAPHS[graph], device=device)
    for spec in specs_of(graph, device):
        for name, figure in ranges(forecast(spec, facts)).items():
            assert 0 <= figure.low <= figure.expected <= figure.high < float("inf"), (name, spec.options)


@pytest.mark.parametrize("device", [0, 2**34])
def test_a_forecast_is_complete(device: int, make_facts: Any, specs_of: Any) -> None:
    facts = make_facts(GRAPHS["small"], device=device)
    for spec in specs_of("small", device) + specs_of("types", device):
        facts = make_facts(GRAPHS["types"] if is_typed(spec) else GRAPHS["small"], device=device)
        found = forecast(spec, facts)
        assert found.shape is not None and len(found.shape.layers) == spec.settings["layers"]
        assert found.flops_per_epoch.expected > 0 and found.epoch_seconds.expected > 0
        assert found.parameters > 0 and found.steps_per_epoch >= 1
        on_gpu = spec.options[Slot.HARDWARE] == "cuda"
        assert (found.peak_bytes(Place.DEVICE).expected > 0) == on_gpu
        for phase in Phase:
            assert found.phases[phase].host_peak_bytes.expected > 0, phase


def test_parts_come_in_order_of_execution(make_facts: Any, specs_of: Any) -> None:
    facts = make_facts(GRAPHS["small"])
    for spec in specs_of("small", 0):
        stages = [part.stage for part in compose(spec, facts)]
        assert stages == sorted(stages)
        assert compose(spec, facts) == compose(spec, facts), "a spec always gives the same parts"


def host_and_device(facts: Facts, spec: JobSpec, phases: tuple[Phase, ...]) -> tuple[float, float]:
    found = [forecast(spec, facts).phases[phase] for phase in phases]
    host, device = (one.host_peak_bytes.expected for one in found), (one.device_peak_bytes.expected for one in found)
    return max(host), max(device)


ALLOCATOR_STEP = MOST_HEAP_BYTES
"""Where the largest tensor crosses the allocator's threshold, up to so much slack goes at once."""

sizes = st.tuples(
    st.integers(2_000, 2_000_000),  # nodes
    st.integers(2, 60),  # undirected edges a node
    st.sampled_from([16, 24, 31]),  # narrower than any hidden width, so that no layer changes its order
    st.integers(2, 30),
)


@pytest.mark.parametrize("larger", ["nodes and edges", "edges", "features", "hidden", "layers"])
@settings(max_examples=25, derandomize=True, phases=(Phases.explicit, Phases.generate))
@given(size=sizes, factor=st.floats(1.1, 4), which=st.integers(0, 10**6))
def test_more_never_needs_less_memory(
    larger: str, size: tuple[int, int, int, int], factor: float, which: int, make_facts: Any, specs_of: Any
) -> None:
    nodes, degree, width, classes = size
    before = make_facts((nodes, nodes * degree, width, classes), device=2**34)
    after = before
    specs = list(usable(before, [dict(one.options) for one in specs_of("small", 2**34)]))
    if larger == "nodes and edges":
        # Of more nodes with the same degree, as many that are drawn have fewer edges between them.
        specs = [one for one in specs if one.options[Slot.SAMPLING] not in ("shadow_k_hop", "graph_saint")]
    spec = grown = specs[which % len(specs)]
    if larger == "nodes and edges":
        after = make_facts((int(nodes * factor), int(nodes * factor) * degree, width, classes), device=2**34)
    elif larger == "edges":
        after = make_facts((nodes, int(nodes * degree * factor), width, classes), device=2**34)
    elif larger == "features":
        after = make_facts((nodes, nodes * degree, width + 1, classes), device=2**34)
    else:
        value = {"hidden": 256, "layers": 3}[larger]
        grown = make_spec(before, Pins(spec.options, {larger: value}), {})
    # Evaluation walks chunks of so many edges: the more edges a node has, the fewer nodes are in one.
    phases = (Phase.LOAD, Phase.PREPARE, Phase.TRAIN) if larger == "edges" else tuple(Phase)
    if larger == "nodes and edges" and spec.options[Slot.SAMPLING] == "shadow_k_hop":
        # In a smaller graph of the same degree the nodes of an ego graph are linked more often among themselves.
        phases = (Phase.LOAD, Phase.PREPARE)
    less, more = host_and_device(before, spec, phases), host_and_device(after, grown, phases)
    for least, most in zip(less, more, strict=True):
        assert least <= most + ALLOCATOR_STEP, (spec.options, least, most)


# Recipes


@pytest.mark.parametrize("chosen", PAIRS, ids=name_of)
def test_recipes_are_python(chosen: dict[Slot, str], make_facts: Any) -> None:
    facts = make_facts(device=2**34)
    spec = make_spec(facts, Pins(chosen), {})
    recipes = [option(slot, name).recipe(spec) for slot, name in spec.options.items()]
    for recipe in recipes:
        compile(recipe, "recipe", "exec")
    compile("\n".join(recipes), "recipe", "exec")


# What is forecast is what runs

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


@pytest.mark.parametrize("kind", [*TRAINABLE, *TRAINABLE_SETS])
@pytest.mark.parametrize("architecture", [one.name for one in options(Slot.ARCHITECTURE) if one.name not in TYPED])
def test_every_usable_combination_trains_and_predicts(
    kind: str, architecture: str, tiny: Any, tiny_set: Any, profiled: Any, make_job: Any, own_model: Any
) -> None:
    import math

    import torch

    from tuner.training import train_epoch

    stored = tiny(**TRAINABLE[kind]) if kind in TRAINABLE else tiny_set(**TRAINABLE_SETS[kind])
    facts = profiled(stored, device=2**34)
    ran = 0
    if architecture == "custom":
        facts = facts.model_copy(update={"model": own_model(facts)})
    small = {"hidden": HIDDEN, "batch_size": 16, "threads": 1, "batch_cost": 50}
    if architecture == "appnp":  # propagation within sampled hops
        small |= {"propagation_steps": 2, "trim": False}
    here = [
        one
        for one in COMBINATIONS
        if one[Slot.ARCHITECTURE] == architecture and (one[Slot.HARDWARE] == "cpu" or has_gpu())
    ]
    for spec in meeting(usable(facts, here, **small)):
        job = make_job(facts, stored, spec)
        loss, finished = train_epoch(job)
        assert math.isfinite(loss) and finished, spec.options
        logits = job.need("predict")()
        labels = facts.graph.labels
        columns = HIDDEN if facts.task is Task.LINK else labels.num_targets or labels.num_classes
        rows = facts.graph.num_graphs if facts.task is Task.GRAPH else facts.graph.num_nodes
        assert logits.shape == (rows, columns)
        assert torch.isfinite(logits).all()
        parameters = sum(parameter.numel() for parameter in job.model.parameters())
        assert parameters == forecast(spec, facts).parameters, "the forecast counts the parameters of the live model"
        # Only who coarsens the graph knows how many super-nodes have a training member.
        draw = None if spec.options[Slot.COARSENING] == "none" else drawer(stored, facts.graph)
        assert len(list(job.moved_batches())) == forecast(spec, facts, draw).steps_per_epoch
        ran += 1
    if facts.task is Task.LINK and architecture in ("sgc", "sign"):
        assert ran == 0, "rows carry node labels"
        return
    if facts.task is Task.GRAPH and architecture in ("appnp", "sgc", "sign", "custom"):
        assert ran == 0, "they have no readout of graphs"
        return
    assert ran >= 2


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
    import math

    import torch

    from techniques.remote.source import from_object
    from tuner.training import train_epoch

    labels = "multi" if kind == "multi" else "classes"
    stored = from_object(films(sparse=kind == "sparse", labels=labels, masks=kind == "masks"), "films")
    facts = profiled(stored, device=2**34)
    ran = 0
    small: dict[str, Any] = {"hidden": HIDDEN, "batch_size": 16, "threads": 1}
    here = [one for one in COMBINATIONS if one[Slot.ARCHITECTURE] == architecture]
    for more in ({}, {"featureless": "degree", "trim": False, "prefetch": 0}):
        for spec in usable(facts, here, **small, **more):
            job = make_job(facts, stored, spec)
            loss, finished = train_epoch(job)
            assert math.isfinite(loss) and finished, spec.options
            logits = job.need("predict")()
            assert logits.shape == (40, facts.graph.labels.num_classes) and torch.isfinite(logits).all()
            parameters = sum(parameter.numel() for parameter in job.model.parameters())
            assert parameters == forecast(spec, facts).parameters
            assert len(list(job.moved_batches())) == forecast(spec, facts).steps_per_epoch
            ran += 1
    assert ran >= 4


@pytest.mark.parametrize("architecture", [one.name for one in options(Slot.ARCHITECTURE) if one.name not in TYPED])
def test_every_other_architecture_takes_all_types_as_one(
    architecture: str, films: Any, profiled: Any, make_job: Any, own_model: Any
) -> None:
    import math

    from techniques.remote.source import from_object
    from tuner.training import train_epoch

    stored = from_object(films(), "films")
    facts = profiled(stored)
    if architecture == "custom":
        facts = facts.model_copy(update={"model": own_model(facts)})
    here = [one for one in COMBINATIONS if one[Slot.ARCHITECTURE] == architecture and one[Slot.HARDWARE] == "cpu"]
    ran = set()
    for spec in covering(
        usable(facts, here, hidden=HIDDEN, batch_size=8, threads=1), lambda one: one.options[SAMPLING]
    ):
        job = make_job(facts, stored, spec)
        loss, finished = train_epoch(job)
        assert math.isfinite(loss) and finished, spec.options
        assert job.need("predict")().shape == (82, 3)
        ran.add(spec.options[SAMPLING])
    assert {"full_batch"} < ran


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
