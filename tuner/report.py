"""A finished run for people: what won and why, predicted against measured, every trial."""

from __future__ import annotations

from html import escape

from planner.quantities import format_bytes, format_seconds
from planner.records import Candidate, range_bytes, range_seconds
from planner.render import settings_text, table
from techniques.forecast import Phase, Range
from tuner.folder import RunFolder, write_text
from tuner.metric_names import NAMES
from tuner.records import Measurement, Trial, TuneReport
from tuner.scoring import target_seconds

SHOWN_TRIALS = 12


def report_text(report: TuneReport) -> str:
    """The report in text: winner, predicted against measured, trials."""
    final = report.final
    lines = [
        f"{report.graph}: {report.winner.family} won after {format_seconds(report.elapsed_seconds)} "
        f"of {format_seconds(report.budget_seconds)}",
        f"  why: {report.winner.reason}",
        f"  settings: {settings_text(final.predicted)} {_training_text(final.predicted)}",
        f"  validation {report.metric_name}: {_number(final.measured.metric)}, test: {_number(final.measured.test_metric)}"
        f"{_beside(final.measured)}, {final.measured.epochs} epochs, {final.measured.reason}",
        "",
        "Predicted against measured (final training)",
        *comparison(final.predicted, final.measured),
        "",
        "Memory by phase (above the baseline of the process)",
        *phase_table(final.predicted, final.measured),
    ]
    if report.target is not None and any(trial.purpose == "verify" for trial in report.trials):
        lines += ["", f"Time to validation {report.metric_name} {report.target:.3f}", *target_lines(report)]
    lines += ["", "Trials", *trial_table(report.trials)]
    if report.subsample:
        lines += ["", "Searched on a part of the graph", *subsample_lines(report)]
    return "\n".join(lines)


def write_report(folder: RunFolder, report: TuneReport) -> None:
    """``report.json``, ``report.txt`` and ``report.html`` of a run."""
    write_text(folder.path / "report.txt", report_text(report))
    write_text(folder.path / "report.html", report_html(report))
    write_text(folder.report, report.model_dump_json(indent=1))


def measurement_text(candidate: Candidate, measured: Measurement) -> str:
    """One measurement beside its forecast."""
    head = f"{candidate.name} with {settings_text(candidate)}: {measured.state.value}"
    if measured.reason:
        head += f" ({measured.reason})"
    lines = [head, "", *comparison(candidate, measured), "", *phase_table(candidate, measured)]
    if measured.metric is not None:
        said = ", ".join(f"{NAMES[name]} {value:.3f}" for name, value in measured.validation.items())
        lines += [
            "",
            f"validation {measured.metric_name} {measured.metric:.3f} after {measured.epochs} epochs ({said})",
        ]
    if measured.wait_share is not None:
        lines += [f"waited for batches: {measured.wait_share:.0%} of the training time"]
    return "\n".join(lines)


def _beside(measured: Measurement) -> str:
    """The other test metrics that apply."""
    others = [
        f"{NAMES[name]} {value:.3f}" for name, value in measured.test.items() if NAMES[name] != measured.metric_name
    ]
    return f" ({', '.join(others)})" if others else ""


def final_text(measured: Measurement) -> str:
    """One training on the whole graph."""
    lines = [
        f"trained {measured.epochs} epochs, {measured.reason}",
        f"validation {measured.metric_name} {_number(measured.metric)}, test {_number(measured.test_metric)}"
        f"{_beside(measured)}",
        f"epoch {format_seconds(measured.epoch_seconds or 0.0)}, peak host memory {format_bytes(measured.peak_host_bytes)}"
        f" above the {format_bytes(measured.baseline_host_bytes)} of the process",
    ]
    return "\n".join(lines)


def comparison(predicted: Candidate, measured: Measurement) -> list[str]:
    """The four metrics: forecast range, measured value, error."""
    figures = predicted.forecast
    rows = [
        _row(
            "peak host memory",
            range_bytes(figures.peak_host_bytes),
            figures.peak_host_bytes,
            measured.peak_host_bytes,
            format_bytes,
        ),
        _row(
            "epoch", range_seconds(figures.epoch_seconds), figures.epoch_seconds, measured.epoch_seconds, format_seconds
        ),
        _row(
            "FLOPs per epoch",
            _flops_range(figures.flops_per_epoch),
            figures.flops_per_epoch,
            measured.flops_per_epoch,
            _flops,
        ),
    ]
    if figures.peak_device_bytes.expected:
        device = figures.peak_device_bytes
        rows.insert(
            1, _row("peak device memory", range_bytes(device), device, measured.peak_device_bytes, format_bytes)
        )
    converge = figures.epoch_seconds * figures.epochs_to_converge.expected
    rows.append(
        _row(
            "time to converge",
            f"~{format_seconds(converge.expected)}",
            converge,
            measured.convergence_seconds,
            format_seconds,
        )
    )
    return table(["", "predicted", "measured", "expected/measured"], rows)


def _row(name: str, text: str, predicted: Range, measured: float | None, show) -> list[str]:  # type: ignore[no-untyped-def]
    if not measured:
        return [name, text, "-", "-"]
    inside = "" if predicted.low <= measured <= predicted.high else "  outside the range"
    return [name, text, show(measured), f"{predicted.expected / measured:.2f}{inside}"]


def phase_table(predicted: Candidate, measured: Measurement) -> list[str]:
    """Peak host memory and seconds of every phase."""
    rows = []
    for phase in Phase:
        figures, seen = predicted.forecast.phases[phase], measured.phases.get(phase)
        memory = format_bytes(seen.host_peak_bytes) if seen else "-"
        seconds = format_seconds(seen.seconds) if seen else "-"
        rows.append([phase.value, range_bytes(figures.host_peak_bytes), memory, seconds])
    return table(["phase", "predicted", "measured", "spent"], rows)


def target_lines(report: TuneReport) -> list[str]:
    """Winner and PyG's defaults, fastest first."""
    assert report.target is not None
    found = []
    for trial in report.trials:
        if trial.purpose == "verify":
            seconds = target_seconds(trial.measured, report.target)
            told = (
                format_seconds(seconds)
                if seconds is not None
                else f"not reached, best {_number(trial.measured.metric)}"
            )
            found.append((seconds if seconds is not None else float("inf"), f"  {trial.family}: {told}"))
    return [line for _, line in sorted(found)]


def trial_table(trials: tuple[Trial, ...]) -> list[str]:
    """The best trials, then the failed ones."""
    ranked = sorted(trials, key=lambda trial: (trial.score is None, trial.score or 0.0, trial.number))
    rows = [_trial_row(trial) for trial in ranked[:SHOWN_TRIALS]]
    more = [f"  (+{len(trials) - SHOWN_TRIALS} more in the run folder)"] if len(trials) > SHOWN_TRIALS else []
    return table(["trial", "for", "candidate", "settings", "metric", "epoch", "peak memory", "state"], rows) + more


def _trial_row(trial: Trial) -> list[str]:
    measured = trial.measured
    return [
        str(trial.number),
        trial.purpose,
        trial.family,
        f"lr={trial.spec.training.learning_rate:.3g} " + settings_text(trial.predicted),
        _number(measured.metric),
        format_seconds(measured.epoch_seconds) if measured.epoch_seconds else "-",
        format_bytes(measured.peak_host_bytes),
        measured.state.value,
    ]


def subsample_lines(report: TuneReport) -> list[str]:
    """What the part kept of the whole."""
    names = [name.removeprefix("whole_") for name in report.subsample if name.startswith("whole_")]
    rows = [
        [name, _plain(report.subsample[f"whole_{name}"]), _plain(report.subsample[f"part_{name}"])] for name in names
    ]
    return table(["", "whole", "part"], rows)


def report_html(report: TuneReport) -> str:
    """One file, no script, no network: the text report on a page that fits narrow screens."""
    final = report.final.measured
    title = f"{report.graph}: {report.winner.family}"
    cards = [
        ("test " + report.metric_name, _number(final.test_metric)),
        ("validation " + report.metric_name, _number(final.metric)),
        ("epoch", format_seconds(final.epoch_seconds) if final.epoch_seconds else "-"),
        ("peak host memory", format_bytes(final.peak_host_bytes)),
    ]
    boxes = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in cards)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1><p>{escape(report.winner.reason)}</p><section>{boxes}</section>"
        f"<pre>{escape(report_text(report))}</pre></main></body></html>"
    )


STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f6f7f9;color:#16202c}"
    "main{max-width:70rem;margin:auto;padding:1.5rem}h1{font-size:1.4rem;margin:0 0 .5rem;overflow-wrap:anywhere}"
    "section{display:flex;flex-wrap:wrap;gap:.75rem;margin:1rem 0}"
    "section div{background:#fff;border:1px solid #d5dbe3;border-radius:.5rem;padding:.75rem 1rem;flex:1 1 9rem}"
    "section b{display:block;font-size:1.3rem}section span{color:#4a5868}"
    "pre{background:#fff;border:1px solid #d5dbe3;border-radius:.5rem;padding:1rem;overflow-x:auto;font-size:.85rem}"
)


def _training_text(candidate: Candidate) -> str:
    training = candidate.training
    text = f"learning_rate={training.learning_rate:.3g} dropout={training.dropout:g} weight_decay={training.weight_decay:g}"
    text += " precision=bf16" * (training.precision == "bf16") + " checkpoint_layers=true" * training.checkpoint_layers
    count = training.accumulate_batches
    return f"{text} accumulate_batches={count}" if count > 1 else text


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def _flops(value: float) -> str:
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if value >= size:
            return f"{value / size:.3g} {unit}FLOP"
    return f"{value:.0f} FLOP"


def _flops_range(value: Range) -> str:
    return f"{_flops(value.low)} - {_flops(value.high)}"
