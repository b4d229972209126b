"""The tables of ``accuracy.py``."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations

from accuracy_rows import LEVELS, PEAKS, Row, numbers

from planner.rules import MEMORY_HIGH, MEMORY_LOW
from techniques.forecast import Phase

SMALL, LARGE = 100e6, 500e6
LIMITS = (0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2.0)
"""Memory limits as multiples of the measured peak."""
WIDTH = 44


def report(rows: list[Row]) -> str:
    """Everything that the issue of this benchmark asks for, and where it is lost."""
    measured = [numbers(row) for row in rows if row["state"] == "complete"]
    if not measured:
        return "nothing measured"
    sizeable = [row for row in measured if row["measured"] >= SMALL]
    judged = sizeable or measured
    small = [row for row in measured if row["measured"] < SMALL]
    large = share(row["measured"] >= LARGE for row in measured)
    lines = [
        f"{len(rows)} candidates, {len(measured)} measured, {len(rows) - len(measured)} excluded; "
        f"{len({row['graph'] for row in measured})} graphs; {large:.0%} of the measured peak above 500 MB",
        "",
        _head("peak host memory"),
        *_memory("measured 100 MB and more", sizeable),
        *_memory("measured below 100 MB", small),
        *_memory("all", measured),
        *_phases(measured),
        f"{'peak device memory':{WIDTH}}not measured",
        *(["level 3: this machine is not calibrated (gnnfit calibrate), so it is level 2"] if _uncalibrated(measured) else []),
        "",
        *(line for name in ("sampling", "architecture", "representation", "features", "kind", "measured_phase")
          for line in _parts(name, judged)),
        "",
        *_decisions(judged),
        "",
        *_times(measured),
        "",
        *_flops(measured),
        "",
        *_rule(judged),
        "",
        *_planning(measured),
    ]  # fmt: skip
    return "\n".join(lines)


def share(values: Iterable[bool]) -> float:
    """How many of them hold, 0 to 1."""
    found = list(values)
    return sum(found) / max(len(found), 1)


def tail(values: Iterable[float]) -> float:
    """95th percentile."""
    ordered = sorted(values)
    return ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)]


def _uncalibrated(rows: list[Row]) -> bool:
    return all(row["calibrated_epoch_expected"] == row["graph_epoch_expected"] for row in rows)


def _head(title: str) -> str:
    return f"{title:{WIDTH}}{'rows':>6}{'median':>9}{'95th':>8}{'above':>8}{'inside':>8}{'high/low':>10}"


def _memory(title: str, rows: list[Row]) -> Iterator[str]:
    if rows:
        yield from (_errors(f"{title}, level {number}", rows, level) for number, level in enumerate(LEVELS, start=1))


def _errors(title: str, rows: list[Row], level: str) -> str:
    errors = [abs(row[f"{level}_expected"] / row["measured"] - 1) for row in rows]
    above = share(row["measured"] > row[f"{level}_high"] for row in rows)
    inside = share(row[f"{level}_low"] <= row["measured"] <= row[f"{level}_high"] for row in rows)
    width = statistics.median(row[f"{level}_high"] / max(row[f"{level}_low"], 1.0) for row in rows)
    return (
        f"{title:{WIDTH}}{len(rows):6}{statistics.median(errors):9.1%}{tail(errors):8.1%}"
        f"{above:8.1%}{inside:8.0%}{width:10.2f}"
    )


def _phases(rows: list[Row]) -> Iterator[str]:
    """The budget of each phase, small graphs among them."""
    for phase in Phase:
        seen = [row for row in rows if row[f"{phase.value}_measured"]]
        if seen:
            yield _errors(f"  phase {phase.value}, level 2", [_of_phase(row, phase.value) for row in seen], "graph")


def _of_phase(row: Row, phase: str) -> Row:
    return {"measured": row[f"{phase}_measured"]} | {f"graph_{end}": row[f"{phase}_{end}"] for end in PEAKS}


def _parts(name: str, rows: list[Row]) -> Iterator[str]:
    for value in sorted({row[name] for row in rows}):
        yield _errors(f"  {name} {value}, level 2", [row for row in rows if row[name] == value], "graph")


def _decisions(rows: list[Row]) -> Iterator[str]:
    """Called fitting where it does not fit, or not fitting where it does."""
    yield f"{'limit / measured peak':{WIDTH}}" + "".join(f"{limit:>7}" for limit in LIMITS)
    for number, level in enumerate(LEVELS, start=1):

        def alone(row: Row, limit: float, level: str = level) -> bool:
            return bool(row[f"{level}_high"] <= limit * row["measured"])

        def whole(row: Row, limit: float, level: str = level) -> bool:
            return bool(
                row[f"{level}_baseline_high"] + row[f"{level}_high"] <= limit * (row["baseline"] + row["measured"])
            )

        yield from _fitting(f"called fitting, level {number}", rows, alone)
        yield from _fitting("  the same with the baseline in both", rows, whole)


def _fitting(title: str, rows: list[Row], fits: Callable[[Row, float], bool]) -> Iterator[str]:
    said = {limit: share(fits(row, limit) for row in rows) for limit in LIMITS}
    yield f"{title:{WIDTH}}" + "".join(f"{said[limit]:7.1%}" for limit in LIMITS)
    false_fits = statistics.mean(said[limit] for limit in LIMITS if limit < 1)
    refusals = statistics.mean(1 - said[limit] for limit in LIMITS if limit > 1)
    yield f"{'':{WIDTH}}false fits {false_fits:.1%}, false refusals {refusals:.1%}"


def _times(rows: list[Row]) -> Iterator[str]:
    timed = [row for row in rows if row["epoch_seconds"] > 0]
    if not timed:
        return
    yield f"{'epoch time':{WIDTH}}{'rows':>6}{'median factor':>15}{'error':>8}{'inside':>8}{'tau':>7}"
    for number, level in enumerate(LEVELS, start=1):
        ratios = [row[f"{level}_epoch_expected"] / row["epoch_seconds"] for row in timed]
        factor = math.exp(statistics.median(abs(math.log(max(one, 1e-9))) for one in ratios))
        error = statistics.median(abs(one - 1) for one in ratios)
        inside = share(row[f"{level}_epoch_low"] <= row["epoch_seconds"] <= row[f"{level}_epoch_high"] for row in timed)
        by_graph = [_tau([row for row in timed if row["graph"] == name], level) for name in {r["graph"] for r in timed}]
        taus = [one for one in by_graph if one is not None]
        tau = statistics.mean(taus) if taus else math.nan
        yield f"{f'  level {number}':{WIDTH}}{len(timed):6}{factor:15.2f}{error:8.0%}{inside:8.0%}{tau:7.2f}"


def _tau(rows: list[Row], level: str) -> float | None:
    """Kendall's tau-a of forecast and measured epoch times; ``None`` below four rows."""
    if len(rows) < 4:
        return None
    signs = [
        _sign(one["epoch_seconds"], other["epoch_seconds"])
        * _sign(one[f"{level}_epoch_expected"], other[f"{level}_epoch_expected"])
        for one, other in combinations(rows, 2)
    ]
    return sum(signs) / len(signs)


def _sign(one: float, other: float) -> int:
    return (one > other) - (one < other)


def _flops(rows: list[Row]) -> Iterator[str]:
    counted = [row for row in rows if row["flops_counted"] > 0]
    exact = share(row["flops_counted"] == row["flops_formula"] for row in counted)
    yield f"FLOPs of dense products against FlopCounterMode: {len(counted)} batches counted, {exact:.0%} exact"
    for row in counted:
        if row["flops_counted"] != row["flops_formula"]:
            ratio = row["flops_formula"] / row["flops_counted"]
            yield f"  {row['graph']} {row['architecture']} {row['sampling']} {row['settings']}: {ratio:.4f}"


def _rule(rows: list[Row]) -> Iterator[str]:
    """What "4 to 10 times the data" alone would have said."""
    times = [(row["baseline"] + row["measured"]) / row["data_bytes"] for row in rows]
    low, high = share(one < MEMORY_LOW for one in times), share(one > MEMORY_HIGH for one in times)
    yield (
        f"4-10x rule alone, host: baseline + peak is {min(times):.1f} to {max(times):.0f} times the data, median "
        f"{statistics.median(times):.1f}; below 4x {low:.0%}, inside {1 - low - high:.0%}, above 10x {high:.0%}"
    )
    for factor in (MEMORY_LOW, MEMORY_HIGH):

        def enough(row: Row, limit: float, factor: int = factor) -> bool:
            return bool(factor * row["data_bytes"] <= limit * (row["baseline"] + row["measured"]))

        yield from _fitting(f'  "fits" from {factor}x on', rows, enough)
    yield "4-10x rule alone, device: not measured here; against published peaks: tests/benchmarks/published.py"


def _planning(rows: list[Row]) -> Iterator[str]:
    for number, level in enumerate(LEVELS[:2], start=1):
        seconds = {row["graph"]: row[f"{level}_plan_seconds"] for row in rows}
        slowest = max(seconds, key=lambda name: seconds[name])
        yield (
            f"a whole plan at level {number}: median {statistics.median(seconds.values()) * 1e3:.0f} ms, "
            f"at most {seconds[slowest] * 1e3:.0f} ms ({slowest})"
        )
