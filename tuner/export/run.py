"""``gnnfit export``: the script of a run's winner."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from planner.inspect.opened import LIKE, open_like
from planner.records import Plan
from planner.render import settings_text
from techniques.errors import InputError
from tuner.export.script import Exported, script_of
from tuner.folder import RunFolder, write_text
from tuner.metric_names import NAMES, metric_of
from tuner.records import Measurement, Trial

DEFAULT_NAME = "train.py"


def export_run(folder: RunFolder, out: Path | str | None = None) -> Path:
    """Write the script, ``RUN/train.py`` by default.

    Raises:
        InputError: the run has no winner yet, or the place cannot be written.
        UnsupportedTaskError: what it trains has no plain script yet.
    """
    target = Path(out).expanduser() if out is not None else folder.path / DEFAULT_NAME
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise InputError(f"--out must name a file in a folder that exists, got {target}", "Write --out train.py")
    winner, plan = folder.winner(), Plan.load(folder.plan)
    final = _final(folder)
    trial = next((one for one in folder.finished_trials() if one.spec == winner.spec), None)
    measured = final or (trial.measured if trial else None)
    exported = Exported(
        facts=plan.facts,
        spec=winner.spec,
        graph_folder=_graph_folder(folder, plan),
        title=f"{plan.facts.graph.name}: {winner.family}" + _settings(trial),
        metric=measured.metric_name if measured else NAMES[metric_of(plan.facts)],
        every=_interval(final),
        validation=final.metric if final else None,
        test=final.test_metric if final else None,
    )
    write_text(target, script_of(exported))
    return target


def _graph_folder(folder: RunFolder, plan: Plan) -> str:
    """The graph as ``.npy`` files: the run's own copy, what was generated, or the folder that was given."""
    source = str(plan.facts.graph.source)
    if folder.graph.is_dir():
        return str(folder.graph)
    return str(open_like(source).path) if source.startswith(LIKE) else source


def _final(folder: RunFolder) -> Measurement | None:
    file = folder.final / "measurement.json"
    return Measurement.model_validate_json(file.read_text(encoding="utf-8")) if file.is_file() else None


def _settings(trial: Trial | None) -> str:
    return f" with {settings_text(trial.predicted)}" if trial else ""


def _interval(final: Measurement | None) -> int:
    """Epochs between evaluations in the final training."""
    epochs = [one.epoch for one in final.history] if final else []
    return max((later - before for before, later in pairwise(epochs[:-1])), default=1)  # the last one may come early
