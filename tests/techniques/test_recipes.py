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

from planner.inspect.estimate import from_counts
from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques import options
from techniques.architecture.hetero.typed import TYPED
from techniques.base import Slot
from techniques.facts import Task
from techniques.recipe import recipe
from techniques.recipe_parts import ROW_SAMPLERS
from tests.covering import covering

LAST_LINE = "print(epoch())\n"
SAMPLERS = [one.name for one in options(Slot.SAMPLING)]
ARCHITECTURES = [one.name for one in options(Slot.ARCHITECTURE) if one.name not in TYPED]
REPRESENTATIONS = [one.name for one in options(Slot.REPRESENTATION)]
INDUCED = ("full_batch", "cluster", "graph_saint", "random_node")
GRAPH_SAMPLERS = ("graph_batch", "dynamic_batch")
PRECOMPUTED = ("sgc", "sign")
NO_READOUT = ("appnp", *PRECOMPUTED, "custom")
NEVER = (
    [(one, name) for one in ("gat", "gatv2") for name in ("csr", "dense")]
    + [(one, name) for one in PRECOMPUTED for name in ("coo", "dense")]
    + [("appnp", "dense")]
    + [("custom", one) for one in REPRESENTATIONS],  # test_custom.py pastes its script
    [("shadow_k_hop", "appnp")]
    + [(one, name) for one in SAMPLERS for name in PRECOMPUTED if one not in ("full_batch", "rows")]
    + [("rows", name) for name in ARCHITECTURES if name not in PRECOMPUTED]
    + [(one, name) for one in GRAPH_SAMPLERS for name in NO_READOUT],
)
"""Architectures and adjacencies, samplers and architectures, that never go together."""
COMBINATIONS = [
    chosen
    for chosen in product(SAMPLERS, ARCHITECTURES, REPRESENTATIONS)
    if chosen[1:] not in NEVER[0] and chosen[:2] not in NEVER[1] and (chosen[2] != "dense" or chosen[0] in INDUCED)
]
every_combination = pytest.mark.parametrize("chosen", COMBINATIONS, ids="-".join)

EXACT: dict[str, dict[str, Any]] = {
    "full_batch": {"layers": 2},
    "neighbor": {"fanouts": (-1, -1), "batch_size": 1000},
    "link_neighbor": {"fanouts": (-1, -1), "batch_size": 1000, "negatives": 2},
    "shadow_k_hop": {"layers": 2, "num_neighbors": 1000, "batch_size": 1000},
    "cluster": {"layers": 2, "num_parts": 4, "parts_per_batch": 4},
    "graph_saint": {"layers": 2, "batch_size": 20, "sample_coverage": 20},
    "random_node": {"layers": 2, "num_parts": 1},
    "rows": {"batch_size": 1000},
    "graph_batch": {"layers": 2, "batch_size": 1000},
    "dynamic_batch": {"layers": 2, "batch_cost": 100_000},
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
    "unit rows": ({}, {"unit_rows": True}),
}
ON_GRAPHS = covering(
    product(GRAPHS, COMBINATIONS),
    lambda case: case[1],
    lambda case: (case[0], case[1][0]),
    lambda case: (case[0], case[1][1:]),
)
"""Every combination on the first graph; on the others every sampler, and every layer over every adjacency."""


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
                parts[0], parts[1].long(), parts[2], size=tuple(stored.read("x_shape")), check_invariants=False
            ).to_dense()
        for key in ("edge_weight", "edge_attr"):
            kept = slice(None) if job.links is None else job.links.message_mask
            data[key] = torch.from_numpy(stored.read(key)[kept]) if key in stored.headers else None
        if job.links is None:
            data.y = job.labels if job.labels.dim() == 1 else job.labels.to(torch.uint8)
            data.train_mask = job.masks["train"]
            if job.graph_ptr is not None:
                data.ptr = torch.from_numpy(job.graph_ptr)
                data.y = job.labels if job.targets is None else job.targets.restored(job.labels)
                data.y = data.y.to(torch.uint8) if job.facts.graph.labels.multi_label else data.y
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


@pytest.fixture
def tiny(tiny: Any, tiny_set: Any, request: Any) -> Callable[..., Any]:
    """Sets of graphs for the samplers that need them."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    chosen = parameters.get("sampling") or parameters.get("chosen", ("",))[0]

    def build(**arrays: Any) -> Any:
        if chosen not in GRAPH_SAMPLERS:
            return tiny(**arrays)
        labels = "multi" if arrays.get("labels") == "multi" else "classes"
        features = arrays.get("features", "dense")
        weights = arrays.get("weights", "none") != "none"
        columns = arrays.get("edge_columns", 0)
        undirected = arrays.get("undirected", True)
        return tiny_set(labels=labels, features=features, weights=weights, edge_columns=columns, undirected=undirected)

    return build


def facts_for(sampling: str, stored: Any, profiled: Any, **others: Any) -> Any:
    return profiled(stored, task=Task.LINK, **others) if sampling == "link_neighbor" else profiled(stored, **others)


def spec_of(facts: Any, chosen: tuple[str, str, str], settings: dict[str, Any], **slots: str) -> Any:
    sampling, architecture, representation = chosen
    pinned = {Slot.SAMPLING: sampling, Slot.ARCHITECTURE: architecture, Slot.REPRESENTATION: representation}
    pinned |= {Slot.HARDWARE: "cpu"} | {Slot(name.replace("_", ".")): option for name, option in slots.items()}
    if architecture == "appnp":  # within the sampled hops, over all sampled nodes
        settings = {**settings, "trim": False, "propagation_steps": len(settings.get("fanouts", (0, 0)))}
    spec = make_spec(facts, Pins(pinned, {"hidden": 8, "threads": 1, "prefetch": 0, **settings}), {})
    verdict = check(facts, spec)
    # One batch of all rows leaves nothing to chance, but is refused: full_batch does the same.
    assert verdict.usable or (sampling == "rows" and verdict.reasons[0].fact == "batch_size"), verdict
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


LEARNED = covering(
    [one for one in COMBINATIONS if one[1] not in PRECOMPUTED and one[0] not in GRAPH_SAMPLERS],
    lambda case: case[0],
    lambda case: case[1:],
)


# The same losses


@pytest.mark.parametrize(("graph", "chosen"), ON_GRAPHS, ids=str)
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
    sparse = graph == "sparse features" and chosen[1] not in PRECOMPUTED  # whose propagated features are dense
    slots = {"representation_features": "csr"} if sparse else {}
    spec = spec_of(facts, chosen, {**EXACT[chosen[0]], **settings, "dropout": 0.0}, **slots)
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("sampling", ["full_batch", "neighbor", "link_neighbor", "shadow_k_hop"])
@pytest.mark.parametrize("architecture", [one for one in ARCHITECTURES if one != "custom"])
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
    if (sampling, architecture) in NEVER[1]:
        pytest.skip("never go together")
    stored = tiny(undirected=False)
    facts = facts_for(sampling, stored, profiled)
    settings = {**EXACT[sampling], "layers": layers, "fanouts": (-1,) * layers, "dropout": 0.0, "depth": layers}
    spec = spec_of(facts, (sampling, architecture, "csr" if architecture in PRECOMPUTED else "coo"), settings)
    assert spec.settings["layers"] == layers
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    assert_same_losses(job, spec)


RENUMBERED = covering(
    product(GRAPHS, [one for one in ARCHITECTURES if one not in (*PRECOMPUTED, "custom")], ("rcm", "community")),
    lambda case: case[0],
    lambda case: case[1:],
    lambda case: (case[0], case[2]),
)


@pytest.mark.parametrize(("graph", "architecture", "order"), RENUMBERED)
def test_renumbered_nodes(
    graph: str, architecture: str, order: str, tiny: Any, profiled: Any, make_job: Any, write_graph: Any
) -> None:
    arrays, _ = GRAPHS[graph]
    stored = tiny(**arrays)
    facts = profiled(stored)
    slots = {"representation_features": "csr"} if graph == "sparse features" else {}
    representation = "coo" if architecture in ("gat", "gatv2") else "csr"
    settings = {"layers": 2, "dropout": 0.0, "node_order": order}
    spec = spec_of(facts, ("full_batch", architecture, representation), settings, **slots)
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    data = torch.load("graph.pt", weights_only=False)
    for name in ("y", "train_mask"):  # the script starts from the graph as it is stored
        data[name] = job.as_given(data[name])
    torch.save(data, "graph.pt")
    assert_same_losses(job, spec)
    pasted = loaded(recipe(spec, facts))
    assert torch.equal(pasted.order, torch.from_numpy(job.node_order))


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


@pytest.mark.parametrize("sampling", [name for name in SAMPLERS if name != "rows"])
def test_graphsage_with_max(
    sampling: str, tiny: Any, profiled: Any, make_job: Any, write_graph: Any, fixed_draws: None
) -> None:
    stored = tiny(undirected=False)
    facts = facts_for(sampling, stored, profiled)
    spec = spec_of(facts, (sampling, "sage", "coo"), {**EXACT[sampling], "aggregator": "max", "dropout": 0.0})
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("features", ["dense", "float16"])
@pytest.mark.parametrize("sampling", [name for name in SAMPLERS if name not in ROW_SAMPLERS])
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


@pytest.mark.parametrize("chosen", LEARNED, ids="-".join)
def test_learned_rows(
    chosen: tuple[str, str, str], tiny: Any, profiled: Any, make_job: Any, write_graph: Any, fixed_draws: None
) -> None:
    stored = tiny(features="none")
    facts = facts_for(chosen[0], stored, profiled)
    settings = {**EXACT[chosen[0]], "dropout": 0.0, "embedding_width": 6}
    spec = spec_of(facts, chosen, settings, representation_features="embedding")
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("sampling", [name for name in SAMPLERS if name not in ("full_batch", "rows")])
def test_features_as_float16(
    sampling: str, tiny: Any, profiled: Any, make_job: Any, write_graph: Any, fixed_draws: None
) -> None:
    stored = tiny()
    facts = facts_for(sampling, stored, profiled)
    spec = spec_of(
        facts, (sampling, "sage", "csr"), {**EXACT[sampling], "dropout": 0.0}, representation_features="half"
    )
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    assert_same_losses(job, spec)


GRAPH_LEVEL = {
    "classes": ({}, {"pool": "max"}),
    "no norm": ({"features": "none"}, {"pool": "mean", "norm": "none"}),
    "regression": ({"labels": "targets"}, {}),
    "one target": ({"labels": "target", "undirected": False}, {"norm": "none"}),
    "multi-label": ({"labels": "multi"}, {}),
    "max of neighbours": ({}, {"aggregator": "max"}),
}


@pytest.mark.parametrize("sampler", ["full_batch", *GRAPH_SAMPLERS])
@pytest.mark.parametrize("architecture", [one for one in ARCHITECTURES if one not in NO_READOUT])
@pytest.mark.parametrize("kind", GRAPH_LEVEL)
def test_sets_of_graphs(
    kind: str, architecture: str, sampler: str, tiny_set: Any, profiled: Any, make_job: Any, write_graph: Any
) -> None:
    arrays, settings = GRAPH_LEVEL[kind]
    stored = tiny_set(**arrays)
    facts = profiled(stored)
    settings = {**EXACT[sampler], "dropout": 0.0, **settings}
    spec = spec_of(facts, (sampler, architecture, "coo"), settings)
    job = make_job(facts, stored, spec)
    write_graph(stored, job)
    assert_same_losses(job, spec)


# As pasted

SMALL: dict[str, Any] = {
    "fanouts": (3, 2),
    "batch_size": 16,
    "num_neighbors": 2,
    "batch_cost": 60,
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


# The text


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


# bf16, accumulation, checkpointing

BF16_TOLERANCE = 0.03
"""Relative, over three epochs: bfloat16 keeps eight bits, and two orders of one sum may round apart."""


SAVINGS: dict[str, dict[str, Any]] = {
    "checkpointed": {"checkpoint_layers": True},
    "bf16": {"precision": "bf16"},
    "both": {"precision": "bf16", "checkpoint_layers": True},
}
SAVED = covering(
    [(name, one) for name, one in product(SAVINGS, COMBINATIONS) if one[2] != "dense" or name == "checkpointed"],
    lambda case: (case[0], case[1][0]),
    lambda case: (case[0], case[1][1:]),
)
"""Every saving with every sampler and with every layer over every adjacency; dense matrices refuse bf16 with a reason."""


@pytest.mark.parametrize(("name", "chosen"), SAVED, ids=str)
def test_savings_are_kept(
    name: str,
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
    spec = spec_of(facts, chosen, {**EXACT[chosen[0]], "dropout": 0.0, **SAVINGS[name]})
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


# Coarsening

COARSENINGS = [one.name for one in options(Slot.COARSENING) if one.name != "none"]
COARSE_GRAPHS = {
    "plain": {},
    "directed": {"undirected": False, "features": "float16"},
    "multi-label": {"labels": "multi"},
    "no features": {"features": "none"},
    "weighted": {"weights": "symmetric", "edge_columns": 3},
    "edge attributes": {"edge_columns": 1, "undirected": False},
}


@pytest.fixture
def write_positions(write_graph: Any) -> Callable[..., None]:
    """The same with ``pos``, and the training nodes that the job had before it was coarsened."""

    def write(stored: Any, job: Any) -> None:
        write_graph(stored, job)
        data = torch.load("graph.pt", weights_only=False)
        data.pos = torch.from_numpy(stored.read("pos"))
        torch.save(data, "graph.pt")

    return write


@pytest.mark.parametrize("coarsening", COARSENINGS)
@pytest.mark.parametrize("architecture", ["gcn", "sage", "gat"])
@pytest.mark.parametrize("graph", COARSE_GRAPHS)
def test_a_coarse_graph_is_the_one_of_our_job(
    graph: str, architecture: str, coarsening: str, tiny: Any, profiled: Any, make_job: Any, write_positions: Any
) -> None:
    stored = tiny(positions=True, **COARSE_GRAPHS[graph])
    facts = profiled(stored)
    spec = spec_of(facts, ("full_batch", architecture, "coo"), {"dropout": 0.0}, coarsening=coarsening)
    job = make_job(facts, stored, spec)
    write_positions(stored, job)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("labels", ["mode", "mean", "soft"])
@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_every_pooling_and_label(
    pooling: str, labels: str, tiny: Any, profiled: Any, make_job: Any, write_positions: Any
) -> None:
    stored = tiny(positions=True)
    facts = profiled(stored)
    settings = {"dropout": 0.0, "coarsen_pooling": pooling, "coarsen_labels": labels, "coarsen_ratio": 0.3}
    spec = spec_of(facts, ("full_batch", "gcn", "csr"), settings, coarsening="heavy_edge")
    job = make_job(facts, stored, spec)
    write_positions(stored, job)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("sampling", [one for one in SAMPLERS if one not in ("link_neighbor", "rows", *GRAPH_SAMPLERS)])
def test_every_sampler_draws_from_the_coarse_graph(
    sampling: str, tiny: Any, profiled: Any, make_job: Any, write_positions: Any, capsys: Any
) -> None:
    stored = tiny(positions=True)
    facts = profiled(stored)
    spec = spec_of(facts, (sampling, "sage", "coo"), SMALL, coarsening="graclus")
    write_positions(stored, make_job(facts, stored, spec))
    script = recipe(spec, facts)
    names: dict[str, Any] = {}
    exec(compile(script, "recipe", "exec"), names)
    assert math.isfinite(float(capsys.readouterr().out))
    assert names["data"].num_nodes < names["graph"].num_nodes == 60
    assert "evaluation on graph.val_mask" in script
