"""Measurements kept as a table, one appended row per configuration, so that a search can be run again from it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from planner.proposal import BASELINE_NAME
from planner.records import ForecastFigures
from techniques.job import JobSpec
from techniques.record import Record
from tuner.parts import Fidelity
from tuner.race import Race
from tuner.records import Evaluation, Measurement, TrialState
from tuner.space import Point, Vary

if TYPE_CHECKING:
    import numpy as np

COLUMNS = ("family", "spec", "seconds", "load", "forecast", "measured")
DIGITS = 5
"""Significant digits of seconds and metrics: a row is a few kilobytes at most."""


class Row(Record):
    """One configuration with what was measured of it at every share of the graph."""

    family: str
    spec: JobSpec
    seconds: float
    """Training limit on the whole graph; on a part it is the same share of it."""
    load: float
    """Load average of the machine while it was measured: above the number of cores, times are not to be trusted."""
    forecast: ForecastFigures
    """On the whole graph."""
    measured: dict[str, Measurement]

    @staticmethod
    def of(
        family: str,
        spec: JobSpec,
        seconds: float,
        measured: Mapping[float, Measurement],
        load: float,
        forecast: ForecastFigures,
    ) -> Row:
        kept = {f"{share:.4f}": _short(one) for share, one in measured.items()}
        return Row(family=family, spec=spec, seconds=seconds, load=round(load, 2), forecast=forecast, measured=kept)

    def measurement(self, share: float) -> Measurement:
        """What was measured at this share of the graph."""
        return self.measured[f"{share:.4f}"]


class Table:
    """Rows in a CSV file; a torn last row, as a kill leaves it, is measured again."""

    def __init__(self, file: Path) -> None:
        self.file, self.rows = file, list[Row]()
        csv.field_size_limit(1 << 24)
        if file.is_file():
            for line in file.read_text(encoding="utf-8").splitlines()[1:]:
                self._read(next(csv.reader([line]), []))

    def append(self, row: Row) -> None:
        """Write one row to the end of the file."""
        new = not self.file.is_file() or not self.file.stat().st_size
        if not new and not (text := self.file.read_bytes()).endswith(b"\n"):
            self.file.write_bytes(text[: text.rfind(b"\n") + 1])
        measured = {share: one.model_dump(mode="json", exclude_defaults=True) for share, one in row.measured.items()}
        spec = row.spec.model_dump_json()
        with self.file.open("a", newline="", encoding="utf-8") as target:
            writer = csv.writer(target, lineterminator="\n")
            if new:
                writer.writerow(COLUMNS)
            forecast = row.forecast.model_dump_json()
            found = json.dumps(measured, separators=(",", ":"))
            writer.writerow([row.family, spec, row.seconds, row.load, forecast, found])
        self.rows.append(row)

    def find(self, spec: JobSpec, family: str | None = None) -> Row | None:
        """The row of a configuration."""
        return next((one for one in self.rows if one.spec == spec and family in (None, one.family)), None)

    def _read(self, values: list[str]) -> None:
        try:
            family, spec, seconds, load, forecast, measured = values
            kept = {share: Measurement.model_validate(one) for share, one in json.loads(measured).items()}
            row = Row(
                family=family,
                spec=JobSpec.model_validate_json(spec),
                seconds=float(seconds),
                load=float(load),
                forecast=ForecastFigures.model_validate_json(forecast),
                measured=kept,
            )
        except ValueError:
            return
        self.rows.append(row)


class TablePlaces:
    """The points of a table, as a space has them: its first rows are the plan's candidates and PyG's defaults."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.points = [Point(row.family, row.spec) for row in rows]

    def first(self) -> list[Point]:
        """The first row of each family, in order."""
        firsts = {point.family: point for point in reversed(self.points)}
        return [one for one in self.points if one == firsts[one.family]]

    def defaults(self) -> list[Point]:
        return [one for one in self.points if one.family == BASELINE_NAME]

    def draw(self, rng: np.random.Generator, count: int, vary: Vary) -> list[Point]:
        return [self.points[int(place)] for place in rng.permutation(len(self.points))]

    def near(self, point: Point, rng: np.random.Generator, vary: Vary) -> Point:
        return self.points[int(rng.integers(len(self.points)))]


class Lookup:
    """Measures by looking rows up; the seconds that their trials would have taken pass on a clock of its own."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = {row.spec.model_dump_json(): row for row in rows}
        self.seconds = 0.0

    def __call__(
        self, number: int, purpose: str, point: Point, fidelity: Fidelity, target: float | None
    ) -> Measurement:
        row = self._rows[point.spec.model_dump_json()]
        found = cut(row.measurement(fidelity.share), fidelity.seconds, target, fidelity.race)
        self.seconds += found.wall_seconds
        return found


def cut(measured: Measurement, seconds: float, target: float | None = None, race: Race | None = None) -> Measurement:
    """What the same trial would have shown, had it been stopped after ``seconds`` of training, at ``target`` or by ``race``."""
    if measured.state is not TrialState.COMPLETE or not measured.history:
        return measured
    kept, reason = list[Evaluation](), measured.reason
    for one in measured.history:
        kept.append(one)
        if target is not None and one.metric >= target:
            reason = "stopped by target"
        elif race is not None and race.lost(kept):
            reason = "stopped by race"
        elif one.seconds >= seconds:
            reason = "stopped by time"
        else:
            continue
        break
    stopped = len(kept) < len(measured.history)
    return measured.model_copy(
        update={
            "history": tuple(kept),
            "metric": max(one.metric for one in kept),
            "epochs": kept[-1].epoch,
            "wall_seconds": measured.wall_seconds - (measured.history[-1].seconds - kept[-1].seconds),
            "convergence_seconds": None if stopped else measured.convergence_seconds,
            "reason": reason if stopped else measured.reason,
        }
    )


def _short(measured: Measurement) -> Measurement:
    history = tuple(
        one.model_copy(
            update={name: float(f"{getattr(one, name):.{DIGITS}g}") for name in ("seconds", "loss", "metric")}
        )
        for one in measured.history
    )
    return measured.model_copy(update={"history": history, "phases": {}, "validation": {}})
