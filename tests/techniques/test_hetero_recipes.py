"""Typed recipes: the script of a spec runs as pasted, and its losses are those of the job that we build."""

from __future__ import annotations

import math
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques.architecture.hetero.typed import TYPED
from techniques.base import Slot
from techniques.recipe import recipe
from techniques.remote.source import from_object
from tests.recipe_cases import copy_typed_parameters, loaded

SAMPLERS = ("full_batch", "neighbor")
COMBINATIONS = list(product(TYPED, SAMPLERS))
EXACT: dict[str, Any] = {
    "fanouts": (-1, -1),
    "batch_size": 1000,
    "dropout": 0.0,
    "prefetch": 0,
    "threads": 1,
    "hidden": 8,
}
every_combination = pytest.mark.parametrize("chosen", COMBINATIONS, ids="-".join)
KINDS: dict[str, dict[str, Any]] = {
    "classes": {},
    "sparse": {"sparse": True},
    "several labels": {"labels": "multi"},
    "own split": {"masks": True},
}


@pytest.fixture
def make(films: Any, profiled: Any, make_job: Any, monkeypatch: Any, tmp_path: Any) -> Any:
    """``make((architecture, sampler), kind, settings)``: a job, its spec, and ``graph.pt`` where scripts run."""
    monkeypatch.chdir(tmp_path)

    def build(chosen: tuple[str, str], kind: str, **settings: Any) -> Any:
        data = films(**KINDS[kind])
        stored = from_object(data, "films")
        facts = profiled(stored)
        facts = facts.model_copy(update={"graph": facts.graph.model_copy(update={"source": None})})
        features = "csr" if kind == "sparse" else "dense"
        representation = "coo" if chosen[0] == "hgt" else "csr"
        pinned = {Slot.ARCHITECTURE: chosen[0], Slot.SAMPLING: chosen[1], Slot.REPRESENTATION: representation}
        pinned |= {Slot.REPRESENTATION_FEATURES: features, Slot.HARDWARE: "cpu"}
        spec = make_spec(facts, Pins(pinned, {**EXACT, **settings}), {})
        assert check(facts, spec).usable
        job = make_job(facts, stored, spec)
        data["movie"].y = job.labels if job.labels.dim() == 1 else job.labels.to(torch.uint8)
        data["movie"].train_mask = job.masks["train"]
        torch.save(data, "graph.pt")
        return SimpleNamespace(job=job, spec=spec, facts=facts)

    return build


@every_combination
@pytest.mark.parametrize("kind", KINDS)
def test_the_losses_are_those_of_our_job(kind: str, chosen: tuple[str, str], make: Any) -> None:
    from tuner.training import train_epoch

    made = make(chosen, kind)
    pasted = loaded(recipe(made.spec, made.facts))
    copy_typed_parameters(made.job, pasted.model)
    for number in range(3):  # a wrong gradient would show in the second epoch
        expected, _ = train_epoch(made.job)
        assert pasted.epoch() == pytest.approx(expected, rel=1e-4), f"epoch {number + 1}"


@every_combination
@pytest.mark.parametrize(
    "settings", [{"featureless": "degree"}, {"layers": 3, "fanouts": (-1,) * 3}, {"layers": 1, "fanouts": (-1,)}]
)
def test_other_inputs_and_depths(settings: dict[str, Any], chosen: tuple[str, str], make: Any) -> None:
    from tuner.training import train_epoch

    made = make(chosen, "classes", **settings)
    pasted = loaded(recipe(made.spec, made.facts))
    copy_typed_parameters(made.job, pasted.model)
    for _ in range(2):
        expected, _ = train_epoch(made.job)
        assert pasted.epoch() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "chosen", [("rgcn", "full_batch"), ("hetero_sage", "neighbor"), ("hgt", "full_batch")], ids="-".join
)
def test_edges_are_not_turned_round_where_that_is_not_wanted(chosen: tuple[str, str], make: Any) -> None:
    from tuner.training import train_epoch

    made = make(chosen, "classes", reverse_edges=False)
    script = recipe(made.spec, made.facts)
    assert "rev_" not in script
    pasted = loaded(script)
    copy_typed_parameters(made.job, pasted.model)
    for _ in range(2):
        expected, _ = train_epoch(made.job)
        assert pasted.epoch() == pytest.approx(expected, rel=1e-4)


@every_combination
def test_a_script_runs_as_pasted(chosen: tuple[str, str], make: Any, capsys: Any) -> None:
    made = make(chosen, "classes", fanouts=(3, 2), batch_size=6, dropout=0.5, seed_order="imbalanced")
    exec(compile(recipe(made.spec, made.facts), "recipe", "exec"), {})
    assert math.isfinite(float(capsys.readouterr().out))


@every_combination
def test_a_script_reads_well(chosen: tuple[str, str], make: Any) -> None:
    made = make(chosen, "sparse")
    lines = recipe(made.spec, made.facts).split("\n")
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    assert lines[: len(imports)] == imports and max(map(len, lines)) <= 120
    assert "\n\n\n\n" not in "\n".join(lines)
