"""A finished run in a few lines, read from its ``report.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from planner.quantities import format_bytes, format_seconds
from planner.ranges import range_bytes, range_seconds
from planner.render import table, wrap
from techniques.forecast import Range

NOTHING = ["No finished run yet: start one on the Tune pane (F9), or open one on the Start pane."]
UNFINISHED = ["This run has not finished: the Tune pane shows where it stands."]


def result_lines(folder: Path | None, width: int) -> list[str]:
    """Winner, plan and default side by side; then the files."""
    if folder is None:
        return NOTHING
    if not (folder / "report.json").is_file():
        return UNFINISHED
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        lines = _lines(report)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{folder} has no report that can be read ({type(error).__name__}).", *NOTHING]
    return [wrapped for line in [*lines, "", *_files(folder)] for wrapped in wrap(line, width)]


def _lines(report: dict[str, Any]) -> list[str]:
    winner, final = report["winner"], report["final"]
    metric = report["metric_name"]
    baseline = report.get("baseline")
    columns = [["measured", *_measured(final["measured"])], ["forecast", *_forecast(final["predicted"]["forecast"])]]
    header = ["", "winner", "planned"]
    if baseline:
        columns.append(["measured", *_measured(baseline["measured"])])
        header.append("PyG's defaults")
    titles = ["", f"validation {metric}", f"test {metric}", "one epoch", "peak host memory", "until converged"]
    rows = [[title, *(column[index] for column in columns)] for index, title in enumerate(titles)]
    spent = f"{format_seconds(report['elapsed_seconds'])} of {format_seconds(report['budget_seconds'])}"
    return [
        f"{winner['family']} won on {report['graph']} after {spent}",
        f"why: {winner['reason']}",
        "",
        *table(header, rows),
        "Memory is what training takes beside Python and torch.",
    ]


def _measured(one: dict[str, Any]) -> list[str]:
    return [
        _number(one.get("metric")),
        _number(one.get("test_metric")),
        _said(one.get("epoch_seconds"), format_seconds),
        _said(one.get("peak_host_bytes"), format_bytes),
        _said(one.get("convergence_seconds"), format_seconds),
    ]


def _forecast(forecast: dict[str, Any]) -> list[str]:
    epoch, converged = (Range(**forecast[name]) for name in ("epoch_seconds", "convergence_seconds"))
    return ["-", "-", range_seconds(epoch), range_bytes(Range(**forecast["peak_host_bytes"])), range_seconds(converged)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _said(value: float | None, show) -> str:  # type: ignore[no-untyped-def]
    return "-" if value is None else str(show(value))


FILES = (
    ("report.html", "the report, for a browser"),
    ("final/model.pt", "the trained weights"),
    ("final/predictions.pt", "predictions for all nodes"),
    ("train.py", "the winner as a script of plain PyG"),
    ("command.txt", "the command that makes this run again"),
)


def _files(folder: Path) -> list[str]:
    place = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    there = [f"  {name}: {what}" for name, what in FILES if (folder / name).exists()]
    return [f"Files in {place}", *there]
