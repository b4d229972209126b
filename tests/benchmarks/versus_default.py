"""Does the winner of a run reach the quality of PyG's defaults in less time?

    python tests/benchmarks/versus_default.py RUN [--repeats 3] [--seconds 120]

Trains PyG's defaults (with the best learning rate that the run found for them) until their stopping rule or the time
limit, then the winner, in turn, each on the whole graph in a fresh child process. Time is wall clock from the first
epoch to the first evaluation at or above the defaults' best validation metric of the same turn, evaluations included.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile

from planner.records import Plan
from planner.render import table
from techniques.job import JobSpec
from tuner.folder import RunFolder
from tuner.ingest import ingest
from tuner.records import Limits, Measurement, WorkRequest
from tuner.runner import Runner
from tuner.scoring import target_seconds


def main() -> None:
    """Print one row per turn and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=120.0)
    arguments = parser.parse_args()
    folder = RunFolder.existing(arguments.run)
    report, plan = folder.finished_report(), Plan.load(folder.plan)
    if report.baseline is None:
        raise SystemExit("the run has no measured baseline")
    graph = ingest(plan.facts.graph.source, folder.graph).path

    def train(spec: JobSpec, target: float | None, seed: int) -> Measurement:
        seeded = spec.model_copy(update={"training": spec.training.model_copy(update={"seed": seed})})
        with tempfile.TemporaryDirectory() as scratch:
            limits = Limits(host_bytes=plan.facts.host_limit_bytes, seconds=arguments.seconds, target=target)
            request = WorkRequest(
                spec=seeded, facts=plan.facts, graph=str(graph), folder=scratch, limits=limits, check_values=False
            )
            return runner.measure(request)

    rows, ratios = [], []
    with Runner() as runner:
        for turn in range(arguments.repeats):
            default = train(report.baseline.spec, None, turn)
            assert default.metric is not None, default.reason
            slow = target_seconds(default, default.metric)
            winner = train(report.winner.spec, default.metric, turn)
            fast = target_seconds(winner, default.metric)
            ratio = fast / slow if fast is not None and slow else float("inf")
            ratios.append(ratio)
            told = f"{fast:.2f}" if fast is not None else f"missed ({winner.metric:.3f})"
            rows.append([str(turn + 1), f"{default.metric:.3f}", f"{slow:.2f}", told, f"{ratio:.2f}"])
    print(f"{report.graph}: winner {report.winner.family} against PyG's defaults")
    header = ["turn", f"target {report.metric_name}", "defaults s", "winner s", "winner/defaults"]
    print("\n".join(table(header, rows)))
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
