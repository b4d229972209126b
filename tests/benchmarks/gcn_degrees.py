"""GCN on sampled neighbourhoods by three degrees: those inside the batch (what runs), the graph's own, and the graph's own with
sums scaled from the sampled neighbours to all. Judged on the whole graph with its own degrees.

    python tests/benchmarks/gcn_degrees.py GRAPH... [--fanouts 10 5] [--epochs 30] [--seeds 3]
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from statistics import mean, stdev
from typing import Any
from unittest import mock

import torch
from at_hand import at_hand
from torch import Tensor

from planner.pins import Pins
from planner.proposal import make_spec
from planner.render import table
from techniques.assembly import build
from techniques.base import Slot
from techniques.facts import Facts
from techniques.job import Job, JobSpec
from techniques.representation.block import Block
from techniques.sampling.loading import BlockMaker
from tuner.judge import judge
from tuner.training import train_epoch

WAYS = ("batch", "graph", "graph, scaled")
CHOSEN = {Slot.ARCHITECTURE: "gcn", Slot.SAMPLING: "neighbor", Slot.REPRESENTATION: "coo", Slot.HARDWARE: "cpu"}


def main() -> None:
    """Print test accuracy at the best validation, mean and spread over seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphs", nargs="+")
    parser.add_argument("--fanouts", type=int, nargs="+", default=[10, 5])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for graph in asked.graphs:
        with at_hand(graph) as (stored, facts, scratch):
            for way in WAYS:
                tests = []
                for seed in range(asked.seeds):
                    pins = Pins(CHOSEN, {"threads": 1, "prefetch": 0, "seed": seed, "fanouts": tuple(asked.fanouts)})
                    tests.append(learned(make_spec(facts, pins, {}), facts, stored, scratch, way, asked.epochs))
                spread = stdev(tests) if len(tests) > 1 else 0.0
                rows.append([facts.graph.name, way, f"{mean(tests):.4f}", f"{spread:.4f}"])
                print(*rows[-1], sep="  ", flush=True)
    print("\n".join(table(["graph", "degrees of", "test", "spread"], rows)))


def learned(spec: JobSpec, facts: Facts, stored: Any, scratch: str, way: str, epochs: int) -> float:
    """Test quality at the best validation of every second epoch."""
    job = build(Job(spec=spec, facts=facts, stored=stored, scratch=Path(scratch)))
    degrees, plain = job.need("structure").degrees(), BlockMaker.batch

    def batch(self: BlockMaker, data: Any, *given: Any) -> Any:
        made = plain(self, data, *given)
        own = degrees[data.n_id]
        return made if way == "batch" else dataclasses.replace(made, blocks=tuple(by(one, own) for one in made.blocks))

    def by(block: Block, own: Tensor) -> Block:
        block = block._replace(degrees=own[: block.num_sources].clone())
        if way == "graph":
            return block
        assert block.edge_index is not None
        target = block.edge_index[1]
        drawn = torch.bincount(target, minlength=block.num_targets).clamp_(min=1)
        return block._replace(weight=(own[: block.num_targets] / drawn)[target])

    best, kept, judged = -1.0, 0.0, judge(job)
    with mock.patch.object(BlockMaker, "batch", batch):
        for number in range(epochs):
            train_epoch(job)
            if number % 2 and (score := judged.scores("val")[judged.metric]) > best:
                best, kept = score, judged.scores("test")[judged.metric]
    return kept


if __name__ == "__main__":
    main()
