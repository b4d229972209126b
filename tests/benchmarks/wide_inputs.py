"""What the order of operations is worth on wide inputs: processor time of an epoch in the order chosen over that in the other.

    python tests/benchmarks/wide_inputs.py GRAPH... [--rounds 5] [--features dense csr]

For the layers that know both orders (GCN and attention always multiply by the weight first; a maximum cannot): full batch, CSR,
one thread, epochs in turn. Below 1 the chosen order is the better one.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from unittest import mock

from at_hand import at_hand

from planner.pins import Pins
from planner.proposal import make_spec
from planner.render import table
from techniques import options
from techniques.architecture.built_in import BuiltIn
from techniques.assembly import build
from techniques.base import Slot
from techniques.facts import Facts
from techniques.job import Job

BOTH_ORDERS = ("sage", "gin")


def main() -> None:
    """Print a row per graph, architecture and form of the features."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphs", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--features", nargs="+", default=["dense", "csr"])
    chosen = parser.parse_args()
    rows = []
    for graph in chosen.graphs:
        with at_hand(graph) as (stored, facts, scratch):
            for name in BOTH_ORDERS:
                for features in chosen.features:
                    jobs = [job_of(facts, stored, name, features, flipped, scratch) for flipped in (False, True)]
                    rows.append(
                        [facts.graph.name, str(facts.graph.features.width), name, features, *timed(jobs, chosen.rounds)]
                    )
                    print(*rows[-1], sep="  ", flush=True)
    print("\n".join(table(["graph", "columns", "layer", "features", "chosen s", "other s", "ratio"], rows)))


def job_of(facts: Facts, stored: object, name: str, features: str, flipped: bool, scratch: str) -> Job | None:
    """A job in the order chosen, or in the other one; ``None`` where that cannot be (sparse inputs are never summed first)."""
    chosen = {Slot.ARCHITECTURE: name, Slot.SAMPLING: "full_batch", Slot.REPRESENTATION: "csr", Slot.HARDWARE: "cpu"}
    pins = Pins({**chosen, Slot.REPRESENTATION_FEATURES: features}, {"threads": 1, "dropout": 0.0})
    spec = make_spec(facts, pins, {})
    architecture = next(one for one in options(Slot.ARCHITECTURE) if one.name == name)
    assert isinstance(architecture, BuiltIn)
    plan = architecture.network_plan(facts, spec)
    if flipped and plan.sparse_input:
        return None
    plan = replace(plan, transform_first=plan.transform_first is not flipped)
    with mock.patch.object(BuiltIn, "network_plan", lambda *_: plan):
        return build(Job(spec=spec, facts=facts, stored=stored, scratch=Path(scratch)))  # type: ignore[arg-type]


def timed(jobs: list[Job | None], rounds: int) -> list[str]:
    """Median seconds of both and of the rounds' ratios; a first epoch is not counted."""
    from tuner.training import train_epoch

    seconds: list[list[float]] = [[] for _ in jobs]
    for number in range(rounds + 1):
        for job, spent in zip(jobs, seconds, strict=True):
            if job is None:
                continue
            started = time.process_time()
            train_epoch(job)
            if number:
                spent.append(time.process_time() - started)
    if jobs[1] is None:
        return [f"{median(seconds[0]):.3f}", "-", "-"]
    ratio = median(one / other for one, other in zip(*seconds, strict=True))
    return [f"{median(seconds[0]):.3f}", f"{median(seconds[1]):.3f}", f"{ratio:.2f}"]


if __name__ == "__main__":
    main()
