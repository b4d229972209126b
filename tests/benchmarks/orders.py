"""Seconds of a full-batch step in both orders: aggregate the input's columns first, or multiply with the weight first.

``python tests/benchmarks/orders.py GRAPH [STEPS]``. The orders take turns; medians. The chosen one is marked.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace

import torch

from planner.inspect.opened import open_any, profiled
from planner.pins import Pins
from planner.proposal import make_spec
from techniques import option
from techniques.architecture.built_in import BuiltIn
from techniques.architecture.loss import loss_of
from techniques.architecture.network import Batch
from techniques.assembly import build
from techniques.base import Slot
from techniques.facts import Facts, GraphFacts
from techniques.job import Job

CASES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("gcn", "csr", {}),
    ("sage", "csr", {}),
    ("sage", "coo", {"aggregator": "max"}),
    ("gin", "csr", {}),
    ("gat", "coo", {}),
    ("gatv2", "coo", {}),
    ("appnp", "csr", {}),
    ("sgc", "csr", {}),
    ("sign", "csr", {}),
)


def main() -> None:
    import tempfile
    from pathlib import Path

    from planner.inspect.machine import inspect_machine
    from techniques.facts import Goal, ModelFacts

    graph, steps = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    stored = open_any(graph)
    found: GraphFacts = profiled(stored, None, graph, False)
    facts = Facts(graph=found, model=ModelFacts(), hardware=inspect_machine(), goal=Goal())
    print(f"{found.num_nodes:,} nodes, {found.num_edges:,} edges, {found.features.width} features; seconds a step")
    print("| architecture | aggregate first | transform first | chosen |\n| --- | --- | --- | --- |")
    for name, form, settings in CASES:
        pins = {Slot.ARCHITECTURE: name, Slot.SAMPLING: "full_batch", Slot.REPRESENTATION: form}
        pins |= {Slot.HARDWARE: "cpu", Slot.REPRESENTATION_FEATURES: "dense"}
        spec = make_spec(facts, Pins(pins, {"hidden": 128, **settings}), {})
        with tempfile.TemporaryDirectory() as folder:
            job = build(Job(spec=spec, facts=facts, stored=stored, scratch=Path(folder)))
            print("| " + " | ".join(row(job, name, steps)) + " |", flush=True)


def row(job: Job, name: str, steps: int) -> tuple[str, str, str, str]:
    """One line of the table."""
    architecture = option(Slot.ARCHITECTURE, name)
    assert isinstance(architecture, BuiltIn)
    architecture = architecture.configured(job.spec)
    plan = architecture.network_plan(job.facts, job.spec)
    (batch,) = job.moved_batches()
    label = f"{name} max" if job.spec.settings.get("aggregator") == "max" else name
    both = name in ("sage", "gin") and "max" not in label
    orders = (False, True) if both else (plan.transform_first,)
    models = {order: architecture.build_network(replace(plan, transform_first=order)) for order in orders}
    seconds: dict[bool, list[float]] = {order: [] for order in orders}
    for _ in range(steps):
        for order, model in models.items():
            seconds[order].append(timed(model.train(), batch))
    medians = {order: f"{statistics.median(found):.2f}" for order, found in seconds.items()}
    if both:
        return label, medians[False], medians[True], "transform" if plan.transform_first else "aggregate"
    (only,) = medians.values()
    if name in ("sgc", "sign"):
        return label, only, "-", "aggregate once, in prepare"
    return (label, only, "-", "aggregate") if "max" in label else (label, "-", only, "transform")


def timed(model: torch.nn.Module, batch: Batch) -> float:
    start = time.perf_counter()
    loss_of(model.logits(batch), batch.y, batch.loss_weight).backward()  # type: ignore[operator,no-untyped-call]
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
