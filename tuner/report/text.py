"""A run as text: what won and why, predicted against measured, every trial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from planner.quantities import format_bytes, format_seconds
from planner.ranges import range_bytes
from planner.records import Candidate
from planner.render import settings_text, table, wrap
from tuner.metric_names import NAMES
from tuner.records import Measurement, SearchSummary, Trial, TrialState, TuneReport, Winner
from tuner.report.compared import compared, phases_compared, unmeasured
from tuner.report.told import RunState, Story
from tuner.scoring import target_seconds

SHOWN_TRIALS = 12


def report_text(report: TuneReport) -> str:
    """The report in text: winner, predicted against measured, trials."""
    final = report.final
    lines = [
        f"{report.graph}: {report.winner.family} won after {format_seconds(report.elapsed_seconds)} "
        f"of {format_seconds(report.budget_seconds)}",
        f"  why: {report.winner.reason}",
        f"  settings: {settings_text(final.predicted)} {training_text(final.predicted)}",
        f"  validation {report.metric_name}: {number_text(final.measured.metric)}, test: {number_text(final.measured.test_metric)}"
        f"{_beside(final.measured)}, {final.measured.epochs} epochs, {final.measured.reason}",
        *unvalidated(final.measured),
        *cut_short(report),
        "",
        "Predicted against measured (final training)",
        *comparison(final.predicted, final.measured),
        "",
        "Memory by phase (above the baseline of the process)",
        *phase_table(final.predicted, final.measured),
    ]
    if report.target is not None and any(trial.purpose == "verify" for trial in report.trials):
        lines += ["", f"Time to validation {report.metric_name} {report.target:.3f}", *target_lines(report)]
    if report.search is not None:
        lines += ["", *search_lines(report.search)]
    lines += ["", "Trials", *trial_table(report.trials)]
    if report.subsample and searched_on_part(report.trials):
        lines += ["", "Searched on a part of the graph", *subsample_lines(report)]
    return "\n".join(lines)


def cut_short(report: TuneReport) -> list[str]:
    """What a training that the budget has ended early is known to reach, and how it goes on."""
    same = [one.measured for one in report.trials if one.spec == report.final.spec and one.share == 1.0]
    best = max((one.metric for one in same if one.metric is not None), default=None)
    metric = report.final.measured.metric
    if report.stopped_by_budget and any(one.history == report.final.measured.history for one in same):
        return [
            "  no time was left for the final training: this is what a trial of it reached; gnnfit run RUN trains it"
        ]
    if not report.stopped_by_budget or best is None or metric is None or best <= metric:
        return []
    return [
        f"  the budget ended this training early: a trial of it reached {best:.3f}; gnnfit run RUN goes on from here"
    ]


def unvalidated(measured: Measurement) -> list[str]:
    """What a quality of 0 means that was not measured."""
    if measured.metric or measured.validation:
        return []
    return [
        "  nothing was there to validate on: 0 is no measured quality, and nothing was chosen by quality; label more"
    ]


def state_words(story: Story) -> str:
    """Where a run stands, in a sentence."""
    used = format_seconds(story.elapsed_seconds)
    used += f" of {format_seconds(story.budget_seconds)}" if story.budget_seconds else ""
    if story.state is RunState.FAILED:
        return f"failed after {used}: {story.reason}"
    if story.state is RunState.RUNNING:
        return f"still running, {used} used"
    if story.state is RunState.STOPPED:
        return f"not finished, {used} used; the same command with --resume goes on"
    return f"finished after {used}"


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
            f"validation {measured.metric_name} {measured.metric:.3f} after {measured.epochs} epochs"
            + f" ({said})" * bool(said),
        ]
    if measured.wait_share is not None:
        lines += [f"waited for batches: {measured.wait_share:.0%} of the training time"]
    lines += unmeasured(measured)
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
        f"validation {measured.metric_name} {number_text(measured.metric)}, test {number_text(measured.test_metric)}"
        f"{_beside(measured)}",
        f"epoch {format_seconds(measured.epoch_seconds or 0.0)}, peak host memory {format_bytes(measured.peak_host_bytes)}"
        f" above the {format_bytes(measured.baseline_host_bytes)} of the process",
    ]
    return "\n".join(lines)


def comparison(predicted: Candidate, measured: Measurement) -> list[str]:
    """The four metrics: forecast range, measured value, error."""
    rows = []
    for one in compared(predicted, measured):
        outside = "  outside the range" * (one.inside is False)
        rows.append([one.name, one.words, one.measured_words, one.ratio_words + outside])
    return table(["", "predicted", "measured", "expected/measured"], rows)


def phase_table(predicted: Candidate, measured: Measurement) -> list[str]:
    """Peak host memory and seconds of every phase."""
    rows = []
    for one in phases_compared(predicted, measured):
        memory = "-" if one.measured_bytes is None else format_bytes(one.measured_bytes)
        seconds = "-" if one.seconds is None else format_seconds(one.seconds)
        rows.append([one.phase.value, range_bytes(one.predicted), memory, seconds, one.outside_words])
    return table(["phase", "predicted", "measured", "spent", ""], rows)


def target_lines(report: TuneReport) -> list[str]:
    """Winner and PyG's defaults, fastest first."""
    missed = {"-": "not measured to its end"}
    return [
        f"  {name}: {seconds if seconds != '-' else missed.get(best, f'not reached, best {best}')}"
        for name, seconds, best in verified_rows(report.trials, report.target, report.winner)
    ]


def verified_rows(trials: Sequence[Trial], target: float | None, winner: Winner | None) -> list[list[str]]:
    """Verified candidates with their seconds to the target and their best metric, fastest first.

    A winner that no time was left to verify stands among them with what the search measured. Where a name repeats, its
    learning rate and the trial in the table say which is which.
    """
    verified = [trial for trial in trials if trial.purpose == "verify" and target is not None]
    if verified and winner is not None and all(trial.spec != winner.spec for trial in verified):
        searched = [one for one in trials if one.spec == winner.spec and one.share == 1.0 and one.score is not None]
        verified += sorted(searched, key=lambda one: one.score or 0.0)[:1]
    families = Counter(trial.family for trial in verified)
    found = []
    for trial in verified:
        seconds = target_seconds(trial.measured, target or 0.0)
        told = "-" if seconds is None else format_seconds(seconds)
        place = float("inf") if seconds is None else seconds
        name = trial.family
        if families[name] > 1:
            name += f" (learning rate {trial.spec.training.learning_rate:.3g}, trial {trial.number})"
        if trial.purpose != "verify":
            name += ", not verified"
        found.append((place, [name, told, number_text(trial.measured.metric)]))
    return [row for _, row in sorted(found)]


def trial_table(trials: tuple[Trial, ...]) -> list[str]:
    """The best trials, then the failed ones."""
    ranked = sorted(trials, key=lambda trial: (trial.score is None, trial.score or 0.0, trial.number))
    shown = ranked[:SHOWN_TRIALS]
    header, rule, *rows = table(TRIAL_COLUMNS, [_trial_row(trial) for trial in shown])
    lines = [line for row, trial in zip(rows, shown, strict=True) for line in (row, *_what_was_tried(trial))]
    more = [f"  (+{len(trials) - SHOWN_TRIALS} more in the run folder)"] if len(trials) > SHOWN_TRIALS else []
    return [header, rule, *lines, *more]


TRIAL_COLUMNS = ("trial", "for", "metric", "epoch", "peak memory", "end")


def _what_was_tried(trial: Trial) -> list[str]:
    """Below the figures: both in one row would not fit a screen."""
    settings = f"lr={trial.spec.training.learning_rate:.3g} {settings_text(trial.predicted)}"
    return wrap(f"       {trial.family} {settings}", 80)


def _trial_row(trial: Trial) -> list[str]:
    measured = trial.measured
    return [
        str(trial.number),
        trial.purpose,
        number_text(measured.metric),
        format_seconds(measured.epoch_seconds) if measured.epoch_seconds else "-",
        format_bytes(measured.peak_host_bytes) if measured.peak_host_bytes else "-",
        ended(measured),
    ]


def ended(measured: Measurement) -> str:
    """Why a training ended that was measured to its end, such as ``stopped by race``; else its state."""
    complete = measured.state is TrialState.COMPLETE
    return (complete and measured.reason) or measured.state.value.replace("_", " ")


def search_lines(search: SearchSummary) -> list[str]:
    """Rungs, cheapest first, and why the search stopped."""
    header = ["share of the graph", "trains at most", "trials", "took"]
    rows = [
        [f"{one.share:.0%}", format_seconds(one.seconds), str(one.trials), format_seconds(one.spent_seconds)]
        for one in search.rungs
    ]
    until = ", ".join(f"{stage} until {share:.0%}" for stage, share in search.shares.items())
    return [
        "; ".join([f"Search stopped: {search.stopped}", *search.left_out()]),
        *table(header, rows),
        f"Of the budget: {until}",
    ]


def searched_on_part(trials: Iterable[Trial]) -> bool:
    """Whether anything was measured on the part that was made."""
    return any(one.share < 1.0 for one in trials)


def subsample_lines(report: TuneReport) -> list[str]:
    """What the part kept of the whole."""
    return table(["", "whole", "part"], part_rows(report.subsample))


def part_rows(subsample: Mapping[str, float | str]) -> list[list[str]]:
    """Each property of the whole graph, and of the part."""
    names = [name.removeprefix("whole_") for name in subsample if name.startswith("whole_")]
    return [[name, plain_text(subsample[f"whole_{name}"]), plain_text(subsample[f"part_{name}"])] for name in names]


def training_text(candidate: Candidate) -> str:
    training = candidate.training
    text = f"learning_rate={training.learning_rate:.3g} dropout={training.dropout:g} weight_decay={training.weight_decay:g}"
    text += " precision=bf16" * (training.precision == "bf16") + " checkpoint_layers=true" * training.checkpoint_layers
    count = training.accumulate_batches
    return f"{text} accumulate_batches={count}" if count > 1 else text


def number_text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def plain_text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
