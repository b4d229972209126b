"""Stands in for ``gnnfit tune``: the files that a run leaves, in a moment. ``dies``, ``slow`` or anything else as GRAPH."""

from __future__ import annotations

import fcntl
import json
import sys
import time
from pathlib import Path

EVENTS = (
    {"event": "planned", "verdict": "fits", "best": "sage/full_batch/csr/cpu"},
    {"event": "trial_started", "number": 1, "purpose": "search", "family": "sage/full_batch/csr/cpu"},
    {"event": "trial_finished", "number": 1, "purpose": "search", "family": "sage/full_batch/csr/cpu", "state": "complete",
     "reason": None, "metric": 0.75, "epoch_seconds": 0.02, "peak_host_bytes": 2**24},
    {"event": "trial_started", "number": 2, "purpose": "search", "family": "gat/full_batch/coo/cpu"},
    {"event": "trial_finished", "number": 2, "purpose": "search", "family": "gat/full_batch/coo/cpu",
     "state": "out_of_memory", "reason": "used 9 GiB, limit 8 GiB", "metric": None, "epoch_seconds": None,
     "peak_host_bytes": 2**33},
)  # fmt: skip
LAST = (
    {"event": "winner", "family": "sage/full_batch/csr/cpu", "reason": "reaches validation 0.750 in 0.40 s"},
    {"event": "final_started", "family": "sage/full_batch/csr/cpu", "seconds": 3.0},
    *(
        {"event": "epoch", "epoch": number, "loss": 1.0, "metric": 0.5 + number / 10, "best": 0.8}
        for number in (1, 2, 3)
    ),
    {"event": "finished", "folder": "RUN"},
)
FORECAST = {
    "epoch_seconds": {"low": 0.01, "expected": 0.025, "high": 0.05},
    "peak_host_bytes": {"low": 1e7, "expected": 2e7, "high": 3e7},
    "convergence_seconds": {"low": 0.8, "expected": 3.75, "high": 12.5},
}
MEASURED = {
    "metric": 0.8,
    "test_metric": 0.7,
    "epoch_seconds": 0.02,
    "peak_host_bytes": 2**24,
    "convergence_seconds": 3.0,
}
REPORT = {
    "graph": "karate",
    "metric_name": "accuracy",
    "budget_seconds": 20.0,
    "elapsed_seconds": 12.0,
    "winner": {"family": "sage/full_batch/csr/cpu", "reason": "reaches validation 0.750 in 0.40 s"},
    "final": {"measured": MEASURED, "predicted": {"forecast": FORECAST}},
    "baseline": {"measured": {**MEASURED, "epoch_seconds": 0.08, "test_metric": None}},
}


def main() -> None:
    """``tune GRAPH --out RUN [--resume]``, or ``export RUN``."""
    words = sys.argv[2:]
    if sys.argv[1] == "export":
        export(Path(words[0]))
        return
    graph, out = words[0], Path(words[words.index("--out") + 1])
    out.mkdir(parents=True, exist_ok=True)
    print("[    0s/20s] run folder", out, flush=True)
    with (out / "run.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (out / "spec.toml").write_text("graph = 'karate'\n")
        (out / "command.txt").write_text(f"gnnfit tune {graph} --out {out}\n")
        with (out / "events.jsonl").open("a") as log:
            write(log, {"event": "started", "graph": "karate", "budget_seconds": 20.0, "folder": str(out)}, 0.1)
            for place, event in enumerate(EVENTS):
                write(log, event, 1.0 + place)
            trial = out / "trials" / "0001"
            trial.mkdir(parents=True, exist_ok=True)
            (trial / "trial.json").write_text(json.dumps({"predicted": {"forecast": FORECAST}}))
            if graph == "dies":
                print("Traceback: no more disk", flush=True)
                sys.exit(1)
            if graph == "slow" and "--resume" not in words:
                time.sleep(60)
            for place, event in enumerate(LAST):
                write(log, event, 10.0 + place / 10)
        (out / "report.json").write_text(json.dumps(REPORT))
        (out / "report.html").write_text("<html></html>")


def export(run: Path) -> None:
    if not (run / "events.jsonl").exists():
        sys.exit("no such winner")
    (run / "train.py").write_text("pass")
    print(run / "train.py")


def write(log, event, seconds) -> None:  # type: ignore[no-untyped-def]
    log.write(json.dumps({**event, "elapsed_seconds": seconds}) + "\n")
    log.flush()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
