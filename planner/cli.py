"""``gnnfit plan``: parse, call one core function, render.

argparse rather than a richer parser: ``plan --nodes ...`` must answer in a fraction of a second.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from planner.config import add_config
from planner.quantities import parse_bytes, parse_count, parse_seconds
from techniques.errors import InputError, OptionError

if TYPE_CHECKING:
    from techniques.base import SettingValue

MAX_HOPS = 100

Command = Callable[[argparse.Namespace], int]
EXIT_NOTHING_FITS = 3
ABOUT_COUNTS = ("directed", "dataset_bytes", "edge_features", "edge_weights", "graphs", "targets")
"""Flags that say more about counts; a GRAPH says these itself."""


class Parser(argparse.ArgumentParser):
    """Errors are one line that ends in a remedy; abbreviations are refused so that scripts stay valid."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse what is unknown here, where the command's own flags are known and one of them can be suggested."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        raise OptionError(self._with_suggestion(message), f"See {self.prog} --help")

    def _with_suggestion(self, message: str) -> str:
        import difflib

        unknown = message.removeprefix("unrecognized arguments: ").split(" ")[0].split("=")[0]
        known = [flag for action in self._actions for flag in action.option_strings]
        known += [name for action in self._actions for name in (action.choices or ()) if isinstance(name, str)]
        if "invalid choice: '" in message:
            unknown = message.split("invalid choice: '")[1].split("'")[0]
        close = difflib.get_close_matches(unknown, known, n=1)
        return f"{message} (did you mean {close[0]}?)" if close else message


def add_plan(commands: Any) -> None:
    """Register ``plan``."""
    parser = commands.add_parser(
        "plan",
        help="say whether training fits, how long an epoch takes, and what to do",
        description="Say whether training fits, with numbers, and what to do about it.",
        epilog="examples:\n  gnnfit plan graph.npz\n  gnnfit plan --nodes 2.4M --edges 61.9M --features 100 --on colab-t4",
    )
    add_graph(parser, optional=True)
    counts_flags(parser)
    add_facts(parser)
    parser.add_argument("--check", action="store_true", help="also look at every feature value")
    parser.add_argument("--out", metavar="FILE", help="write the plan to this file")
    printed = parser.add_mutually_exclusive_group()
    add_json(printed)
    printed.add_argument("--recipe", action="store_true", help="print the best candidate as a script of PyG code")
    add_config(parser)
    parser.set_defaults(run=run_plan)


def counts_flags(parser: argparse.ArgumentParser) -> None:
    """Counts in place of a GRAPH."""
    parser.add_argument("--nodes", metavar="COUNT", help="plan from counts alone: number of nodes, such as 2.4M")
    parser.add_argument("--edges", metavar="COUNT", help="undirected pairs, or directed edges with --directed")
    parser.add_argument("--features", metavar="COUNT", help="node feature columns")
    parser.add_argument("--classes", metavar="COUNT", help="number of classes (default 2)")
    parser.add_argument("--graphs", metavar="COUNT", help="a set of so many graphs, nodes and edges counted together")
    parser.add_argument("--targets", metavar="COUNT", help="columns to predict per graph: a regression")
    parser.add_argument("--directed", action="store_true", help="--edges counts directed edges")
    parser.add_argument("--edge-features", metavar="COUNT", help="columns of edge features")
    parser.add_argument("--edge-weights", action="store_true", help="every edge has a weight")
    parser.add_argument("--dataset-bytes", metavar="SIZE", help="size of the data where it is known, such as 10GB")


def add_graph(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    """The GRAPH argument."""
    parser.add_argument(
        "graph",
        metavar="GRAPH",
        nargs="?" if optional else None,
        help=".npz, .pt, folder of .npy, edges.csv, module:factory, pyg:NAME[/SUBSET] or like:NAME[@SCALE]",
    )


def add_facts(parser: argparse.ArgumentParser) -> None:
    """What the user may state about model, machine and goal."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="gcn, sage, gat, gatv2, gin, appnp, sgc, sign, for several types hetero_sage, rgcn, hgt, "
        "or module:factory for your own (default: compare all)",
    )
    parser.add_argument(
        "--task", choices=["node", "link", "graph"], help="what is predicted (default: what the labels say)"
    )
    parser.add_argument(
        "--on", metavar="MACHINE", help="a machine of the catalog, such as colab-t4 (default: this one)"
    )
    parser.add_argument("--no-calibration", action="store_true", help="forecast as if nothing had been measured here")
    parser.add_argument(
        "--use-history", action="store_true", help="correct forecasts by how earlier ones were off here"
    )
    parser.add_argument("--host-memory", metavar="SIZE", help="host memory that may be used, such as 13GiB")
    parser.add_argument("--device-memory", metavar="SIZE", help="GPU memory that may be used, such as 16GiB")
    parser.add_argument(
        "--optimize", choices=["time", "memory", "accuracy"], default="time", help="what the best is best at"
    )
    parser.add_argument("--grow", metavar="FACTOR", help="expected growth, such as 10x")
    parser.add_argument("--context-hops", metavar="COUNT", help="hops of context that a prediction needs")
    parser.add_argument("--deadline", metavar="TIME", help="time until a trained model is needed, such as 2h")
    parser.add_argument("--detail", choices=["local", "global"], help="whether local detail matters")
    parser.add_argument(
        "--hierarchy",
        metavar="FILE[:LEVEL]",
        help="levels of the nodes, .npz or .csv: only LEVEL (default: the middle one) may be coarsened",
    )
    parser.add_argument("--ddp-tried", action="store_true", help="the model has been trained with DDP before")
    add_pins(parser)


def add_pins(parser: argparse.ArgumentParser) -> None:
    """``--fix`` and ``--set``."""
    parser.add_argument("--fix", metavar="SLOT=OPTION", action="append", help="pin a choice, such as sampling=neighbor")
    parser.add_argument("--set", metavar="KNOB=VALUE", action="append", help="pin a knob, such as fanouts=15,10,5")


def add_json(parser: argparse._ActionsContainer) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


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
        parse_count(arguments.features, "--features"),
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
    """What the user wants and knows."""
    from techniques.coarsening.hierarchy import split_name
    from techniques.facts import Goal, Objective, Task

    hierarchy, level = (None, None) if arguments.hierarchy is None else split_name(arguments.hierarchy)
    return Goal(
        optimize=Objective(arguments.optimize),
        task=Task(arguments.task) if arguments.task else None,
        host_memory_bytes=_optional(parse_bytes, arguments.host_memory, "--host-memory"),
        device_memory_bytes=_optional(parse_bytes, arguments.device_memory, "--device-memory"),
        grow=_growth(arguments.grow),
        context_hops=_optional(_hops, arguments.context_hops, "--context-hops"),
        deadline_seconds=_optional(parse_seconds, arguments.deadline, "--deadline"),
        detail=arguments.detail,
        hierarchy=hierarchy,
        hierarchy_level=level,
        ddp_tried=True if arguments.ddp_tried else None,
    )


def _optional(parse: Callable[[str, str], Any], text: str | None, name: str) -> Any:
    return None if text is None else parse(text, name)


def _hops(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MAX_HOPS:
        raise OptionError(f"{name} must be a whole number from 1 to {MAX_HOPS}, got {text!r:.40}", "Write it like 3")
    return int(text)


def _growth(text: str | None) -> float:
    if text is None:
        return 1.0
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
