"""Plans for graphs of several types: what is chosen, what is said, what is refused and why."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from planner.api import make_plan
from planner.baseline import baseline_spec
from planner.pins import Pins
from planner.proposal import check, make_spec
from planner.render import plan_text
from techniques import option, options
from techniques.architecture.hetero.built_in import WORKS_WITH
from techniques.architecture.hetero.typed import TYPED, is_typed
from techniques.assembly import forecast
from techniques.base import Slot
from techniques.facts import Task
from techniques.forecast import Phase
from techniques.remote.source import from_object
from techniques.remote.source.folder import FolderGraph, spill


@pytest.fixture
def facts(films: Any, profiled: Any) -> Any:
    return profiled(from_object(films(scale=30), "films"))


def spec_of(facts: Any, architecture: str, **settings: Any) -> Any:
    slots = {Slot.ARCHITECTURE: architecture, Slot.HARDWARE: "cpu"}
    slots |= {Slot.SAMPLING: settings.pop("sampling", "full_batch")}
    slots |= {Slot.REPRESENTATION: settings.pop("representation", "coo")}
    return make_spec(facts, Pins(slots, settings), {})


def test_the_best_and_the_baseline_keep_types_apart(facts: Any) -> None:
    made = make_plan(facts, Pins({}, {}))
    assert made.best is not None and is_typed(made.best.spec)
    assert {"types", "edge types without a reverse"} <= {reason.fact for reason in made.best.reasons}
    assert baseline_spec(facts).options[Slot.ARCHITECTURE] == "hetero_sage"
    assert baseline_spec(facts).settings["fanouts"] == (10, 10)
    plain = [one for one in made.candidates if not is_typed(one.spec)]
    assert plain and all("to_homogeneous" in " ".join(one.warnings) for one in plain)
    assert all(any(name in " ".join(one.warnings) for name in TYPED) for one in plain)


def test_the_text_shows_every_type(facts: Any) -> None:
    text = plan_text(make_plan(facts, Pins({}, {})), width=200)
    assert "Types, classes of movie" in text
    assert "movie: 1,200 nodes, 24 features" in text
    assert "person: 900 nodes, 5 features" in text
    assert "tag: 360 nodes, no features" in text
    assert "person -> knows -> person: 2,400 edges" in text and "both directions" in text
    assert "tag has no features: a learned embedding, 360 x 64 parameters" in text


def test_edge_data_that_only_some_types_have_is_said_to_be_unread(films: Any, profiled: Any, tmp_path: Any) -> None:
    graph = films(scale=30)
    first, *others = graph.edge_types
    graph[first].edge_attr = torch.ones(graph[first].num_edges, 3)
    for relation in graph.edge_types:
        graph[relation].edge_weight = torch.ones(graph[relation].num_edges)
    spill(from_object(graph, "films"), tmp_path / "kept")
    facts = profiled(FolderGraph(tmp_path / "kept"))
    assert facts.graph.edge_weighted and not facts.graph.edge_features
    assert facts.graph.unread_edge_data == (f"edge_attr of {'|'.join(first)}",)
    made = make_plan(facts, Pins({}, {}))
    said = f"not read: edge_attr of {'|'.join(first)}; "
    assert made.candidates and all(any(said in text for text in one.warnings) for one in made.candidates)
    for relation in others:
        graph[relation].edge_attr = torch.ones(graph[relation].num_edges, 3)
    assert profiled(from_object(graph, "films")).graph.unread_edge_data == ()


@pytest.mark.parametrize("name", [one.name for one in options(Slot.SAMPLING)])
def test_samplers_that_know_no_types_say_what_to_use(name: str, facts: Any) -> None:
    verdict = option(Slot.ARCHITECTURE, "rgcn").check(facts, spec_of(facts, "rgcn", sampling=name))
    assert verdict.usable == (name in ("full_batch", "neighbor"))
    if not verdict.usable:
        assert "full_batch or neighbor" in verdict.reasons[0].rule and name in verdict.reasons[0].text


@pytest.mark.parametrize("architecture", TYPED)
def test_typed_layers_refuse_what_they_cannot_do(architecture: str, facts: Any, make_facts: Any) -> None:
    plain = make_facts()
    assert "use sage, gcn, gat or gin" in check(plain, spec_of(plain, architecture)).reasons[0].text
    links = facts.model_copy(update={"goal": facts.goal.model_copy(update={"task": Task.LINK})})
    assert not check(links, spec_of(links, architecture)).usable
    for value in ({"precision": "bf16"}, {"checkpoint_layers": True}):
        assert "float32" in check(facts, spec_of(facts, architecture, **value)).reasons[0].rule
    cuda = make_spec(facts, Pins({Slot.ARCHITECTURE: architecture, Slot.HARDWARE: "cuda"}), {})
    assert not check(facts, cuda).usable
    assert not check(facts, spec_of(facts, "hgt", representation="csr")).usable


@pytest.mark.parametrize("slot", [Slot.REPRESENTATION, Slot.REPRESENTATION_FEATURES, Slot.REMOTE_FEATURES])
@pytest.mark.parametrize("architecture", TYPED)
def test_only_what_knows_types_goes_with_typed_layers(slot: Slot, architecture: str, facts: Any) -> None:
    for one in options(slot):
        verdict = option(Slot.ARCHITECTURE, architecture).check(
            facts, make_spec(facts, Pins({Slot.HARDWARE: "cpu", Slot.ARCHITECTURE: architecture, slot: one.name}), {})
        )
        if one.name not in WORKS_WITH[slot]:
            assert not verdict.usable and "does not know types yet" in verdict.reasons[0].text


@pytest.mark.parametrize("coarsening", [one.name for one in options(Slot.COARSENING) if one.name != "none"])
@pytest.mark.parametrize("architecture", ["gcn", "rgcn"])
def test_types_are_not_joined(architecture: str, coarsening: str, facts: Any) -> None:
    spec = make_spec(facts, Pins({Slot.COARSENING: coarsening, Slot.ARCHITECTURE: architecture}), {})
    assert "several types" in check(facts, spec).reasons[0].text


@pytest.mark.parametrize("architecture", ["gcn", "rgcn"])
def test_nodes_of_several_types_keep_their_order(architecture: str, facts: Any) -> None:
    verdict = check(facts, spec_of(facts, architecture, node_order="rcm"))
    assert "must stay together" in verdict.reasons[0].text


def test_without_labels_a_remedy_is_named(films: Any, profiled: Any) -> None:
    bare = profiled(from_object(films(labels="none"), "films"))
    assert bare.graph.target_type is None and bare.task is Task.LINK
    text = option(Slot.ARCHITECTURE, "rgcn").check(bare, spec_of(bare, "rgcn")).reasons[0].text
    assert "data['TYPE'].y" in text and "sage" in text
    best = make_plan(bare, Pins({}, {})).best
    assert best is not None and not is_typed(best.spec)


def test_a_target_that_no_edge_leads_to_is_refused(films: Any, profiled: Any) -> None:
    data = films()
    del data["person", "likes", "movie"]
    facts = profiled(from_object(data, "films"))
    for architecture in TYPED:
        verdict = check(facts, spec_of(facts, architecture, reverse_edges=False))
        assert "--set reverse_edges=true" in verdict.reasons[0].text
        assert check(facts, spec_of(facts, architecture)).usable


# One fact changed


def figures(facts: Any, architecture: str, **settings: Any) -> Any:
    return forecast(spec_of(facts, architecture, **settings), facts)


def with_nodes(facts: Any, name: str, **changed: Any) -> Any:
    types = tuple(one.model_copy(update=changed) if one.name == name else one for one in facts.graph.node_types)
    return facts.model_copy(update={"graph": facts.graph.model_copy(update={"node_types": types})})


@pytest.mark.parametrize("architecture", TYPED)
def test_one_type_more_or_less_changes_what_it_should(architecture: str, facts: Any) -> None:
    before = figures(facts, architecture)
    wider = figures(with_nodes(facts, "person", columns=500, nonzeros=450_000), architecture)
    assert wider.parameters - before.parameters == (500 - 5) * 64
    assert wider.held[next(key for key in wider.held if key[1] == "features")].expected > (
        before.held[next(key for key in before.held if key[1] == "features")].expected
    )
    more_tags = figures(with_nodes(facts, "tag", num_nodes=100_000), architecture)
    assert more_tags.parameters - before.parameters == (100_000 - 360) * 64, "an embedding grows with its nodes"
    degrees = figures(with_nodes(facts, "tag", num_nodes=100_000), architecture, featureless="degree")
    assert degrees.parameters < before.parameters
    deeper = figures(facts, architecture, layers=3)
    assert deeper.gemm_flops_per_epoch.expected > before.gemm_flops_per_epoch.expected


@pytest.mark.parametrize("architecture", TYPED)
def test_more_edges_of_one_type_cost_more(architecture: str, facts: Any) -> None:
    before = figures(facts, architecture)
    types = tuple(
        one.model_copy(update={"num_edges": 50 * one.num_edges}) if one.relation == "by" else one
        for one in facts.graph.edge_types
    )
    grown = facts.model_copy(update={"graph": facts.graph.model_copy(update={"edge_types": types})})
    after = figures(grown, architecture)
    assert after.aggregation_flops_per_epoch.expected > 5 * before.aggregation_flops_per_epoch.expected
    for phase in (Phase.PREPARE, Phase.TRAIN):
        assert after.phases[phase].host_peak_bytes.expected > before.phases[phase].host_peak_bytes.expected


def test_smaller_batches_and_fanouts_need_less(facts: Any) -> None:
    for architecture in TYPED:
        large = figures(facts, architecture, sampling="neighbor", batch_size=600, fanouts=(10, 10))
        small = figures(facts, architecture, sampling="neighbor", batch_size=60, fanouts=(2, 2))
        assert small.shape is not None and large.shape is not None
        assert small.shape.input_nodes < large.shape.input_nodes
        assert small.phases[Phase.TRAIN].host_peak_bytes.expected < large.phases[Phase.TRAIN].host_peak_bytes.expected


def test_facts_are_plain_data(facts: Any) -> None:
    copy = type(facts).model_validate_json(facts.model_dump_json())
    assert copy == facts and copy.graph.node_types[0].name == "movie"
    assert dataclasses.is_dataclass(figures(facts, "rgcn"))
