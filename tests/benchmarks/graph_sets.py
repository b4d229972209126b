"""Graph classification by 10-fold cross-validation on sets of graphs in ``.npz`` files.

    python tests/benchmarks/graph_sets.py tu_mutag.npz tu_proteins.npz tu_nci1.npz --epochs 60

Each fold is tested once; of the others one in ten graphs is for validation, and the test accuracy counts at the epoch of
the best validation accuracy (Errica et al., "A fair comparison of graph neural networks for graph classification", ICLR
2020: GIN reaches 0.733 +- 0.040 on PROTEINS, 0.800 +- 0.014 on NCI1). The last column is the protocol of "How powerful
are graph neural networks" (Xu et al., ICLR 2019: 0.762 on PROTEINS, 0.827 on NCI1, 0.894 on MUTAG): the best epoch of the
folds' mean test accuracy, which looks at the test folds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from planner.api import inspect
from planner.pins import Pins
from planner.proposal import make_spec
from techniques.assembly import build
from techniques.base import Slot
from techniques.facts import Goal
from techniques.job import Job, JobSpec
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.npz import NpzGraph
from tuner.judge import judge
from tuner.training import train_epoch

FOLDS = 10


def main() -> None:
    """Print one row per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--architecture", default="gin")
    parser.add_argument("--sampling", default="graph_batch")
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--pool", default="sum")
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--folds", type=int, default=FOLDS, help="how many of the ten folds to run")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    print(f"{'set':14} {'folds':>5} {'test at best validation':>24} {'best epoch of the mean':>24} {'seconds':>8}")
    for file in given.files:
        started = time.perf_counter()
        chosen, curves = cross_validated(file, given)
        mean = np.mean(curves, axis=0)
        best = int(mean.argmax())
        own = f"{statistics.mean(chosen):.3f} +- {statistics.stdev(chosen):.3f}"
        xu = f"{mean[best]:.3f} +- {np.std([curve[best] for curve in curves], ddof=1):.3f} ({best + 1})"
        seconds = time.perf_counter() - started
        print(f"{Path(file).stem:14} {len(chosen):5} {own:>24} {xu:>24} {seconds:8.0f}", flush=True)


def cross_validated(file: str, given: Any) -> tuple[list[float], list[list[float]]]:
    """Test accuracy of every fold at its best validation epoch, and after every epoch."""
    stored = NpzGraph(file)
    arrays = {key: stored.read(key) for key in stored.headers}
    facts, _ = inspect(file, model=None, on=None, goal=Goal())
    spec = spec_for(facts, given)
    chosen, curves = [], []
    for fold in range(min(given.folds, FOLDS)):
        masks = fold_masks(arrays["y"], fold)
        graph = ArrayGraph(stored.name, {**arrays, **masks})
        split = {name.removesuffix("_mask"): int(mask.sum()) for name, mask in masks.items()}
        labels = facts.graph.labels.model_copy(update=split)
        fold_facts = facts.model_copy(update={"graph": facts.graph.model_copy(update={"labels": labels})})
        validation, test = trained(graph, fold_facts, spec, given.epochs)
        chosen.append(test[int(np.argmax(validation))])
        curves.append(test)
    return chosen, curves


def spec_for(facts: Any, given: Any) -> JobSpec:
    names = ("hidden", "layers", "pool", "dropout", "learning_rate", "threads", "batch_size")
    settings = {name: getattr(given, name) for name in names}
    if given.sampling == "dynamic_batch":
        assert facts.graph.graph_set is not None
        settings["batch_cost"] = round(given.batch_size * facts.graph.graph_set.nodes_mean)
    slots = {Slot.ARCHITECTURE: given.architecture, Slot.SAMPLING: given.sampling, Slot.HARDWARE: "cpu"}
    slots |= {Slot.REPRESENTATION: "coo" if given.architecture == "gat" else "csr"}
    return make_spec(facts, Pins(slots, settings), {})


def fold_masks(y: Any, fold: int) -> dict[str, Any]:
    """Every tenth graph of each class, after a seeded shuffle, is tested; of the rest every tenth validates."""
    order = np.random.default_rng(0).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    place = np.arange(len(y)) % FOLDS
    test = np.zeros(len(y), bool)
    test[order[place == fold]] = True
    rest = order[place != fold]
    validation = np.zeros(len(y), bool)
    validation[rest[fold % FOLDS :: FOLDS]] = True
    return {"train_mask": ~test & ~validation, "val_mask": validation, "test_mask": test}


def trained(graph: ArrayGraph, facts: Any, spec: JobSpec, epochs: int) -> tuple[list[float], list[float]]:
    """Validation and test accuracy after every epoch."""
    job = build(Job(spec=spec, facts=facts, stored=graph, scratch=Path.cwd()))
    one = judge(job)
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(epochs):
        train_epoch(job)
        for split, scores in zip(("val", "test"), found, strict=True):
            scores.append(one.scores(split)["accuracy"])
    return found


if __name__ == "__main__":
    main()
