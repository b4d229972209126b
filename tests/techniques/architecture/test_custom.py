"""The user's own module: what is forecast, and that it trains and predicts as it would alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from planner.pins import Pins, check_pins
from planner.proposal import check, make_spec
from techniques.architecture import user_module
from techniques.architecture import user_plan as plan_module
from techniques.architecture.custom import CUSTOM
from techniques.architecture.own_steps import OwnSteps, StepSize
from techniques.architecture.user_module import UserNetwork, call_user, load_factory, make_module
from techniques.assembly import forecast
from techniques.base import Slot
from techniques.errors import InputError
from techniques.facts import Task
from techniques.forecast import Phase, Place
from techniques.own_model import largest
from techniques.recipe import recipe
from techniques.representation.block import Block
from tests.techniques.architecture.own_modules import spec_of, with_model
from tuner.training import train_epoch

# What is known of it


def test_what_the_factory_and_forward_take(looked_at: Any) -> None:
    own = looked_at("build").custom
    assert [(one.name, one.default, one.choices) for one in own.knobs] == [
        ("hidden", 8, (8, 16, 32)),
        ("deep", False, ()),
        ("kind", "gcn", ("gcn",)),
    ]
    assert own.takes_dropout and own.forward == ("edge_weight",)
    assert own.layers == 2 and not own.has_inference
    assert looked_at("inferring").custom.has_inference
    assert looked_at("widths").custom.traces[0].parameters == 64 * 5 + 5, "modules that find their widths have done so"


def test_knobs_are_pinned_like_any_other(looked_at: Any, make_facts: Any) -> None:
    facts = with_model(make_facts(), looked_at("build"))
    check_pins(facts, Pins({}, {"hidden": 100, "deep": True, "layers": 3}))
    for name, value in (("hidden", "much"), ("deep", 3), ("kind", "gat"), ("heads", 2)):
        with pytest.raises(InputError, match=name):
            check_pins(facts, Pins({}, {name: value}))
    tuned = {knob.name for knob in CUSTOM.knobs(facts) if knob.tuned}
    assert tuned == {"hidden", "kind"}, "what the factory lists"


def test_figures_hold_at_another_size(looked_at: Any, folder: str, make_facts: Any) -> None:
    """A step of another size and density than any that was traced, taken in earnest."""
    facts = make_facts()
    known = with_model(facts, looked_at("wide", facts))
    trace = known.model.custom.traces[0]
    module = make_module(load_factory("my_gnns:wide", folder), "wide", facts, {"hidden": 256})
    plan = plan_module.user_plan(known, spec_of(known, "full_batch"))
    steps, size = OwnSteps(UserNetwork(module, plan), facts), StepSize(4000, 40_000, 400)
    assert trace.method == "fake tensors" and not trace.why_not_fake
    walk = steps.train(size)
    assert largest(trace.train, *size) == pytest.approx(walk.peak_bytes, rel=1e-6)
    assert trace.gemm_flops(*size) == pytest.approx(walk.gemm_flops, rel=1e-9)
    assert trace.moved_bytes(*size) == pytest.approx(walk.moved_bytes, rel=1e-6)
    assert largest(trace.infer, *size) == pytest.approx(steps.infer(size).peak_bytes, rel=1e-6)


def test_knobs_that_were_not_traced_widen_the_forecast(looked_at: Any, make_facts: Any) -> None:
    facts = with_model(make_facts(), looked_at("build"))
    listed, other = (spec_of(facts, "full_batch", hidden=hidden) for hidden in (32, 30))
    known, wide = (forecast(one, facts).phases[Phase.TRAIN].host_peak_bytes for one in (listed, other))
    assert wide.high / wide.low > 1.5 * known.high / known.low
    said = [" ".join(check(facts, one).warnings) for one in (listed, other)]
    assert "not traced with these knobs" not in said[0] and "not traced with these knobs" in said[1]


# Reasons


def test_reasons_follow_the_facts(looked_at: Any, make_facts: Any) -> None:
    facts = make_facts()
    spec = make_spec(facts, Pins({Slot.ARCHITECTURE: "custom", Slot.REPRESENTATION: "coo"}), {})
    assert CUSTOM.check(facts, spec).reasons[0].fact == "model", "nothing is known"
    facts = with_model(facts, looked_at("build"))
    assert CUSTOM.check(facts, spec).usable
    for changed, fact in (
        ({Slot.REPRESENTATION: "csr"}, "representation"),
        ({Slot.REPRESENTATION_FEATURES: "csr"}, "features"),
        ({Slot.SAMPLING: "shadow_k_hop"}, "sampling"),
    ):
        refused = CUSTOM.check(facts, spec.model_copy(update={"options": {**spec.options, **changed}}))
        assert not refused.usable and refused.reasons[0].fact == fact
    trimmed = spec.model_copy(update={"settings": {**spec.settings, "trim": True}})
    assert CUSTOM.check(facts, trimmed).reasons[0].fact == "trim"
    again = spec.model_copy(update={"training": spec.training.model_copy(update={"checkpoint_layers": True})})
    assert CUSTOM.check(facts, again).reasons[0].fact == "checkpoint_layers"


def test_warnings_follow_the_facts(looked_at: Any, tiny: Any, profiled: Any) -> None:
    weighted = profiled(tiny(weights="random", edge_columns=2))
    facts = with_model(weighted, looked_at("build", weighted))
    said = " ".join(check(facts, spec_of(facts, "full_batch")).warnings)
    assert "edge_attr" in said and "no argument edge_weight" not in said and "inference" in said
    plain = profiled(tiny())
    facts = with_model(plain, looked_at("inferring", plain))
    said = " ".join(check(facts, spec_of(facts, "full_batch")).warnings)
    assert "edge" not in said.replace("edge_index", "") and "inference" not in said


def test_evaluation_is_by_neighbourhoods_where_they_are_small(looked_at: Any, make_facts: Any) -> None:
    model = looked_at("build")
    found = []
    for nodes in (5_000, 5_000_000):
        facts = with_model(make_facts((nodes, 2 * nodes, 64, 5)), model)
        spec = spec_of(facts, "neighbor", batch_size=64)
        found.append(plan_module.evaluation_of(facts, spec, model.custom))
        peaks = forecast(spec, facts).phases[Phase.EVALUATE].host_peak_bytes
        assert 0 < peaks.low <= peaks.expected <= peaks.high
    assert found == ["whole", "neighbourhoods"]


# What runs


@pytest.mark.parametrize("sampling", ["full_batch", "neighbor"])
@pytest.mark.parametrize("name", ["build", "seeds", "widths"])
def test_it_trains_and_predicts_what_it_would_alone(
    name: str, sampling: str, looked_at: Any, tiny: Any, profiled: Any, make_job: Any, monkeypatch: Any
) -> None:
    """Neighbourhoods are one hop wider than the layers: GCN sees true degrees."""
    monkeypatch.setattr(plan_module, "WHOLE_SHARE", 2.0)
    monkeypatch.setattr(user_module, "SEEDS_PER_BATCH", 7)
    stored = tiny()
    facts = profiled(stored)
    facts = with_model(facts, looked_at(name, facts))
    job = make_job(facts, stored, spec_of(facts, sampling, batch_size=16, fanouts=(4,) * facts.model.custom.layers))
    assert job.model.plan.evaluation == ("whole" if sampling == "full_batch" else "neighbourhoods")
    before = train_epoch(job)[0]
    for _ in range(20):
        after, _ = train_epoch(job)
    assert after < before
    edge_index = torch.from_numpy(stored.read("edge_index")).long()
    block = Block(60, 60, edge_index=edge_index)
    with torch.no_grad():
        expected = call_user(job.model.module.eval(), job.features.whole(), block, 60, facts.model.custom.forward)
    torch.testing.assert_close(job.predict(), expected, atol=1e-5, rtol=1e-5)
    some = torch.tensor([3, 59])
    torch.testing.assert_close(job.predict(some), expected[some], atol=1e-5, rtol=1e-5)
    assert set(job.model.state_dict()) == set(job.model.module.state_dict()), "the state loads into the module alone"


def test_its_own_inference_is_used(looked_at: Any, tiny: Any, profiled: Any, make_job: Any) -> None:
    stored = tiny()
    facts = profiled(stored)
    facts = with_model(facts, looked_at("inferring", facts))
    job = make_job(facts, stored, spec_of(facts, "neighbor", batch_size=16))
    with torch.no_grad():
        out = job.model.module.eval()(job.features.whole(), torch.from_numpy(stored.read("edge_index")).long())
    torch.testing.assert_close(job.predict(), 2 * out)


def test_weights_reach_forward(looked_at: Any, tiny: Any, profiled: Any, make_job: Any) -> None:
    stored = tiny(weights="random")
    facts = profiled(stored)
    facts = with_model(facts, looked_at("build", facts))
    job = make_job(facts, stored, spec_of(facts, "full_batch"))
    weights = torch.from_numpy(stored.read("edge_weight"))
    edge_index = torch.from_numpy(stored.read("edge_index")).long()
    with torch.no_grad():
        expected = job.model.module.eval()(job.features.whole(), edge_index, weights)
    torch.testing.assert_close(job.predict(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sampling", ["full_batch", "neighbor", "cluster"])
@pytest.mark.parametrize("weights", ["none", "random"])
def test_the_recipe_trains_as_the_job(
    weights: str,
    sampling: str,
    looked_at: Any,
    tiny: Any,
    profiled: Any,
    make_job: Any,
    monkeypatch: Any,
    tmp_path: Any,
) -> None:
    from torch_geometric.data import Data

    stored = tiny(weights=weights)
    facts = profiled(stored)
    facts = with_model(facts, looked_at("build", facts))
    exact = {"batch_size": 1000, "fanouts": (-1, -1), "num_parts": 4, "parts_per_batch": 4, "dropout": 0.0}
    known = {
        name: value for name, value in exact.items() if sampling != "cluster" or "parts" in name or name == "dropout"
    }
    spec = spec_of(facts, sampling, **known)
    job = make_job(facts, stored, spec)
    edge_index = torch.from_numpy(stored.read("edge_index")).long()
    data = Data(x=job.features.whole(), edge_index=edge_index, y=job.labels, train_mask=job.masks["train"])
    if weights != "none":
        data.edge_weight = torch.from_numpy(stored.read("edge_weight"))
    torch.save(data, tmp_path / "graph.pt")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(recipe(spec, facts).removesuffix("print(epoch())\n"), "recipe", "exec"), names)
    names["model"].load_state_dict(job.model.state_dict())
    for _ in range(3):
        expected, _ = train_epoch(job)
        assert names["epoch"]() == pytest.approx(expected, rel=1e-5)


def test_links_take_any_width(looked_at: Any, tiny: Any, profiled: Any, make_job: Any) -> None:
    stored = tiny(labels="none")
    facts = profiled(stored, task=Task.LINK)
    facts = with_model(facts, looked_at("build", facts))
    job = make_job(facts, stored, spec_of(facts, "link_neighbor", batch_size=16))
    loss, finished = train_epoch(job)
    assert finished and loss > 0 and job.predict().size(0) == 60
    assert forecast(job.spec, facts).peak_bytes(Place.HOST).expected > 0
