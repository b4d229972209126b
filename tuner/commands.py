"""What the tuner's commands take, and what each of them calls: measure, tune, run, report, export."""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import Any

from planner.cli import goal_from, pairs, setting_value
from planner.config import add_config
from planner.flags import add_facts, add_graph, add_json
from planner.quantities import parse_count, parse_seconds
from techniques.errors import InputError, OptionError
from tuner.story import Story, tell_epoch

DEFAULT_BUDGET = "10m"
BESIDE_JOIN = ("join", "study", "json", "config")


def add_measure(commands: Any) -> None:
    """Register ``measure``."""
    one = commands.add_parser(
        "measure",
        help="measure memory, time, FLOPs and convergence of one candidate",
        description="Measure the four metrics of one candidate in a child process.",
        epilog="example:\n  gnnfit measure pyg:KarateClub --fix sampling=neighbor --epochs 3",
    )
    add_graph(one, optional=True)
    _add_plan_file(one)
    one.add_argument("--candidate", metavar="NAME", help="a candidate of the plan (default: the best)")
    one.add_argument("--epochs", metavar="COUNT", help="epochs to train (default: 5; 'all' for the stopping rule)")
    add_facts(one)
    add_json(one)
    add_config(one)
    one.set_defaults(run=_measure)


def add_tune(commands: Any) -> None:
    """Register ``tune``."""
    one = commands.add_parser(
        "tune",
        help="measure candidates, keep the best, train it on the whole graph",
        description="Measure the plan's candidates within a budget, keep the best and train it on the whole graph.",
        epilog="examples:\n  gnnfit tune pyg:KarateClub --budget 30s --out RUN\n"
        "  gnnfit tune pyg:KarateClub --budget 30s --out RUN --resume\n  gnnfit tune --join RUN",
    )
    add_graph(one, optional=True)
    _add_plan_file(one)
    one.add_argument("--out", metavar="RUN", help="run folder (default: gnnfit-runs/NAME-TIME)")
    one.add_argument("--target", metavar="METRIC", help="validation metric to reach (default: what the best reach)")
    one.add_argument(
        "--join", metavar="RUN", help="help a run that another process has started, on a machine like this"
    )
    one.add_argument(
        "--study", metavar="URL", help="database for Optuna's storage (default: a journal in the run folder)"
    )
    one.add_argument("--trials", metavar="COUNT", help="at most so many search trials")
    one.add_argument("--budget", metavar="TIME", default=DEFAULT_BUDGET, help="everything included, such as 10m or 2h")
    one.add_argument("--resume", action="store_true", help="go on with the run in --out")
    add_facts(one)
    add_json(one)
    add_config(one)
    one.set_defaults(run=_tune, kept="finished trials are kept")


def add_run(commands: Any) -> None:
    """Register ``run``."""
    one = commands.add_parser(
        "run",
        help="train the winner of a run, or the best of a plan, on the whole graph",
        description="Train on the whole graph with checkpoints; save model, predictions and test metrics.",
        epilog="examples:\n  gnnfit run RUN\n  gnnfit run pyg:KarateClub --plan plan.json --epochs 50 --out RUN2",
    )
    one.add_argument("source", metavar="RUN|GRAPH", help="a run folder, or a graph with --plan")
    _add_plan_file(one)
    one.add_argument("--out", metavar="RUN", help="where to keep the model, with --plan")
    one.add_argument("--epochs", metavar="COUNT", help="at most so many epochs (default: the stopping rule)")
    add_json(one)
    one.set_defaults(run=_run)


def add_report(commands: Any) -> None:
    """Register ``report``."""
    one = commands.add_parser(
        "report",
        help="print a run, finished or not: what won, predicted against measured",
        description="Print a run: what won and why, predicted against measured; write its page, RUN/report.html. A run that "
        "has not finished, or failed, is told as far as it came.",
        epilog="example:\n  gnnfit report RUN",
    )
    one.add_argument("folder", metavar="RUN", help="a run folder")
    add_json(one)
    one.set_defaults(run=_report)


def add_export(commands: Any) -> None:
    """Register ``export``."""
    one = commands.add_parser(
        "export",
        help="write the winner as one script of plain PyG",
        description="Write one script that trains the winner with the same settings, stopping rule and splits; it needs "
        "torch, numpy and PyG, and nothing of gnnfit.",
        epilog="example:\n  gnnfit export RUN --out train.py",
    )
    one.add_argument("folder", metavar="RUN", help="a run folder")
    one.add_argument("--out", metavar="FILE", help="where to write it (default: RUN/train.py)")
    one.set_defaults(run=_export)


def _add_plan_file(one: argparse.ArgumentParser) -> None:
    one.add_argument("--plan", metavar="FILE", help="a plan saved by gnnfit plan --out")


def _measure(arguments: argparse.Namespace) -> int:
    from tuner.api import MEASURE_EPOCHS, measure
    from tuner.records import MeasuredCandidate
    from tuner.report import measurement_text
    from tuner.report.compared import unmeasured

    epochs: int | None = MEASURE_EPOCHS
    if arguments.epochs is not None:
        epochs = None if arguments.epochs == "all" else parse_count(arguments.epochs, "--epochs")
    candidate, measured = measure(
        arguments.graph,
        plan=arguments.plan,
        candidate=arguments.candidate,
        epochs=epochs,
        progress=tell_epoch,
        **_choices(arguments),
    )
    if arguments.json:
        document = MeasuredCandidate(**dict(measured), candidate=candidate, notes=unmeasured(measured))
        print(document.model_dump_json(indent=2))
    else:
        print(measurement_text(candidate, measured))
    return 0 if measured.state.value == "complete" else 1


def _tune(arguments: argparse.Namespace) -> int:
    from tuner.api import tune
    from tuner.report import report_text

    if arguments.join is not None:
        return _join(arguments)
    if arguments.graph is None:
        raise OptionError("tune needs a GRAPH, got none", "Name one, or a run to help with --join RUN")
    if arguments.resume and arguments.out is None:
        raise OptionError("--resume needs the run's folder", "Add --out RUN")
    choices = _choices(arguments)
    if arguments.target is not None:
        choices["goal"] = choices["goal"].model_copy(update={"target": _target(arguments.target)})
    budget_seconds = parse_seconds(arguments.budget, "--budget")
    with Story(budget_seconds) as story:
        report = tune(
            arguments.graph,
            plan=arguments.plan,
            out=arguments.out,
            trials=None if arguments.trials is None else parse_count(arguments.trials, "--trials"),
            budget_seconds=budget_seconds,
            resume=arguments.resume,
            listener=story.tell,
            study=arguments.study,
            **choices,
        )
    print(report.model_dump_json(indent=2) if arguments.json else report_text(report))
    return 0


def _join(arguments: argparse.Namespace) -> int:
    """The run's own arguments hold: what is given beside them must not seem to have an effect. The environment and a file
    may say what other runs take."""
    from tuner.api import join
    from tuner.folder import RunFolder
    from tuner.report import report_text

    default = arguments.command_parser.get_default
    for name, value in vars(arguments).items():
        if name not in BESIDE_JOIN and value != default(name):
            shown = "GRAPH" if name == "graph" else f"--{name.replace('_', '-')}"
            raise OptionError(f"--join takes the run as it was started, got {shown} beside it", f"Leave {shown} out")
    budget = RunFolder.existing(arguments.join).asked()["budget_seconds"]
    with Story(budget) as story:
        report = join(arguments.join, study=arguments.study, listener=story.tell)
    if report is None:
        print(f"the search is over; {arguments.join} is finished by the process that leads it", file=sys.stderr)
    else:
        print(report.model_dump_json(indent=2) if arguments.json else report_text(report))
    return 0


def _target(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 < value <= 1.0:
        raise OptionError(
            f"--target must be a validation metric above 0 and up to 1, got {text!r}", "Write --target 0.9"
        )
    return value


def _run(arguments: argparse.Namespace) -> int:
    from tuner.api import run

    epochs = None if arguments.epochs is None else parse_count(arguments.epochs, "--epochs")
    measured = run(arguments.source, plan=arguments.plan, out=arguments.out, epochs=epochs, progress=tell_epoch)
    if arguments.json:
        print(measured.model_dump_json(indent=2))
    else:
        from tuner.report import final_text

        print(final_text(measured))
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from tuner.folder import RunFolder
    from tuner.report import story_of, story_text, write_page

    folder = RunFolder.existing(arguments.folder)
    story = story_of(folder)
    document = story.report() or story
    print(document.model_dump_json(indent=2) if arguments.json else story_text(story))
    if not arguments.json:
        from planner.history import history_line, read_history
        from planner.inspect.fingerprint_machine import machine_fingerprint
        from planner.inspect.machine import inspect_machine

        print(f"\n{history_line(read_history(fingerprint=machine_fingerprint(inspect_machine())))}")
    with contextlib.suppress(OSError):  # someone else's run, perhaps: what is printed is the same
        print(f"gnnfit: page: {write_page(folder)}", file=sys.stderr)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from tuner.export import export_run
    from tuner.folder import RunFolder

    print(export_run(RunFolder.existing(arguments.folder), arguments.out))
    return 0


def _choices(arguments: argparse.Namespace) -> dict[str, Any]:
    """Facts and pins that measure and tune share."""
    if arguments.graph is None:
        raise InputError("measuring needs a GRAPH, got none", "Name one, or graph = ... in a --config file")
    if arguments.on is not None:
        raise OptionError("--on plans for another machine; measuring happens on this one", "Leave --on out")
    settings = {name: setting_value(text) for name, text in pairs(arguments.set, "--set").items()}
    return {
        "model": arguments.model,
        "goal": goal_from(arguments),
        "fix": pairs(arguments.fix, "--fix"),
        "set": settings,
        "calibration": not arguments.no_calibration,
        "use_history": arguments.use_history,
    }
