"""A plan as text that a person reads in ten seconds."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence

from planner.quantities import format_bytes, format_seconds
from planner.ranges import range_bytes, range_seconds
from planner.records import Candidate, Plan, Rejected, Verdict
from planner.typed import type_lines
from techniques.base import Slot
from techniques.facts import GraphFacts, HardwareFacts, Origin, Task
from techniques.forecast import Phase
from techniques.representation.unit_rows import UNIT_ROWS

SHOWN_ALTERNATIVES = 2
SHOWN_REFUSED = 6
HEADLINES = {
    Verdict.FITS: "FITS",
    Verdict.FITS_WITH_CHANGES: "FITS WITH CHANGES",
    Verdict.DOES_NOT_FIT: "DOES NOT FIT",
}


def plan_text(plan: Plan, width: int | None = None) -> str:
    """Verdict first, then the table, then why, refused, rules."""
    width = width or shutil.get_terminal_size((100, 24)).columns
    lines = [
        graph_line(plan.facts.graph),
        machine_line(plan),
        *(f"  ! {note}" for note in plan.facts.hardware.notes if note.startswith(("calibrat", "history"))),
        "",
        f"{verdict_words(plan)}: {headline(plan)}",
    ]
    if plan.best is not None:
        lines += ["", *candidate_table(plan, width)]
        lines += ["", "Budgets of the best, above the baseline of the process", *budget_lines(plan.best)]
        lines += ["", "Why the best"]
        lines += [f"  {reason.fact} {reason.value}: {reason.text} ({reason.source})" for reason in plan.best.reasons]
        lines += [f"  ! {warning}" for warning in plan.best.warnings]
    if plan.rejected:
        lines += ["", "Refused"]
        lines += refused_lines(plan.rejected)
    lines += ["", "Rules"]
    lines += [f"  {rule.name}: {rule.verdict} ({rule.value})" for rule in plan.rules]
    lines += ["", *type_lines(plan.facts.graph)] if plan.facts.graph.edge_types else []
    if notes := graph_notes(plan.facts.graph):
        lines += ["", "Notes on the graph", *(f"  {note}" for note in notes)]
    return "\n".join(wrapped for line in lines for wrapped in wrap(line, width))


def verdict_words(plan: Plan) -> str:
    """The verdict in capitals; where every combination is refused by an option, memory is not what is short."""
    return "CANNOT BE USED" if plan.best is None and plan.nearest is None else HEADLINES[plan.verdict]


def headline(plan: Plan) -> str:
    """One sentence: what to do, or what is nearest."""
    if plan.best is None:
        if plan.nearest is None:
            return "; ".join(unusable(plan))
        near = plan.nearest
        return f"{near.name} comes nearest, {format_bytes(near.needs_bytes)} of {format_bytes(near.has_bytes)}; {near.change}"
    best = plan.best
    peak = format_bytes(int(best.forecast.baseline_host_bytes.expected + best.forecast.peak_host_bytes.expected))
    text = f"{best.name} with {settings_text(best)}; about {peak} of host memory"
    if best.forecast.peak_device_bytes.expected:
        text += f" and {format_bytes(int(best.forecast.peak_device_bytes.expected))} on the device"
    return text


def unusable(plan: Plan) -> tuple[str, str]:
    """Where options refuse every combination: the reason that most of them share, and what the user may change."""
    shared = Counter(one.reason for one in plan.rejected).most_common(1)
    pinned = {slot.value: name for slot, name in plan.pinned_options.items()}
    if plan.facts.model.architecture is not None:
        pinned.setdefault(Slot.ARCHITECTURE.value, plan.facts.model.architecture)
    fixed = ", ".join(f"{slot}={name}" for slot, name in pinned.items())
    remedy = f"or unpin {fixed}" if fixed else "or another goal"
    return shared[0][0] if shared else "there is no combination of options", f"change what this names, {remedy}"


UNTOLD = ("trim", "prefetch", "threads")
HUB_TIMES = 100
"""A degree of so many times the mean is told."""
EACH = {Phase.TRAIN: " an epoch", Phase.EVALUATE: " each time"}
USUAL = {"node_order": "as_given", "aggregator": "mean"}
"""Settings that go without saying, and values that do."""


def settings_text(candidate: Candidate) -> str:
    """The settings that matter, short."""
    own = candidate.options[Slot.ARCHITECTURE] == "custom"  # its rows are never scaled
    untold = (*UNTOLD, UNIT_ROWS) if own else UNTOLD
    shown = {
        name: value for name, value in candidate.settings.items() if name not in untold and value != USUAL.get(name)
    }
    return " ".join(f"{name}={_value(value)}" for name, value in shown.items())


def _value(value: object) -> str:
    return ",".join(str(one) for one in value) if isinstance(value, tuple) else str(value)


def candidate_table(plan: Plan, width: int) -> list[str]:
    """Best, alternatives and PyG's defaults in rows; where these are too long, in rows of two lines."""
    shown = plan.candidates[: 1 + SHOWN_ALTERNATIVES]
    device = any(one.forecast.needs_device_bytes for one in shown)
    header = ["", "candidate", "host memory", *(["device memory"] if device else []), "epoch", "to converge"]
    rows = [_row("best" if index == 0 else f"alt {index}", one, device) for index, one in enumerate(shown)]
    if plan.baseline is not None:
        rows.append(_row("default", plan.baseline, device))
    hidden = len(plan.candidates) - len(shown)
    more = [f"  (+{hidden} more fit: --json lists them)"] if hidden > 0 else []
    lines = table(header, rows)
    return (lines if max(map(len, lines)) <= width else folded(header, rows)) + more


def budget_lines(best: Candidate) -> list[str]:
    """Memory and seconds phase by phase; making batches is a part of training."""
    figures, rows = best.forecast, []
    device = bool(figures.needs_device_bytes)
    for phase, one in figures.phases.items():
        on_device = [range_bytes(one.device_peak_bytes) if one.device_peak_bytes.high else "-"] if device else []
        seconds = range_seconds(one.seconds) + EACH.get(phase, "") if one.seconds.high else "-"
        rows.append([phase.value, range_bytes(one.host_peak_bytes), *on_device, seconds])
        if phase is Phase.TRAIN and figures.loader is not None:
            making = f"{range_seconds(figures.loader.seconds)} beside the steps"
            on_device = [range_bytes(figures.loader.device_bytes)] if device else []
            rows.append(["  loader", range_bytes(figures.loader.host_bytes), *on_device, making])
    header = ["phase", "host memory", *(["device memory"] if device else []), "seconds"]
    return [f"  {line}" for line in table(header, rows)]


def folded(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The same columns with figures below names, for narrow screens."""
    names = table(header[:2], [row[:2] for row in rows])
    figures = [f"    {line}" for line in table(header[2:], [row[2:] for row in rows])]
    pairs = [line for place, pair in enumerate(zip(names, figures, strict=True)) if place != 1 for line in pair]
    return [*pairs[:2], "-" * max(map(len, pairs)), *pairs[2:]]


def _row(rank: str, candidate: Candidate, device: bool) -> list[str]:
    figures = candidate.forecast
    host = figures.baseline_host_bytes + figures.peak_host_bytes
    device_cell = [range_bytes(figures.peak_device_bytes) if figures.needs_device_bytes else "-"] if device else []
    return [
        rank,
        candidate.name,
        range_bytes(host),
        *device_cell,
        range_seconds(figures.epoch_seconds),
        f"~{format_seconds(figures.convergence_seconds.expected)}",
    ]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns padded to their widest cell."""
    everything = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in everything) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in everything
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def refused_lines(rejected: Sequence[Rejected], more_at: str = "--json lists them") -> list[str]:
    """One line each; combinations refused for the same reason share one. ``more_at`` says where the rest stands."""
    by_reason: dict[str, list[str]] = {}
    for one in rejected:
        by_reason.setdefault(one.reason, []).append(one.name)
    lines = []
    for reason, names in list(by_reason.items())[:SHOWN_REFUSED]:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        lines.append(f"  {names[0]}{more}: {reason}")
    hidden = len(by_reason) - SHOWN_REFUSED
    return [*lines, f"  (+{hidden} more reasons: {more_at})"] if hidden > 0 else lines


def graph_line(graph: GraphFacts) -> str:
    """The graph in one line."""
    kind = f"{graph.num_edges:,} stored edges ({'undirected' if graph.undirected else 'directed'})"
    features = f"{graph.features.width} features"
    if graph.features.generated:
        features = "no features (log-degree and a constant stand in)"
    elif graph.source is not None and not graph.features.values_checked:
        features += " (values unchecked)"
    parts = [
        f"{graph.name}: {f'{graph.num_graphs:,} graphs, ' if graph.num_graphs > 1 else ''}{graph.num_nodes:,} nodes, {kind}",
        f"mean degree {graph.mean_degree:.1f}",
        features,
        _predicted(graph),
        f"data {format_bytes(graph.dataset_bytes)}",
        graph.origin.value,
    ]
    return ", ".join(parts)


def _predicted(graph: GraphFacts) -> str:
    if graph.task is Task.LINK:
        return "edges to predict"
    labels = graph.labels
    return f"{labels.num_targets} targets" if labels.num_targets else f"{labels.num_classes} classes"


def graph_notes(graph: GraphFacts) -> list[str]:
    """What is unusual about the structure of a graph that was read, then what was noted while reading it."""
    odd = [
        f"{count:,} {name}"
        for count, name in ((graph.isolated, "nodes without edges"), (graph.self_loops, "self-loops"))
        if count
    ]
    if graph.origin is Origin.MEASURED and graph.degrees.max >= HUB_TIMES * graph.mean_degree:
        odd.append(f"a node with {graph.degrees.max:,} neighbours")
    return [*([", ".join(odd)] if odd else []), *graph.notes]


def machine_line(plan: Plan) -> str:
    """The machine and its limits in one line."""
    hardware: HardwareFacts = plan.facts.hardware
    text = f"{hardware.name}: {hardware.cores} core{'s' * (hardware.cores != 1)}, {format_bytes(plan.facts.host_limit_bytes)} of host memory usable"
    text += f", calibrated {hardware.calibration.date[:10]}" if hardware.calibration else ""
    if kinds := len(plan.facts.corrections):
        text += f", {kinds} kind{'s' * (kinds > 1)} of candidates corrected by history"
    if hardware.gpus:
        count, each = len(hardware.gpus), ""
        if count > 1:
            text, each = f"{text}, {count} x", " each"
        return f"{text}{',' * (count == 1)} {hardware.gpus[0].name} with {format_bytes(plan.facts.device_limit_bytes)}{each}"
    return f"{text}, no GPU"


def wrap(line: str, width: int) -> list[str]:
    """Break a long line at spaces; continuation lines are indented."""
    if len(line) <= width:
        return [line]
    if not line.strip("-"):
        return [line[:width]]
    import textwrap

    lead = len(line) - len(line.lstrip())
    return textwrap.wrap(
        line.strip(),
        max(width, 30),
        initial_indent=" " * lead,
        subsequent_indent=" " * (lead + 4),
        break_long_words=False,
    )
