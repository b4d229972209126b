"""Level 1, from counts alone, against published measurements of others.

    python tests/benchmarks/published.py measured.csv

The file has one row per published figure (columns dataset, nodes, edges, model, method, layers, hidden, heads, batch,
fanout_or_parts, hardware, peak_mem, mem_definition, time_s, sampled_nodes, source, ...). Nothing is fitted on it here.

* Peaks of full-batch GCN and GAT: live bytes of torch's allocator above the loaded data (AugF/pyg-analysis, PyG 1.5),
  beside the ledger's live bytes, not beside resident memory.
* Nodes of sampled batches, from the number of nodes and edges and an assumed spread of degrees.
* Epochs on one A100 (Bajaj et al., VLDB 2025), from published rates.
* The rule "4 to 10 times the data" against the published peaks on devices.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from planner.catalog import dataset, machine
from planner.costing import cost
from planner.inspect.estimate import from_counts, from_dataset
from planner.pins import Pins
from planner.proposal import Refusal, proposals
from planner.rules import MEMORY_HIGH, MEMORY_LOW
from techniques.architecture.built_in import BuiltIn
from techniques.architecture.gat import GAT
from techniques.architecture.gcn import GCN
from techniques.architecture.layer_size import shape_sizes
from techniques.architecture.ledger import step_cost
from techniques.base import Slot
from techniques.errors import GnnfitError
from techniques.facts import Facts
from techniques.sampling.shapes import hop_sizes
from techniques.step_shape import LayerShape, StepShape

GATHER_SCATTER = "edge_index (gather-scatter)"
MIB = 2**20
REMEMBERED_BYTES_PER_EDGE = 16 + 4
"""PyG 1.5's GCNConv remembers its normalised edges from step to step: int64 ends and a float32 weight
(``cached_result``, kept whether ``cached`` or not)."""
MOMENTS = 8
"""Bytes per parameter above the loaded weights and their gradients, which that time's optimiser zeroed instead of freeing."""
Row = dict[str, str]


def read(file: Path) -> list[Row]:
    """Every published row."""
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def peaks(rows: Iterable[Row], model: str) -> list[Row]:
    """Full-batch training peaks of one architecture on ``edge_index``."""
    return [row for row in rows if row["model"] == model and row["adjacency"] == GATHER_SCATTER]


def live_bytes(row: Row, architecture: BuiltIn) -> float:
    """Level 1: the ledger's largest live bytes of a step, in the terms of the published measure.

    A loop per node is an edge like any other there, and GCN multiplies each message by its weight.
    """
    nodes, layers, hidden = int(row["nodes"]), int(row["layers"]), int(row["hidden"])
    gcn = architecture is GCN
    looped = int(row["edges"]) + nodes
    layer = LayerShape.homogeneous(nodes, nodes, looped if gcn else int(row["edges"]))
    widths = (int(row["features"]), *[hidden] * (layers - 1), int(row["classes"]))
    sizes = shape_sizes(
        StepShape((layer,) * layers, seeds=nodes),
        widths,
        fused=False,
        transform_first=True,
        heads=int(row["heads"] or 1),
        weighted=gcn,
    )
    step = step_cost([(size, architecture.layer_cost(size)) for size in sizes], seeds=nodes, accumulates=True)
    remembered = REMEMBERED_BYTES_PER_EDGE * layers * looped if gcn else 0
    return step.activation_bytes + remembered + MOMENTS * step.parameters


def gcn_errors(rows: Iterable[Row]) -> list[tuple[Row, float]]:
    """Each published GCN row with its relative error."""
    return [(row, live_bytes(row, GCN) / (float(row["peak_mem"]) * MIB) - 1) for row in peaks(rows, "GCN")]


def report(rows: list[Row]) -> Iterator[str]:
    """All tables."""
    yield from _gcn(rows)
    yield ""
    yield from _gat(rows)
    yield ""
    yield from _sampled(rows)
    yield ""
    yield from _epochs(rows)
    yield ""
    yield from _rule(rows)


def _gcn(rows: list[Row]) -> Iterator[str]:
    errors = gcn_errors(rows)
    yield f"{'full-batch GCN, peak - loaded':34}{'rows':>6}{'mean error':>12}{'worst':>8}"
    for name in sorted({row["dataset"] for row, _ in errors}):
        yield _error_line(name, [abs(error) for row, error in errors if row["dataset"] == name])
    yield _error_line("all", [abs(error) for _, error in errors])


def _error_line(name: str, errors: list[float]) -> str:
    return f"{name:34}{len(errors):6}{statistics.mean(errors):12.2%}{max(errors):8.2%}"


def _gat(rows: list[Row]) -> Iterator[str]:
    yield f"{'full-batch GAT, level 1 / published':38}{'rows':>6}{'median':>8}{'range':>14}"
    found = peaks(rows, "GAT")
    for heads in sorted({int(row["heads"]) for row in found}):
        mine = [row for row in found if int(row["heads"]) == heads]
        yield _ratio_line(f"{heads} heads", [live_bytes(row, GAT) / (float(row["peak_mem"]) * MIB) for row in mine], 38)
    yield "  PyG 1.5 made the rows of both ends of every edge and scored them there: five rows per edge and head at once."
    yield "  Scores are summed per node since: three rows per edge at the peak, so 0.7 to 0.8 of the published bytes; less on"
    yield "  coauthor-physics, whose 8,415 columns of features that layer copied."


def _ratio_line(name: str, ratios: list[float], width: int) -> str:
    extremes = f"{min(ratios):.2f}-{max(ratios):.2f}"
    return f"{name:{width}}{len(ratios):6}{statistics.median(ratios):8.2f}{extremes:>14}"


def _sampled(rows: list[Row]) -> Iterator[str]:
    yield f"{'nodes of a sampled batch':24}{'seeds':>10}{'fan-outs':>18}{'published':>12}{'level 1':>12}{'ratio':>7}"
    seen: set[tuple[str, ...]] = set()
    for row in rows:
        fanouts = _fanouts(row)
        if not fanouts or not row["sampled_nodes"] or not row["nodes"]:
            continue
        nodes = int(row["nodes"])
        seeds = _seeds(row["batch"], nodes)
        if (key := (row["dataset"], f"{seeds:.0f}", row["fanout_or_parts"])) in seen:
            continue
        seen.add(key)
        graph = from_counts(nodes, int(row["edges"]), features=1, classes=2, directed=True, name=row["dataset"])
        graph = graph.model_copy(update={"undirected": row["dataset"] != "ogbn-arxiv"})
        counted = sum(hop_sizes(graph, seeds, fanouts).mean_nodes)
        measured = float(row["sampled_nodes"])
        yield (
            f"{row['dataset'][:23]:24}{seeds:10,.0f}{row['fanout_or_parts']:>18}{measured:12,.0f}{counted:12,.0f}"
            f"{counted / measured:7.2f}"
        )
    yield "  Below 1 where real degrees are more even than the log-normal assumed (sigma 1.2), above 1 where communities meet the"
    yield "  same nodes again (com-amazon) or edges lead from few nodes (citations). DGL ([k]*L) expands every node found so far."


def _fanouts(row: Row) -> list[int]:
    text = row["fanout_or_parts"]
    if not text.startswith("[") or "Sampler" not in row["method"]:
        return []
    numbers, _, times = text.partition("*")
    found = [int(one) for one in numbers.strip("[] ").split(",")]
    return found * int(times or 1)


def _seeds(batch: str, nodes: int) -> float:
    number = batch.split()[0]
    return float(number.rstrip("%")) / 100 * nodes if "%" in number else float(number)


def _epochs(rows: list[Row]) -> Iterator[str]:
    yield f"{'epoch on one A100 80GB, s':46}{'published':>11}{'level 1':>20}{'ratio':>8}"
    for row in rows:
        timed = row["source"].startswith("Bajaj") and row["hardware"].startswith("1x A100") and row["time_s"]
        if not timed or not ("Full-Graph" in row["method"] or "NS (DGL)" in row["method"]):
            continue
        forecast = _epoch(row)
        if forecast is None:
            continue
        measured = float(row["time_s"])
        name = (
            f"{row['dataset']} {row['model']} {row['layers']}x{row['hidden']} {row['fanout_or_parts'] or 'full graph'}"
        )
        extremes = f"{forecast.low:.3g}-{forecast.high:.3g}"
        yield f"{name:46}{measured:11.3f}{extremes:>20}{forecast.expected / measured:8.2f}"
    yield "  Published: DGL's kernels, 64 CPU threads for sampling, epochs that include transfers; here PyG's kernels, uncalibrated."


def _epoch(row: Row) -> Any:
    """The forecast's range of seconds; ``None`` where the catalog does not know the graph or an option refuses."""
    full = "Full-Graph" in row["method"]
    architecture = {"GraphSAGE": "sage", "GAT": "gat", "GCN": "gcn"}[row["model"]]
    settings: dict[str, Any] = {"layers": int(row["layers"]), "hidden": int(row["hidden"])}
    if architecture == "gat":
        heads = int(row["heads"] or 1)
        settings |= {"heads": heads, "hidden": int(row["hidden"]) // heads * heads}
    if not full:
        settings |= {"fanouts": tuple(_fanouts(row | {"method": "Sampler"})), "batch_size": int(row["batch"] or 1024)}
    options = {
        Slot.ARCHITECTURE: architecture,
        Slot.SAMPLING: "full_batch" if full else "neighbor",
        Slot.REPRESENTATION: "coo" if architecture == "gat" else "csr",
        Slot.HARDWARE: "cuda",
    }
    try:
        facts = Facts(graph=from_dataset(dataset(row["dataset"].lower())), hardware=machine("a100-80gb"))
        spec = next(iter(proposals(facts, Pins(options, settings))))
    except GnnfitError:
        return None
    return None if isinstance(spec, Refusal) else cost(facts, spec).epoch_seconds


def _rule(rows: list[Row]) -> Iterator[str]:
    found = [row for model in ("GCN", "GAT") for row in peaks(rows, model)]
    times = [float(row["peak_mem"]) * MIB / _data_bytes(row) + 1 for row in found]
    low, high = (_share(times, lambda one: one < MEMORY_LOW), _share(times, lambda one: one > MEMORY_HIGH))
    yield (
        f"4-10x rule alone, device: {len(times)} published full-batch peaks with their data are {min(times):.1f} to "
        f"{max(times):.0f} times the data, median {statistics.median(times):.1f}; "
        f"below 4x {low:.0%}, inside {1 - low - high:.0%}, above 10x {high:.0%}"
    )


def _data_bytes(row: Row) -> float:
    return 16.0 * int(row["edges"]) + 4.0 * int(row["nodes"]) * int(row["features"])


def _share(values: list[float], holds: Callable[[float], bool]) -> float:
    return sum(holds(one) for one in values) / max(len(values), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="published measurements")
    file = parser.parse_args().file
    if not file.is_file():
        sys.exit(f"published.py: a file of published figures must exist, {file} does not. --help names its columns.")
    print("\n".join(report(read(file))))


if __name__ == "__main__":
    main()
