"""What the planner returns: candidates with their forecasts and reasons, and the plan that ranks them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from errno import EISDIR
from pathlib import Path
from typing import Any

from planner.convergence import convergence_seconds
from techniques.base import Reason, SettingValue, Slot
from techniques.errors import FULL_DISK, GnnfitError, InputError
from techniques.facts import Facts
from techniques.forecast import ZERO, Forecast, Level, LoaderForecast, Phase, Place, Range
from techniques.job import JobSpec, Training
from techniques.record import Record
from techniques.step_shape import StepShape

SCHEMA_VERSION = 1
_REMEDY = "Name a file in a folder that exists"


class Verdict(StrEnum):
    """The answer to "will it fit?"."""

    FITS = "fits"
    FITS_WITH_CHANGES = "fits_with_changes"
    DOES_NOT_FIT = "does_not_fit"


class PhaseFigures(Record):
    """One phase of a forecast."""

    host_peak_bytes: Range
    device_peak_bytes: Range
    seconds: Range


@dataclass(frozen=True)
class LayerFigures:
    """One layer of a step: nodes read, nodes written and edges."""

    sources: float
    targets: float
    edges: float


class ForecastFigures(Record):
    """A candidate's numbers; every one a range that should hold 90 % of measurements.

    ``peak_host_bytes`` is above ``baseline_host_bytes``, what the process needs before it has seen the graph.
    """

    level: Level
    baseline_host_bytes: Range
    peak_host_bytes: Range
    peak_device_bytes: Range
    epoch_seconds: Range
    flops_per_epoch: Range
    gemm_flops_per_epoch: Range
    aggregation_flops_per_epoch: Range
    epochs_to_converge: Range
    convergence_seconds: Range = ZERO
    """From the first epoch until the stopping rule holds, evaluations included."""
    steps_per_epoch: int
    input_nodes_per_step: float
    input_edges_per_step: float
    parameters: int
    peak_phase: Phase
    phases: dict[Phase, PhaseFigures]
    loader: LoaderForecast | None = None
    """``None`` where the whole graph is one batch."""
    basis: tuple[str, ...] = ()
    """What the numbers rest on."""
    mean_step: tuple[LayerFigures, ...] = ()
    """Layers of the mean step, input side first: what time is forecast from."""
    p99_step: tuple[LayerFigures, ...] = ()
    """Layers of the 99th percentile: what memory is forecast from."""

    @property
    def round_seconds(self) -> float:
        """An epoch with its share of the evaluations, as expected."""
        epochs = self.epochs_to_converge.expected
        with_evaluations = self.convergence_seconds.expected / epochs if epochs else 0.0
        return max(with_evaluations, self.epoch_seconds.expected, 1e-9)

    @property
    def first_evaluation_seconds(self) -> float:
        """An epoch and the evaluation after it, as expected."""
        judged = self.phases.get(Phase.EVALUATE)
        return max(self.epoch_seconds.expected + (judged.seconds.expected if judged else 0.0), 1e-9)

    @property
    def needs_host_bytes(self) -> int:
        """What must be free for it to fit: baseline and peak at the high end."""
        return int(self.baseline_host_bytes.high + self.peak_host_bytes.high)

    @property
    def needs_device_bytes(self) -> int:
        return int(self.peak_device_bytes.high)

    @property
    def device_peak_phase(self) -> Phase:
        """The phase whose device peak may be the largest."""
        return max(Phase, key=lambda phase: self.phases[phase].device_peak_bytes.high)

    @property
    def seconds_to_converge(self) -> float:
        return self.convergence_seconds.expected

    @staticmethod
    def of(forecast: Forecast, baseline: Range, epochs: Range) -> ForecastFigures:
        """Freeze a finished forecast."""
        assert forecast.shape is not None, "a job has a batch stage"
        phases = {
            phase: PhaseFigures(
                host_peak_bytes=one.host_peak_bytes, device_peak_bytes=one.device_peak_bytes, seconds=one.seconds
            )
            for phase, one in forecast.phases.items()
        }
        return ForecastFigures(
            level=forecast.level,
            baseline_host_bytes=baseline,
            peak_host_bytes=forecast.peak_bytes(Place.HOST),
            peak_device_bytes=forecast.peak_bytes(Place.DEVICE),
            epoch_seconds=forecast.epoch_seconds,
            flops_per_epoch=forecast.flops_per_epoch,
            gemm_flops_per_epoch=forecast.gemm_flops_per_epoch,
            aggregation_flops_per_epoch=forecast.aggregation_flops_per_epoch,
            epochs_to_converge=epochs,
            convergence_seconds=convergence_seconds(
                epochs, forecast.epoch_seconds, forecast.phases[Phase.EVALUATE].seconds
            ),
            steps_per_epoch=forecast.steps_per_epoch,
            input_nodes_per_step=forecast.shape.input_nodes,
            input_edges_per_step=forecast.shape.input_edges,
            parameters=forecast.parameters,
            peak_phase=forecast.peak_phase(),
            phases=phases,
            loader=forecast.loader,
            basis=forecast.basis,
            mean_step=_layers(forecast.shape),
            p99_step=_layers(forecast.largest_shape),
        )


def _layers(shape: StepShape | None) -> tuple[LayerFigures, ...]:
    return tuple(
        LayerFigures(layer.num_sources, layer.num_targets, layer.num_edges) for layer in (shape.layers if shape else ())
    )


class Candidate(Record):
    """One option per slot, its settings, and what it is expected to cost."""

    name: str
    options: dict[Slot, str]
    settings: dict[str, SettingValue]
    training: Training
    forecast: ForecastFigures
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def spec(self) -> JobSpec:
        """What a worker needs to run it."""
        return JobSpec(options=self.options, settings=self.settings, training=self.training)


class Rejected(Record):
    """A combination that was refused, and what it needs against what there is (``None`` where memory is not why)."""

    name: str
    options: dict[Slot, str]
    reason: str
    needs_bytes: int | None = None
    has_bytes: int | None = None


class RuleVerdict(Record):
    """A named rule of the source, applied to the facts."""

    name: str
    source: str
    value: str
    verdict: str


class Nearest(Record):
    """Where nothing fits: the refused candidate that comes nearest, and the one change that gets there."""

    name: str
    needs_bytes: int
    has_bytes: int
    change: str


class Plan(Record):
    """Facts, rules, the ranked candidates and the refused ones."""

    schema_version: int = SCHEMA_VERSION
    facts: Facts
    rules: tuple[RuleVerdict, ...]
    verdict: Verdict
    best: Candidate | None
    alternatives: tuple[Candidate, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    nearest: Nearest | None = None
    baseline: Candidate | None = None
    """PyG's usual defaults around what is pinned, forecast for comparison whether they fit or not."""
    pinned_options: dict[Slot, str] = {}
    pinned_settings: dict[str, SettingValue] = {}
    """What the user has fixed: it holds for whatever is tuned by this plan."""
    inspect_seconds: float = 0.0
    planning_seconds: float = 0.0
    compile_seconds: float = 0.0
    """Of kernels, once on a machine; not part of the two above."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All that fit, best first."""
        return () if self.best is None else (self.best, *self.alternatives)

    def save(self, path: Path | str) -> None:
        """Write ``plan.json`` in one step: readers see the old file or the new one.

        Raises:
            InputError: the place cannot be written.
            OSError: the disk is full; another place is not the remedy.
        """
        target = Path(path).absolute()
        temporary = target.with_name(f"{target.name}.part")
        try:
            if target.is_dir():
                raise IsADirectoryError(EISDIR, "it is a folder")
            temporary.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            if error.errno in FULL_DISK:
                raise
            why = error.strerror or str(error)
            raise InputError(f"a plan must go to a file that can be written, {path} is none ({why})", _REMEDY) from None

    @staticmethod
    def load(path: Path | str) -> Plan:
        """Read a saved plan.

        Raises:
            InputError: no such file, not a plan, or of another schema version.
        """
        source = Path(path)
        if not source.is_file():
            raise InputError(
                f"a plan must be a file, {source} is none", "Make one with gnnfit plan GRAPH --out plan.json"
            )
        text = source.read_text(encoding="utf-8", errors="replace")
        try:
            plan = Plan.model_validate_json(text)
        except GnnfitError:
            raise
        except ValueError as error:
            why = ": ".join(line.strip().split(" [type=")[0][:120] for line in str(error).splitlines()[:3])
            raise InputError(f"{source} is not a plan of schema {SCHEMA_VERSION} ({why})", "Plan again") from None
        if plan.schema_version != SCHEMA_VERSION:
            raise InputError(
                f"{source} must be a plan of schema {SCHEMA_VERSION}, it has schema {plan.schema_version}", "Plan again"
            )
        return plan

    def __str__(self) -> str:
        from planner.render import plan_text

        return plan_text(self)

    def _repr_html_(self) -> str:
        """For notebooks."""
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"

    def to_json(self) -> dict[str, Any]:
        """The document that ``plan --json`` prints."""
        return self.model_dump(mode="json")
