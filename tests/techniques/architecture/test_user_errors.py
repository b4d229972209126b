"""What a user's own module does wrong is said with the module, the line and a remedy, and is never called our bug."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from techniques.architecture.probe import probe
from techniques.architecture.user_errors import guarded, user_error
from techniques.architecture.user_module import UserNetwork, load_factory, make_module
from techniques.architecture.user_plan import UserPlan
from techniques.errors import OptionError
from techniques.facts import ModelFacts
from techniques.representation.block import Block
from tuner.accumulation import Steps
from tuner.cli import main
from tuner.failure import error_of, remedy_of, state_of
from tuner.records import Measurement, TrialState

MODULE = """
import torch

class Net(torch.nn.Module):
    def __init__(self, facts):
        super().__init__()
        self.only = torch.nn.Linear(facts.graph.features.width, max(facts.graph.labels.num_classes, 2))

    def forward(self, x, edge_index):
        return self.only(x)

class Infers(Net):
    def inference(self, x, edge_index):
        if x.size(0) > 30:
            raise KeyError("no such layer")  # raised on line 15
        return self.forward(x, edge_index)

class Classes(Net):
    def forward(self, x, edge_index): return self.only(x).round().long()

class Detached(Net):
    def forward(self, x, edge_index): return self.only(x).detach()

class Elsewhere(Net):
    def forward(self, x, edge_index): return self.only(x).to("meta")

class Nothing(torch.nn.Module):
    def __init__(self, facts): super().__init__()

    def forward(self, x, edge_index): return x

class Undefined(Net):
    def forward(self, x, edge_index): return self.only(x) / 0 * 0

class Full(Net):
    def forward(self, x, edge_index): raise MemoryError("full")

class Breaks(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.clone()

    @staticmethod
    def backward(ctx, grad): raise KeyError("no gradient")  # raised on line 43

class Backward(Net):
    def forward(self, x, edge_index): return Breaks.apply(self.only(x))

class Exits(Net):
    def forward(self, x, edge_index):
        if x.size(0) == 60: __import__("os")._exit(7)
        return self.only(x)

class Wide(Net):
    def forward(self, x, edge_index): return self.only(torch.cat([x, x[:, :1]], 1))

class Frozen(Net):
    def __init__(self, facts):
        super().__init__(facts)
        self.requires_grad_(False)
"""
NAME = "own_errors_of_tests"
X, RING = torch.randn(40, 64), Block(40, 40, edge_index=torch.stack([torch.arange(40), torch.arange(40).roll(1)]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> str:
    found: Path = tmp_path_factory.mktemp("models")
    (found / f"{NAME}.py").write_text(textwrap.dedent(MODULE))
    return str(found)


@pytest.fixture
def network(folder: str, make_facts: Any) -> Callable[[str], UserNetwork]:
    def build(name: str) -> UserNetwork:
        factory, facts = f"{NAME}:{name}", make_facts()
        module = make_module(load_factory(factory, folder), factory, facts, {})
        plan = UserPlan(factory, folder, (), (), 5, True, "inference", 2, False)
        return UserNetwork(module, plan)

    return build


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Classes", "forward of own_errors_of_tests:Classes must return floating point numbers, got torch.int64"),
        ("Detached", "must depend on its parameters, got a tensor without gradient"),
        ("Elsewhere", "must return a tensor on cpu, got one on meta"),
        ("Nothing", "must have parameters that can be trained, got none"),
        ("Frozen", "must have parameters that can be trained, got none"),
    ],
)
def test_what_cannot_be_trained_is_refused(name: str, rule: str, network: Any) -> None:
    with pytest.raises(OptionError, match=rule) as caught:
        network(name).train().call(X, RING, 40)
    assert caught.value.remedy


def test_an_error_says_module_method_and_line(network: Any) -> None:
    with pytest.raises(
        OptionError, match=r"inference of own_errors_of_tests:Infers failed at .*got KeyError"
    ) as caught:
        network("Infers").eval().call(X, RING, 40, "inference")
    assert f"{NAME}.py:15 in inference" in caught.value.problem and "line" not in caught.value.remedy
    assert remedy_of(caught.value) == caught.value.remedy


def test_shapes_that_do_not_fit_are_answered_with_the_widths_of_the_graph(network: Any) -> None:
    with pytest.raises(OptionError, match=r"shapes cannot be multiplied \(40x65 and 64x5\)") as caught:
        network("Wide").call(X, RING, 40)
    assert str(caught.value).count(f"{NAME}.py:") == 1
    assert "64 columns go in (facts.graph.features.width), 5 come out" in caught.value.remedy
    with pytest.raises(OptionError) as other:
        network("Infers").call(X, RING, 40, "inference")
    assert other.value.remedy == "Correct it there"


def test_an_error_on_the_way_back_is_the_modules(network: Any) -> None:
    model = network("Backward").train()
    steps = Steps(model, torch.optim.SGD(model.parameters(), lr=0.1), 1)
    with pytest.raises(
        OptionError, match=r"backward pass of own_errors_of_tests:Backward failed at .*KeyError"
    ) as caught:
        steps.add(model.call(X, RING, 40).sum(), 40)
    assert f"{NAME}.py:43 in backward" in caught.value.problem


def test_running_out_of_memory_stays_what_it_is(network: Any) -> None:
    with pytest.raises(MemoryError):
        network("Full").call(X, RING, 40)
    with pytest.raises(RuntimeError, match="allocate memory"):
        guarded(_no_room, "forward")
    assert state_of(MemoryError("full"))[0] is TrialState.OUT_OF_MEMORY


def _no_room() -> None:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")


def test_a_fault_of_ours_is_called_a_bug_and_a_users_is_not() -> None:
    problem = user_error("forward of a:b failed", ValueError("no"))
    theirs = Measurement(state=TrialState.FAILED, reason=state_of(problem)[1], remedy=remedy_of(problem))
    found = error_of(f"it could not be measured: {theirs.reason}", theirs, "Report this as a bug")
    assert found.exit_code == 2 and "bug" not in found.remedy and "OptionError" not in str(found)
    ours = Measurement(state=TrialState.FAILED, reason="KeyError: 3", remedy=remedy_of(KeyError(3)))
    assert error_of("it failed", ours, "Report this as a bug").remedy == "Report this as a bug"
    assert "learning_rate" in (remedy_of(FloatingPointError("the loss became nan")) or "")


def test_a_name_that_facts_do_not_have_is_answered_with_those_it_has(make_facts: Any) -> None:
    with pytest.raises(OptionError, match="no attribute 'num_features'") as caught:
        make_module(lambda facts: torch.nn.Linear(facts.num_features, 2), "mine:factory", make_facts(), {})
    assert "facts.graph.features.width" in caught.value.remedy
    with pytest.raises(OptionError, match="no attribute 'nothing'") as caught:
        make_module(lambda facts: torch.nothing, "mine:factory", make_facts(), {})
    assert "facts.graph" not in caught.value.remedy


def test_no_numbers_at_all_are_found_before_training(
    folder: str, tiny: Any, profiled: Any, make_job: Any, spec_for: Any
) -> None:
    stored = tiny()
    facts = profiled(stored)
    own = ModelFacts(architecture="custom", custom=probe(f"{NAME}:Undefined", folder, facts, {}))
    facts = facts.model_copy(update={"model": own})
    with pytest.raises(OptionError, match=r"must return finite numbers, got nan before any training"):
        make_job(facts, stored, spec_for(facts, {"architecture": "custom", "sampling": "full_batch"}))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Infers", f"{NAME}.py:15 in inference"),
        ("Exits", f"a trial of {NAME}:Exits ended with status 7 and no result: it printed nothing. Look for os._exit"),
    ],
)
def test_measure_tells_the_user(
    name: str, words: str, folder: str, tiny: Any, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    np.savez(tmp_path / "tiny.npz", **tiny().arrays)
    monkeypatch.chdir(folder)
    assert main(["measure", str(tmp_path / "tiny.npz"), "--model", f"{NAME}:{name}", "--epochs", "1"]) == 2
    told = capsys.readouterr()
    assert words in told.err and "bug" not in told.err
    assert told.err.startswith(f"gnnfit: tracing {NAME}:{name} (at most 180 s)\n") and not told.out
