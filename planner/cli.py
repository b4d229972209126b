"""``gnnfit plan``: parse, call one core function, render."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from planner.config import add_config
from planner.flags import add_facts, add_graph, add_json, counts_flags
from planner.quantities import parse_bytes, parse_count, parse_seconds
from techniques.errors import InputError, OptionError

if TYPE_CHECKING:
    from techniques.base import SettingValue

MAX_HOPS = 100

Command = Callable[[argparse.Namespace], int]
EXIT_NOTHING_FITS = 3
ABOUT_COUNTS = ("directed", "dataset_bytes", "edge_features", "edge_weights", "graphs", "targets")
"""Flags that say more about counts; a GRAPH says these itself."""


def add_plan(commands: Any) -> None:
    """Register ``plan``."""
    parser = commands.add_parser(
        "plan",
        help="say whether training fits, how long an epoch takes, and what to do",
        description="Say whether training fits, with numbers, and what to do about it.",
        epilog="examples:\n  gnnfit plan pyg:KarateClub\n  gnnfit plan pyg:KarateClub --set hidden=64 --out plan.json\n"
        "  gnnfit plan --nodes 2.4M --edges 61.9M --features 100 --on colab-t4",
    )
    add_graph(parser, optional=True)
    counts_flags(parser)
    add_facts(parser)
    parser.add_argument(
        "--check", action="store_true", help="look at every feature value, also where they take more than 16 MiB"
    )
    parser.add_argument("--out", metavar="FILE", help="write the plan to this file")
    printed = parser.add_mutually_exclusive_group()
    add_json(printed)
    printed.add_argument("--recipe", action="store_true", help="print the best candidate as a script of PyG code")
    add_config(parser)
    parser.set_defaults(run=run_plan)


def run_plan(arguments: argparse.Namespace) -> int:
    """Print a plan; 3 where nothing fits."""
    gc.disable()  # a plan is over before collecting garbage would pay: a tenth of the time from counts alone
    try:
        made = plan_from(arguments)
    finally:
        gc.enable()
    if arguments.out:
        made.save(arguments.out)
        print(f"plan written to {arguments.out}", file=sys.stderr)
    if arguments.recipe and made.best is not None:
        print(recipe_text(made), end="")
    else:
        print(made.model_dump_json(indent=2) if arguments.json else str(made))
    return 0 if made.best is not None else EXIT_NOTHING_FITS


def recipe_text(made: Any) -> str:
    """The script of a plan's best candidate."""
    from techniques.recipe import recipe

    return f"# {made.best.name}\n{recipe(made.best.spec, made.facts)}"


def plan_from(arguments: argparse.Namespace) -> Any:
    """The plan that the flags ask for."""
    from planner.api import plan

    graph = graph_or_counts(arguments)
    return plan(
        graph,
        model=arguments.model,
        on=arguments.on,
        goal=goal_from(arguments),
        fix=pairs(arguments.fix, "--fix"),
        set={name: setting_value(text) for name, text in pairs(arguments.set, "--set").items()},
        check_values=getattr(arguments, "check", False),
        calibration=not arguments.no_calibration,
        use_history=arguments.use_history,
    )


def graph_or_counts(arguments: argparse.Namespace) -> Any:
    counts = {name: getattr(arguments, name, None) for name in ("nodes", "edges", "features", "classes")}
    if arguments.graph is not None:
        about = {**counts, **{name: getattr(arguments, name, None) for name in ABOUT_COUNTS}}
        given = [f"--{name.replace('_', '-')}" for name, value in about.items() if value not in (None, False)]
        if given:
            raise OptionError(
                f"GRAPH and counts exclude each other, got {arguments.graph} and {given[0]}", "Give one of them"
            )
        return arguments.graph
    missing = [f"--{name}" for name in ("nodes", "edges", "features") if counts[name] is None]
    if missing:
        raise InputError(f"a plan needs a GRAPH, or counts: {', '.join(missing)} missing", "See gnnfit plan --help")
    from planner.inspect.estimate import from_counts

    classes = parse_count("2" if arguments.classes is None else arguments.classes, "--classes")
    if classes < 2:
        raise OptionError(f"--classes must be 2 or more, got {classes}", "Leave it out where there are no labels")
    return from_counts(
        parse_count(arguments.nodes, "--nodes"),
        parse_count(arguments.edges, "--edges"),
        0 if arguments.features == "0" else parse_count(arguments.features, "--features"),
        classes,
        directed=arguments.directed,
        dataset_bytes=_optional(parse_bytes, arguments.dataset_bytes, "--dataset-bytes"),
        edge_features=_optional(parse_count, arguments.edge_features, "--edge-features") or 0,
        edge_weighted=arguments.edge_weights,
        num_graphs=_optional(parse_count, arguments.graphs, "--graphs"),
        num_targets=_targets(arguments),
    )


def _targets(arguments: argparse.Namespace) -> int:
    if arguments.targets is None:
        return 0
    if arguments.graphs is None or arguments.classes is not None:
        raise OptionError("--targets is for a set of graphs without classes", "Give --graphs, and leave --classes out")
    return parse_count(arguments.targets, "--targets")


def goal_from(arguments: argparse.Namespace) -> Any:
    """What the user wants and knows; what was not said is not set, so that it leaves a saved plan's goal as it is."""
    from techniques.coarsening.hierarchy import split_name
    from techniques.facts import Goal, Objective, Task

    hierarchy, level = (None, None) if arguments.hierarchy is None else split_name(arguments.hierarchy)
    asked: dict[str, Any] = {
        "optimize": Objective(arguments.optimize) if arguments.optimize else None,
        "task": Task(arguments.task) if arguments.task else None,
        "host_memory_bytes": _optional(parse_bytes, arguments.host_memory, "--host-memory"),
        "device_memory_bytes": _optional(parse_bytes, arguments.device_memory, "--device-memory"),
        "grow": None if arguments.grow is None else _growth(arguments.grow),
        "context_hops": _optional(_hops, arguments.context_hops, "--context-hops"),
        "deadline_seconds": _optional(parse_seconds, arguments.deadline, "--deadline"),
        "detail": arguments.detail,
        "hierarchy": hierarchy,
        "hierarchy_level": level,
        "ddp_tried": arguments.ddp_tried or None,
    }
    return Goal(**{name: value for name, value in asked.items() if value is not None})


def _optional(parse: Callable[[str, str], Any], text: str | None, name: str) -> Any:
    return None if text is None else parse(text, name)


def _hops(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MAX_HOPS:
        raise OptionError(f"{name} must be a whole number from 1 to {MAX_HOPS}, got {text!r:.40}", "Write it like 3")
    return int(text)


def _growth(text: str) -> float:
    try:
        value = float(text.lower().removesuffix("x"))
    except ValueError:
        value = 0.0
    if not 1.0 <= value <= 1e6:
        raise OptionError(f"--grow must be a factor from 1x to 1000000x, got {text!r}", "Write --grow 10x")
    return value


def pairs(texts: list[str] | None, flag: str) -> Mapping[str, str]:
    """``name=value`` flags as a mapping."""
    found = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise OptionError(f"{flag} must be NAME=VALUE, got {text!r}", f"Write {flag} NAME=VALUE")
        found[name.strip()] = value.strip()
    return found


def setting_value(text: str) -> SettingValue:
    """``true``, ``3``, ``0.1``, ``15,10,5`` or a word."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if "," in text:
        return tuple(int(part) for part in _numbers(text))
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _numbers(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for part in parts or [""]:
        if not (part.isascii() and part.removeprefix("-").isdigit()):
            raise OptionError(f"a list of whole numbers is needed, got {text!r}", "Write it like 15,10,5")
    return parts
