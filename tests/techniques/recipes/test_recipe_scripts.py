"""Recipes: a script runs as pasted, and reads well."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from planner.inspect.estimate import from_counts
from techniques.facts import Task
from techniques.recipe import recipe
from tests.recipe_cases import COMBINATIONS, GRAPH_SAMPLERS, LAST_LINE, SMALL, facts_for, loaded, spec_of

every_combination = pytest.mark.parametrize("chosen", COMBINATIONS, ids="-".join)


@every_combination
def test_a_script_runs_as_pasted(
    chosen: tuple[str, str, str], tiny: Any, profiled: Any, make_job: Any, write_graph: Any, capsys: Any
) -> None:
    """With random draws and dropout, rare classes drawn more often, and layers trimmed."""
    stored = tiny(undirected=False)
    facts = facts_for(chosen[0], stored, profiled)
    spec = spec_of(facts, chosen, SMALL)
    write_graph(stored, make_job(facts, stored, spec))
    script = recipe(spec, facts)
    names: dict[str, Any] = {}
    exec(compile(script, "recipe", "exec"), names)
    assert math.isfinite(float(capsys.readouterr().out))
    drops = [one.p for one in names["model"].modules() if isinstance(one, torch.nn.Dropout)]
    assert drops == [spec.training.dropout] * (int(spec.settings["layers"]) > 1)
    assert not any(getattr(conv, "dropout", 0.0) for conv in getattr(names["model"], "convs", ())), (
        "attention weights are not dropped"
    )
    steps = sum(1 for _ in names["loader"])
    assert (steps == 1) == (chosen[0] == "full_batch")
    assert steps == len(list(names["loader"]))


def test_drawing_rare_classes_more_often_is_kept(tiny: Any, profiled: Any, make_job: Any, write_graph: Any) -> None:
    stored = tiny()
    facts = profiled(stored)
    for sampling in ("neighbor", "shadow_k_hop"):
        spec = spec_of(facts, (sampling, "sage", "coo"), SMALL)
        write_graph(stored, make_job(facts, stored, spec))
        assert type(loaded(recipe(spec, facts)).loader.sampler).__name__ == "ImbalancedSampler"


def test_training_settings_are_kept(tiny: Any, profiled: Any, make_job: Any, write_graph: Any) -> None:
    stored = tiny()
    facts = profiled(stored)
    settings = {"learning_rate": 0.125, "weight_decay": 0.25, "seed": 7, "dropout": 0.75}
    spec = spec_of(facts, ("full_batch", "gcn", "coo"), settings)
    write_graph(stored, make_job(facts, stored, spec))
    pasted = loaded(recipe(spec, facts))
    (group,) = pasted.optimizer.param_groups
    assert (group["lr"], group["weight_decay"], pasted.model.dropout.p) == (0.125, 0.25, 0.75)
    assert "torch.manual_seed(7)" in recipe(spec, facts)


@every_combination
@pytest.mark.parametrize("hardware", ["cpu", "cuda"])
def test_a_script_reads_well(chosen: tuple[str, str, str], hardware: str, make_facts: Any) -> None:
    """Imports come first and once, lines are short, and a GPU is used where it was chosen."""
    graph = from_counts(10_000, 50_000, 64, 5, directed=False, num_graphs=500 if chosen[0] in GRAPH_SAMPLERS else None)
    facts = make_facts(graph, device=2**34, task=Task.LINK if chosen[0] == "link_neighbor" else None)
    spec = spec_of(facts, chosen, {}, hardware=hardware)
    script = recipe(spec, facts)
    compile(script, "recipe", "exec")
    lines = script.split("\n")
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    assert lines[: len(imports)] == imports, "imports stand at the top"
    modules = [line.split(" ")[1] for line in imports if line.startswith("from ")]
    assert len(set(modules)) == len(modules)
    assert max(map(len, lines)) <= 120 and "\n\n\n\n" not in script
    assert f'device = torch.device("{hardware}")' in lines
    assert script.count(LAST_LINE) == 1 and script.endswith(LAST_LINE)
