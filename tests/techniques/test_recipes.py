"""Recipes: the script of a spec runs as pasted, and its losses are those of the job that we build."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from planner.proposal import Pins, check, make_spec
from techniques import options
from techniques.architecture.hetero.typed import TYPED
from techniques.base import Slot
from techniques.facts import Task
from techniques.recipe import recipe

LAST_LINE = "print(epoch())\n"
SAMPLERS = [one.name for one in options(Slot.SAMPLING)]
ARCHITECTURES = [one.name for one in options(Slot.ARCHITECTURE) if one.name not in TYPED]
REPRESENTATIONS = [one.name for one in options(Slot.REPRESENTATION)]
COMBINATIONS = [chosen for chosen in product(SAMPLERS, ARCHITECTURES, REPRESENTATIONS) if chosen[1:] != ("gat", "csr")]
every_combination = pytest.mark.parametrize("chosen", COMBINATIONS, ids="-".join)

EXACT: dict[str, dict[str, Any]] = {
    "full_batch": {"layers": 2},
    "neighbor": {"fanouts": (-1, -1), "batch_size": 1000},
    "link_neighbor": {"fanouts": (-1, -1), "batch_size": 1000, "negatives": 2},
    "shadow_k_hop": {"layers": 2, "num_neighbors": 1000, "batch_size": 1000},
    "cluster": {"layers": 2, "num_parts": 4, "parts_per_batch": 4},
    "graph_saint": {"layers": 2, "batch_size": 20, "sample_coverage": 20},
    "random_node": {"layers": 2, "num_parts": 1},
}
"""Settings under which nothing is left to chance; GraphSAINT's draws and the negatives are fixed besides."""
GRAPHS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "directed": ({"undirected": False, "features": "float16"}, {"trim": False}),
    "multi-label": ({"labels": "multi"}, {"trim": False}),
    "no features": ({"features": "none"}, {}),
    "sparse features": ({"features": "sparse"}, {}),
    "weighted": ({"weights": "symmetric", "edge_columns": 3}, {}),
    "weighted directed": ({"weights": "random", "undirected": False}, {"trim": False}),
    "edge attributes": ({"edge_columns": 1, "undirected": False}, {"trim": False}),
}


@pytest.fixture
def write_graph(tmp_path: Path, monkeypatch: Any) -> Callable[..., None]:
    """``write_graph(stored, job)``: the same arrays as ``graph.pt`` where scripts run."""
    monkeypatch.chdir(tmp_path)

    def write(stored: Any, job: Any) -> None:
        data = Data(edge_index=torch.from_numpy(stored.read("edge_index")).long())
        data.num_nodes = int(stored.read("num_nodes"))
        if "x" in stored.headers:
            data.x = torch.from_numpy(stored.read("x"))
        elif "x_data" in stored.headers:
            parts = [torch.from_numpy(np.array(stored.read(f"x_{part}"))) for part in ("indptr", "indices", "data")]
            data.x = torch.sparse_csr_tensor(
                parts[0], parts[1].long(), parts[2], size=tuple(stored.read("x_shape"))
            ).to_dense()
        for key in ("edge_weight", "edge_attr"):
            kept = slice(None) if job.links is None else job.links.message_mask
            data[key] = torch.from_numpy(stored.read(key)[kept]) if key in stored.headers else None
        if job.links is None:
            data.y = job.labels if job.labels.dim() == 1 else job.labels.to(torch.uint8)
            data.train_mask = job.masks["train"]
        else:
            data.edge_index = torch.from_numpy(job.links.message_edges).long()
            data.train_edge_index = torch.from_numpy(job.links.train).long()
        torch.save(data, "graph.pt")

    return write


@pytest.fixture
def fixed_draws(monkeypatch: Any) -> None:
    """The job and the script draw the same subgraphs (GraphSAINT) and the same negatives."""
    from techniques.sampling import link_sampler
    from techniques.sampling.graph_saint import SaintBatches
    from techniques.sampling.loader import graph_saint as loader

    def subsets() -> Iterator[Any]:
        rng = np.random.default_rng(0)
        while True:
            yield rng.choice(60, 35, replace=False)

    ours, theirs = subsets(), subsets()
    monkeypatch.setattr(SaintBatches, "choose", lambda *_: next(ours))
    for name in ("saint_nodes", "saint_edges", "saint_walks"):
        # The loader's first call compiles; its seed is 0.
        monkeypatch.setattr(loader, name, lambda *given: next(theirs) if given[-1] else np.arange(3))
    negatives = link_sampler._negatives
    monkeypatch.setattr(link_sampler, "_negatives", lambda *given: negatives(*given[:-1], 0))


def facts_for(sampling: str, stored: Any, profiled: Any, **others: Any) -> Any:
    return profiled(stored, task=Task.LINK, **others) if sampling == "link_neighbor" else profiled(stored, **others)


def spec_of(facts: Any, chosen: tuple[str, str, str], settings: dict[str, Any], **slots: str) -> Any:
    sampling, architecture, representation = chosen
    pinned = {Slot.SAMPLING: sampling, Slot.ARCHITECTURE: architecture, Slot.REPRESENTATION: representation}
    pinned |= {Slot.HARDWARE: "cpu"} | {Slot(name.replace("_", ".")): option for name, option in slots.items()}
    spec = make_spec(facts, Pins(pinned, {"hidden": 8, "threads": 1, "prefetch": 0, **settings}), {})
    verdict = check(facts, spec)
    assert verdict.usable, verdict
    return spec


def loaded(script: str) -> SimpleNamespace:
    """What a script defines, before it trains."""
    assert script.endswith(LAST_LINE)
    names: dict[str, Any] = {}
    exec(compile(script.removesuffix(LAST_LINE), "recipe", "exec"), names)
    return SimpleNamespace(**names)


def copy_parameters(job: Any, ready_made: Any) -> None:
    ours, theirs = list(job.model.parameters()), list(ready_made.parameters())
    assert [one.shape for one in ours] == [one.shape for one in theirs]
    with torch.no_grad():
        for one, other in zip(ours, theirs, strict=True):
            other.copy_(one)


def assert_same_losses(job: Any, spec: Any, epochs: int = 3) -> None:
    """A wrong gradient would show in the second epoch."""
    from tuner.training import train_epoch

    pasted = loaded(recipe(spec, job.facts))
    copy_parameters(job, pasted.model)
    for number in range(epochs):
        expected, _ = train_epoch(job)
        assert pasted.epoch() == pytest.approx(expected, rel=1e-5), f"epoch {number + 1}"


# The same losses


@every_combination
@pytest.mark.parametrize("graph", GRAPHS)
def test_the_losses_are_those_of_our_job(
    graph: str,
    chosen: tuple[str, str, str],
    tiny: Any,
    profiled: Any,
    make_job: Any,
    write_graph: Any,
    fixed_draws: None,
) -> None:
    arrays, settings = GRAPHS[graph]
    stored = tiny(**arrays)
    facts = facts_for(chosen[0], stored, profiled)
    slots = {"representation_features": "csr"} if graph == "sparse features" else {}
    spec = spec_of(facts, chosen, {**EXACT[chosen[0]], **settings, "dropout": 0.0}, **slots)
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("sampling", ["full_batch", "neighbor", "link_neighbor", "shadow_k_hop"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_any_depth(
    architecture: str,
    sampling: str,
    layers: int,
    tiny: Any,
    profiled: Any,
    make_job: Any,
    write_graph: Any,
    fixed_draws: None,
) -> None:
    stored = tiny(undirected=False)
    facts = facts_for(sampling, stored, profiled)
    settings = {**EXACT[sampling], "layers": layers, "fanouts": (-1,) * layers, "dropout": 0.0, "depth": layers}
    spec = spec_of(facts, (sampling, architecture, "coo"), settings)
    assert spec.settings["layers"] == layers
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("coverage", [0, 20])
@pytest.mark.parametrize("sampler", ["node", "edge", "random_walk"])
def test_every_kind_of_graphsaint(
    sampler: str, coverage: int, tiny: Any, profiled: Any, make_job: Any, write_graph: Any, fixed_draws: None
) -> None:
    stored = tiny()
    facts = profiled(stored)
    settings = {"saint_sampler": sampler, "batch_size": 20, "sample_coverage": coverage, "dropout": 0.0}
    spec = spec_of(facts, ("graph_saint", "sage", "coo"), settings)
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("features", ["dense", "float16"])
@pytest.mark.parametrize("sampling", [name for name in SAMPLERS if name != "full_batch"])
def test_mapped_features(
    sampling: str,
    features: str,
    tiny: Any,
    profiled: Any,
    make_job: Any,
    write_graph: Any,
    fixed_draws: None,
) -> None:
    stored = tiny(features=features)
    facts = facts_for(sampling, stored, profiled)
    settings = {**EXACT[sampling], "dropout": 0.0}
    spec = spec_of(facts, (sampling, "sage", "csr"), settings, remote_features="memmap")
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    np.save("x.npy", stored.read("x"))
    assert_same_losses(job, spec)


# As pasted

SMALL: dict[str, Any] = {
    "fanouts": (3, 2),
    "batch_size": 16,
    "num_neighbors": 2,
    "num_parts": 5,
    "parts_per_batch": 2,
    "seed_order": "imbalanced",
    "sample_coverage": 3,
}


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
    assert drops == [spec.training.dropout]
    assert not any(getattr(conv, "dropout", 0.0) for conv in names["model"].convs), "attention weights are not dropped"
    steps = sum(1 for _ in names["loader"])
    assert (steps == 1) == (chosen[0] == "full_batch")


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


# The text


@every_combination
@pytest.mark.parametrize("hardware", ["cpu", "cuda"])
def test_a_script_reads_well(chosen: tuple[str, str, str], hardware: str, make_facts: Any) -> None:
    """Imports come first and once, lines are short, and a GPU is used where it was chosen."""
    facts = make_facts(device=2**34, task=Task.LINK if chosen[0] == "link_neighbor" else None)
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


# bf16, accumulation, checkpointing

BF16_TOLERANCE = 0.03
"""Relative, over three epochs: bfloat16 keeps eight bits, and two orders of one sum may round apart."""


@pytest.mark.parametrize("chosen", COMBINATIONS, ids="-".join)
@pytest.mark.parametrize(
    "values",
    [{"checkpoint_layers": True}, {"precision": "bf16"}, {"precision": "bf16", "checkpoint_layers": True}],
    ids=["checkpointed", "bf16", "both"],
)
def test_savings_are_kept(
    values: dict[str, Any],
    chosen: tuple[str, str, str],
    tiny: Any,
    profiled: Any,
    make_job: Any,
    write_graph: Any,
    fixed_draws: None,
) -> None:
    from tuner.training import train_epoch

    stored = tiny()
    facts = facts_for(chosen[0], stored, profiled)
    spec = spec_of(facts, chosen, {**EXACT[chosen[0]], "dropout": 0.0, **values})
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    pasted = loaded(recipe(spec, facts))
    copy_parameters(job, pasted.model)
    tolerance = BF16_TOLERANCE if spec.training.precision == "bf16" else 1e-5
    for _ in range(3):
        expected, _ = train_epoch(job)
        assert pasted.epoch() == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("sampling", ["neighbor", "full_batch", "shadow_k_hop"])
def test_accumulation_is_kept(
    sampling: str, tiny: Any, profiled: Any, make_job: Any, write_graph: Any, monkeypatch: Any
) -> None:
    """Batches in the order of the nodes, so that both accumulate the same ones; the last is smaller."""
    from tuner.training import train_epoch

    stored = tiny()
    facts = profiled(stored)
    settings = {**EXACT[sampling], "batch_size": 8, "dropout": 0.0, "accumulate_batches": 2}
    spec = spec_of(facts, (sampling, "sage", "coo"), settings)
    monkeypatch.setattr(torch, "randperm", lambda count, *_, **__: torch.arange(count))
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    pasted = loaded(recipe(spec, facts))
    copy_parameters(job, pasted.model)
    for _ in range(3):
        expected, _ = train_epoch(job)
        assert pasted.epoch() == pytest.approx(expected, rel=1e-5)
