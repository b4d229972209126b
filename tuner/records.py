"""What was measured: trial states, the four metrics of one candidate, and the report of a whole run."""

from __future__ import annotations

from enum import StrEnum

from planner.records import Candidate
from techniques.facts import Facts
from techniques.forecast import Phase
from techniques.job import JobSpec
from techniques.record import Record
from tuner.race import Race

SCHEMA_VERSION = 1
MAX_EPOCHS_BETWEEN_EVALUATIONS = 10


class TrialState(StrEnum):
    """How a measurement ended."""

    COMPLETE = "complete"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    KILLED = "killed"
    FAILED = "failed"

    @property
    def infeasible(self) -> bool:
        """Not a fault of the program: the search should avoid the region, not forget it."""
        return self in (TrialState.OUT_OF_MEMORY, TrialState.TIMED_OUT, TrialState.KILLED)


class Limits(Record):
    """What a measurement may use; memory is the process tree's, baseline included."""

    host_bytes: int
    seconds: float
    epochs: int | None = None
    target: float | None = None
    """Stop once the validation metric reaches this."""
    race: Race | None = None
    """Stop once what others have learnt is out of reach."""
    wall_seconds: float | None = None
    """From the start of the child, whatever it does: then it is killed."""


class WorkRequest(Record):
    """One measurement: everything the child is told."""

    spec: JobSpec
    facts: Facts
    graph: str
    """Folder of ``.npy`` files."""
    folder: str
    """Where the trial may write."""
    limits: Limits
    checkpoint: bool = False
    save: bool = False
    """Keep the model, test metrics and predictions."""
    check_values: bool = True
    evaluate_every: int | None = None
    """Epochs between evaluations; by default as many as keep evaluating from taking longer than training, by the clock."""


class Evaluation(Record):
    """Validation after an epoch; ``seconds`` since the first epoch began, evaluation included."""

    epoch: int
    seconds: float
    loss: float
    metric: float


class PhaseMeasurement(Record):
    """Peaks above the baseline, and seconds; ``train`` and ``evaluate`` are totals over the run."""

    host_peak_bytes: int
    device_peak_bytes: int | None = None
    """``None`` on a GPU: torch reports one peak for the whole run."""
    seconds: float


class Measurement(Record):
    """The four metrics of one candidate: memory, time per epoch, FLOPs and convergence; and what it learnt."""

    schema_version: int = SCHEMA_VERSION
    state: TrialState
    reason: str | None = None
    """Why it is not complete, or how training stopped."""
    remedy: str | None = None
    """What the user can do about a failure; ``None`` where the fault is not the user's."""
    baseline_host_bytes: int = 0
    peak_host_bytes: int = 0
    peak_device_bytes: int = 0
    mapped_peak_bytes: int = 0
    epoch_seconds: float | None = None
    flops_per_epoch: float | None = None
    gemm_flops_per_epoch: float | None = None
    aggregation_flops_per_epoch: float | None = None
    thop_macs_forward: float | None = None
    convergence_seconds: float | None = None
    """From the first epoch until the stopping rule held; ``None`` where it did not."""
    stopping_rule: str = ""
    target_seconds: float | None = None
    """From the first epoch until the target was reached."""
    epochs: int = 0
    wait_share: float | None = None
    """Share of training in which the trainer waited for batches."""
    sample_seconds: float = 0.0
    """Of the training: waited for batches."""
    transfer_seconds: float = 0.0
    """Of the training: moved batches to the device, as the host sees it."""
    metric_name: str = "accuracy"
    metric: float | None = None
    """Best validation metric."""
    validation: dict[str, float] = {}
    """Every metric that applies, at the best evaluation: accuracy, macro_f1, auroc, average_precision, mrr, ..."""
    test: dict[str, float] = {}
    """The same of the test split, for a kept model."""
    test_metric: float | None = None
    test_macro_f1: float | None = None
    phases: dict[Phase, PhaseMeasurement] = {}
    history: tuple[Evaluation, ...] = ()
    wall_seconds: float = 0.0

    @property
    def lost_race(self) -> bool:
        """Whether it was stopped as too far behind others of its age, or from its target: what it reaches in the end is not known."""
        return self.reason == "stopped by race"


class MeasuredCandidate(Measurement):
    """A measurement with what was measured: its name, settings and forecast."""

    candidate: Candidate
    notes: tuple[str, ...] = ()
    """What was not measured, and why."""


class Trial(Record):
    """One measured candidate of a run."""

    number: int
    purpose: str
    """baseline, search, verify or final."""
    family: str
    """The candidate of the plan that it is a variant of."""
    spec: JobSpec
    predicted: Candidate
    measured: Measurement
    score: float | None = None
    share: float = 1.0
    """Of the graph that it saw."""
    rung: int | None = None
    """Of the search's ladder, 0 is the cheapest; ``None`` beside the search."""
    limit_seconds: float | None = None


class Winner(Record):
    """What won, and why."""

    family: str
    spec: JobSpec
    reason: str


class RungSummary(Record):
    """One rung of the search: trials of a share of the graph and a limit of training seconds."""

    share: float
    seconds: float
    trials: int
    spent_seconds: float


class SearchSummary(Record):
    """What the search did, and why it stopped."""

    stopped: str
    rungs: tuple[RungSummary, ...]
    lost: int = 0
    """Trials that were stopped as too far behind others of their age, or from their target."""
    skipped: int
    """Points that the forecast showed not to fit: never measured."""
    late: int = 0
    """Points whose first evaluation would have come after a better one had reached the target, by forecast."""

    def left_out(self) -> tuple[str, ...]:
        """What was cut short or never measured, and why."""
        told = (
            (
                self.lost,
                "trial",
                "stopped: others had learnt far more at their age, or they could not come to the target in time",
            ),
            (self.skipped, "point", "left out: by forecast they do not fit"),
            (self.late, "point", "left out: by forecast they come too late to win"),
        )
        return tuple(f"{count} {what}{'s were' if count > 1 else ' was'} {why}" for count, what, why in told if count)

    shares: dict[str, float]
    """Of the budget, by stage: until when."""


class TuneReport(Record):
    """A finished run."""

    schema_version: int = SCHEMA_VERSION
    graph: str
    metric_name: str
    budget_seconds: float
    elapsed_seconds: float
    stopped_by_budget: bool
    target: float | None
    winner: Winner
    baseline: Trial | None
    final: Trial
    trials: tuple[Trial, ...]
    subsample: dict[str, float | str] = {}
    search: SearchSummary | None = None
    calibration: str | None = None
    """Date of the calibration that forecasts were made with."""
