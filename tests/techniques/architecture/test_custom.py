"""The user's own module: what is refused and why, what is forecast, and that it trains and predicts as it would alone."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from planner.inspect.own_model import inspect_own_model
from planner.pins import Pins, check_pins
from planner.proposal import check, make_spec
from techniques.architecture import user_module
from techniques.architecture import user_plan as plan_module
from techniques.architecture.custom import CUSTOM
from techniques.architecture.own_steps import OwnSteps, StepSize
from techniques.architecture.probe import probe
from techniques.architecture.user_module import UserNetwork, call_user, check_output, load_factory, make_module
from techniques.assembly import forecast
from techniques.base import Slot
from techniques.errors import InputError, OptionError
from techniques.facts import ModelFacts, Task
from techniques.forecast import Phase, Place
from techniques.own_model import largest
from techniques.recipe import recipe
from techniques.representation.block import Block
from tuner.training import train_epoch

MODULE = """
import torch
from torch_geometric.nn import GCNConv

class Net(torch.nn.Module):
    def __init__(self, width, hidden, classes, dropout=0.0):
        super().__init__()
        self.first, self.second = GCNConv(width, hidden), GCNConv(hidden, classes)
        self.dropout = dropout

    def forward(self, x, edge_index, edge_weight=None):
        x = torch.nn.functional.dropout(self.first(x, edge_index, edge_weight).relu(), self.dropout, self.training)
        return self.second(x, edge_index, edge_weight)

class Seeds(Net):
    def forward(self, x, edge_index, batch_size):
        return super().forward(x, edge_index)[:batch_size]

class Inferring(Net):
    def inference(self, x, edge_index):
        return 2 * self.forward(x, edge_index)

class Widths(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.only = GCNConv(-1, classes)

    def forward(self, x, edge_index):
        return self.only(x, edge_index)

def sizes(facts):
    return facts.graph.features.width, 8, max(facts.graph.labels.num_classes, 2)

def build(facts, hidden=8, dropout=0.0, deep=False, kind="gcn"):
    width, _, classes = sizes(facts)
    return Net(width, hidden, classes, dropout)

build.knobs = {"hidden": (16, 32), "kind": ("gcn",)}

def seeds(facts): return Seeds(*sizes(facts))
def inferring(facts): return Inferring(*sizes(facts))
def widths(facts): return Widths(sizes(facts)[-1])
def wide(facts, hidden=256): return Net(sizes(facts)[0], hidden, sizes(facts)[-1])

# What is wrong with these is in their names.
value = 3
def nothing(facts): return None
def a_class(facts): return Net
def fails(facts): raise ValueError("no good")
def no_edges(facts): return torch.nn.Linear(3, 4)
def three_columns(facts): return Net(sizes(facts)[0], 8, 17)
def no_argument(): return None
def no_default(facts, hidden): return None
def taken(facts, batch_size=3): return None
def training(facts, learning_rate=0.1): return None

class Breaks(Net):
    def forward(self, x, edge_index): raise RuntimeError("inside")

class Tuple(Net):
    def forward(self, x, edge_index): return x, x

class Asks(Net):
    def forward(self, x, edge_index, colour): return x

def breaks(facts): return Breaks(*sizes(facts))
def a_tuple(facts): return Tuple(*sizes(facts))
class OfTypes(torch.nn.Module):
    def forward(self, x_dict, edge_index_dict): return x_dict

def of_types(facts): return OfTypes()

def asks(facts): return Asks(*sizes(facts))

def sleeps(facts):
    import time
    time.sleep(600)

def ends(facts):
    import os
    os._exit(3)
"""


LOOKED_AT: dict[tuple[str, str, str], Any] = {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> str:
    found: Path = tmp_path_factory.mktemp("models")
    (found / "my_gnns.py").write_text(textwrap.dedent(MODULE))
    return str(found)


@pytest.fixture
def looked_at(folder: str, make_facts: Any) -> Callable[..., ModelFacts]:
    def build(name: str, facts: Any = None, **values: Any) -> ModelFacts:
        facts = facts or make_facts()
        asked = (name, facts.model_dump_json(), repr(values))
        if asked not in LOOKED_AT:
            LOOKED_AT[asked] = probe(f"my_gnns:{name}", folder, facts, values)
        return ModelFacts(architecture="custom", custom=LOOKED_AT[asked])

    return build


def with_model(facts: Any, model: ModelFacts) -> Any:
    return facts.model_copy(update={"model": model})


def spec_of(facts: Any, sampling: str, **settings: Any) -> Any:
    pinned = {Slot.SAMPLING: sampling, Slot.REPRESENTATION: "coo", Slot.HARDWARE: "cpu"}
    pinned |= {Slot.ARCHITECTURE: "custom", Slot.REPRESENTATION_FEATURES: "dense"}
    spec = make_spec(facts, Pins(pinned, {"threads": 1, "prefetch": 0, **settings}), {})
    verdict = check(facts, spec)
    assert verdict.usable, verdict
    return spec


# What is wrong, and what to do


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("value", "must be callable as factory.* got int"),
        ("nothing", "must return a torch.nn.Module, got NoneType"),
        ("a_class", "must return a torch.nn.Module, got Net"),
        ("fails", "failed at my_gnns.py:[0-9]+ in fails, got ValueError: no good"),
        ("of_types", r"must take x and edge_index, got \(x_dict, edge_index_dict\).*hetero_sage, rgcn and hgt"),
        ("no_edges", r"must take x and edge_index, got \(input\)"),
        ("three_columns", r"must return \[8, 5\], got \[8, 17\]"),
        ("no_argument", "must take the facts, got no argument"),
        ("no_default", "need a default, got none for hidden"),
        ("taken", "batch_size of my_gnns:taken is one of gnnfit's"),
        ("training", "learning_rate of my_gnns:training is one of gnnfit's"),
        ("breaks", "failed at my_gnns.py:[0-9]+ in forward, got RuntimeError: inside"),
        ("a_tuple", "must return a tensor.* got tuple"),
        ("asks", "got colour"),
        ("absent", "must define 'absent', got no such name"),
    ],
)
def test_errors_name_rule_value_and_remedy(name: str, rule: str, looked_at: Any) -> None:
    with pytest.raises(OptionError, match=rule) as caught:
        looked_at(name)
    assert caught.value.remedy


def test_the_module_must_be_there(folder: str) -> None:
    with pytest.raises(OptionError, match="no module named 'no_such_module'"):
        load_factory("no_such_module:build", folder)
    with pytest.raises(OptionError, match="must be a name or module:factory"):
        load_factory("my_gnns:", folder)


@pytest.mark.parametrize("rows", [10, 4])
def test_one_row_per_node_or_per_seed(rows: int) -> None:
    check_output(torch.zeros(rows, 3), nodes=10, seeds=4, columns=3, factory="a:b")
    check_output(torch.zeros(rows, 7), nodes=10, seeds=4, columns=None, factory="a:b")
    for wrong in (torch.zeros(5, 3), torch.zeros(rows, 2), torch.zeros(rows), torch.zeros(rows, 3, 1)):
        with pytest.raises(OptionError, match=r"must return \[10, 3\]"):
            check_output(wrong, nodes=10, seeds=4, columns=3, factory="a:b")


def test_a_child_looks_and_may_not_take_forever(folder: str, make_facts: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(folder)
    facts = make_facts()
    found = inspect_own_model("my_gnns:build", facts, {"hidden": 16, "fanouts": (5, 5)})
    assert found.architecture == "custom" and found.custom is not None
    assert (
        found.custom.traces[0].values == {"hidden": 16, "deep": False, "kind": "gcn"} and found.custom.folder == folder
    )
    with pytest.raises(OptionError, match="status 3"):
        inspect_own_model("my_gnns:ends", facts, {})
    with pytest.raises(OptionError, match="must take at most 1 s"):
        inspect_own_model("my_gnns:sleeps", facts, {}, seconds=1)
    with pytest.raises(OptionError, match="__main__"):
        inspect_own_model("__main__:build", facts, {})


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
