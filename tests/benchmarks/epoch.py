"""An epoch of neighbour sampling: our batches (trimmed, CSR) against PyG's NeighborLoader loop without trimming, in turn.

    python tests/benchmarks/epoch.py [GRAPH] [--epochs 3] [--fanouts 15,10,5] [--batch-size 1024]

Both train GraphSAGE 3 x 128 from the same seed and learning rate. PyG's loop takes its NeighborLoader where pyg-lib is
installed, else ours with the same interface, and PyG's own GraphSAGE on ``edge_index``. Accuracy is that of exact
full-neighbour inference with each model's weights.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch_geometric.data import Data
from torch_geometric.nn import GraphSAGE
from torch_geometric.typing import WITH_PYG_LIB

from planner import plan
from planner.inspect.opened import open_any
from techniques.assembly import build
from techniques.job import Job
from techniques.remote.source.folder import FolderGraph, spill
from tuner.judge import judge
from tuner.training import train_epoch

HIDDEN = 128


def our_job(graph: str, folder: Path, fanouts: tuple[int, ...], batch_size: int) -> Job:
    fixed = {"sampling": "neighbor", "representation": "csr", "architecture": "sage", "hardware": "cpu"}
    settings = {"fanouts": fanouts, "batch_size": batch_size, "hidden": HIDDEN, "seed_order": "uniform"}
    found = plan(graph, fix=fixed, set=settings)
    assert found.best is not None
    stored = open_any(graph)
    kept = stored if isinstance(stored, FolderGraph) else spill(stored, folder / "graph")
    return build(Job(spec=found.best.spec, facts=found.facts, stored=kept, scratch=folder))


def pyg_data(job: Job) -> Data:
    edge_index = torch.from_numpy(job.stored.read("edge_index").astype("int64"))  # type: ignore[attr-defined]
    data = Data(x=job.need("features").whole(), edge_index=edge_index, y=job.need("labels"))
    data.train_mask = job.masks["train"]
    return data


def pyg_loader(data: Data, fanouts: tuple[int, ...], batch_size: int) -> Any:
    if WITH_PYG_LIB:
        from torch_geometric.loader import NeighborLoader
    else:
        from techniques.sampling.loader import NeighborLoader
    return NeighborLoader(
        data, num_neighbors=list(fanouts), batch_size=batch_size, shuffle=True, input_nodes=data.train_mask
    )


def pyg_epoch(model: Any, optimizer: Any, loader: Any) -> None:
    model.train()
    for batch in loader:
        out = model(batch.x, batch.edge_index)[: batch.batch_size]
        loss = F.cross_entropy(out, batch.y[: batch.batch_size])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", nargs="?", default="like:ogbn-products@0.1")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--fanouts", default="15,10,5")
    parser.add_argument("--batch-size", type=int, default=1024)
    options = parser.parse_args()
    fanouts = tuple(int(part) for part in options.fanouts.split(","))
    with tempfile.TemporaryDirectory() as folder:
        job = our_job(options.graph, Path(folder), fanouts, options.batch_size)
        data, training = pyg_data(job), job.spec.training
        print(f"{options.graph}: {data.num_nodes:,} nodes, {data.num_edges:,} edges, fanouts {list(fanouts)}")
        torch.manual_seed(training.seed)
        width, classes = data.num_features, int(data.y.max()) + 1
        model = GraphSAGE(width, HIDDEN, len(fanouts), classes, dropout=training.dropout)
        optimizer = torch.optim.Adam(model.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
        loader = pyg_loader(data, fanouts, options.batch_size)
        print(f"{'epoch':>5} {'PyG loop s':>11} {'ours s':>8} {'ratio':>6} {'PyG acc':>8} {'our acc':>8}")
        ratios = []
        for epoch in range(options.epochs):
            theirs = timed(lambda: pyg_epoch(model, optimizer, loader))
            ours = timed(lambda: train_epoch(job))
            ratios.append(theirs / ours)
            scores = judge(job).scores("val")["accuracy"], pyg_accuracy(job, model)
            print(f"{epoch:5d} {theirs:11.2f} {ours:8.2f} {ratios[-1]:5.1f}x {scores[1]:8.4f} {scores[0]:8.4f}")
        print(f"median {statistics.median(ratios):.1f}x; our trainer waited {job.wait_seconds():.2f} s in all")


def pyg_accuracy(job: Job, model: Any) -> float:
    """The PyG model's weights in our layer-wise inference: the layers have the same parameters."""
    network = job.need("model")
    own = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(model.state_dict())
    found = judge(job).scores("val")["accuracy"]
    network.load_state_dict(own)
    return found


if __name__ == "__main__":
    main()
