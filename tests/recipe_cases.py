"""Ways to write a script, and how it is compared with the job that it stands for."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques import options
from techniques.architecture.hetero.typed import TYPED
from techniques.base import Slot
from techniques.facts import Task
from techniques.recipe import recipe

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
"""Settings that make several small batches of a tiny graph."""


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


def copy_typed_parameters(job: Any, ready_made: Any) -> None:
    """Of a network for ``films``, by name: ours are those of PyG's layers."""
    ours = {
        name.replace(".linear.", ".").replace(".embedding.", "."): one for name, one in job.model.named_parameters()
    }
    with torch.no_grad():
        theirs = dict(ready_made.named_parameters())
        assert {_kind(name) for name in ours} == {_kind(name) for name in theirs}
        for name, other in theirs.items():
            other.copy_(next(one for key, one in ours.items() if _kind(key) == _kind(name)))


def _kind(name: str) -> str:
    """Encoders are called by number here and by type there."""
    for number, kind in enumerate(("movie", "person", "tag")):
        name = name.replace(f"encoders.{number}.", f"encoders.{kind}.")
    return name
