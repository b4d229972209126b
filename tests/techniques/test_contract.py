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


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize(("device", "goal"), [(0, {"grow": 100.0, "context_hops": 5}), (16 * 2**30, {})])
def test_check_answers_with_a_reason(graph: str, device: int, goal: dict[str, Any], make_facts: Any) -> None:
    facts = make_facts(GRAPHS[graph], device=device, **goal)
    asked = set()
    for chosen in PAIRS:
        spec = make_spec(facts, Pins(chosen), {})
        for slot, name in chosen.items():
            asked.add((slot, name))
            verdict = option(slot, name).check(facts, spec)
            assert isinstance(verdict, Verdict) and (verdict.usable or verdict.reasons), name
            for reason in () if verdict.usable else verdict.reasons:
                assert all((reason.fact, reason.value, reason.rule, reason.source, reason.text)), reason
                assert "\n" not in reason.text
    assert len(asked) == len(OPTIONS)


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


def test_forecasting_every_option_imports_nothing_heavy(specs_of: Any) -> None:
    code = """
import json, sys
from planner.inspect.estimate import from_counts
from planner.catalog import machine
from planner.pins import Pins
from planner.proposal import make_spec
from techniques import option
from techniques.base import Slot
from techniques.facts import Facts
from techniques.assembly import forecast
facts = Facts(graph=from_counts(1000, 5000, 32, 3, directed=False), hardware=machine("colab-t4"))
for chosen in json.load(sys.stdin):
    spec = make_spec(facts, Pins({Slot(slot): name for slot, name in chosen.items()}), {})
    [option(slot, name).recipe(spec) for slot, name in spec.options.items()]
    forecast(spec, facts)
heavy = [name for name in ("torch", "torch_geometric", "numpy", "numba", "scipy", "optuna") if name in sys.modules]
print(json.dumps(heavy))
"""
    chosen = [{slot.value: name for slot, name in spec.options.items()} for spec in specs_of("small", 2**34)]
    assert len(chosen) >= 20
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, input=json.dumps(chosen), capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(out.stdout) == []


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
        there = [one for one in COMBINATIONS if device or one[Slot.HARDWARE] != "cuda"]
        return meeting(usable(make_facts(GRAPHS[graph], device=device), there))

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


@pytest.mark.parametrize(("graph", "device"), [*((graph, 2**34) for graph in GRAPHS), ("small", 0)])
def test_every_figure_is_an_ordered_range(graph: str, device: int, make_facts: Any, specs_of: Any) -> None:
    facts = make_facts(GRAPHS[graph], device=device)
    for spec in specs_of(graph, device):
        for name, figure in ranges(forecast(spec, facts)).items():
            assert 0 <= figure.low <= figure.expected <= figure.high < float("inf"), (name, spec.options)


@pytest.mark.parametrize(("graph", "device"), [("small", 0), ("small", 2**34), ("types", 2**34)])
def test_a_forecast_is_complete(graph: str, device: int, make_facts: Any, specs_of: Any) -> None:
    facts = make_facts(GRAPHS[graph], device=device)
    for spec in specs_of(graph, device):
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
    among = [dict(one.options) for one in specs_of("small", 2**34)]
    if larger == "nodes and edges":
        # Of more nodes with the same degree, as many that are drawn have fewer edges between them.
        among = [one for one in among if one[SAMPLING] not in ("shadow_k_hop", "graph_saint")]
    first = which % len(among)
    spec = grown = next(usable(before, among[first:] + among[:first]))
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


@pytest.mark.parametrize("sampling", [one.name for one in options(SAMPLING)])
def test_recipes_are_python(sampling: str, make_facts: Any) -> None:
    facts = make_facts(device=2**34)
    for chosen in (one for one in PAIRS if one[SAMPLING] == sampling):
        spec = make_spec(facts, Pins(chosen), {})
        compile("\n".join(option(slot, name).recipe(spec) for slot, name in spec.options.items()), "recipe", "exec")


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
