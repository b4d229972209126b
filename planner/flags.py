"""The flags that commands share, and how they are parsed and explained.

argparse rather than a richer parser: ``plan --nodes ...`` must answer in a fraction of a second.
"""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from techniques.errors import OptionError


class HelpText(argparse.RawDescriptionHelpFormatter):
    """Wraps sentences; what is indented, such as an example, stays as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        from textwrap import fill

        return "\n".join(line if line.startswith(" ") else fill(line, width) for line in text.splitlines())


class Parser(argparse.ArgumentParser):
    """Errors are one line that ends in a remedy; abbreviations are refused so that scripts stay valid."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", HelpText)
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


def counts_flags(parser: argparse.ArgumentParser) -> None:
    """Counts in place of a GRAPH."""
    group = parser.add_argument_group("counts in place of a GRAPH that does not exist yet")
    group.add_argument("--nodes", metavar="COUNT", help="number of nodes, such as 2.4M")
    group.add_argument("--edges", metavar="COUNT", help="undirected pairs, or directed edges with --directed")
    group.add_argument("--features", metavar="COUNT", help="node feature columns, 0 where there are none")
    group.add_argument("--classes", metavar="COUNT", help="number of classes (default 2)")
    group.add_argument("--graphs", metavar="COUNT", help="a set of so many graphs, nodes and edges counted together")
    group.add_argument("--targets", metavar="COUNT", help="columns to predict per graph: a regression")
    group.add_argument("--directed", action="store_true", help="--edges counts directed edges")
    group.add_argument("--edge-features", metavar="COUNT", help="columns of edge features")
    group.add_argument("--edge-weights", action="store_true", help="every edge has a weight")
    group.add_argument("--dataset-bytes", metavar="SIZE", help="size of the data where it is known, such as 10GB")


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
    add_model(parser.add_argument_group("model and pins"))
    add_machine(parser.add_argument_group("machine"))
    add_goal(parser.add_argument_group("goal"))


def add_model(parser: argparse._ActionsContainer) -> None:
    """Task, architecture, ``--fix`` and ``--set``."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="gcn, sage, gat, gatv2, gin, appnp, sgc, sign, for several types hetero_sage, rgcn, hgt, "
        "or module:factory for your own (default: compare all)",
    )
    parser.add_argument(
        "--task", choices=["node", "link", "graph"], help="what is predicted (default: what the labels say)"
    )
    parser.add_argument("--fix", metavar="SLOT=OPTION", action="append", help="pin a choice, such as sampling=neighbor")
    parser.add_argument("--set", metavar="KNOB=VALUE", action="append", help="pin a knob, such as fanouts=15,10,5")
    parser.add_argument("--ddp-tried", action="store_true", help="the model has been trained with DDP before")


def add_machine(parser: argparse._ActionsContainer) -> None:
    """Where it runs, and what is known of that machine."""
    parser.add_argument(
        "--on", metavar="MACHINE", help="a machine of the catalog, such as colab-t4 (default: this one)"
    )
    parser.add_argument("--host-memory", metavar="SIZE", help="host memory that may be used, such as 13GiB")
    parser.add_argument("--device-memory", metavar="SIZE", help="GPU memory that may be used, such as 16GiB")
    parser.add_argument("--no-calibration", action="store_true", help="forecast as if nothing had been measured here")
    parser.add_argument(
        "--use-history", action="store_true", help="correct forecasts by how earlier ones were off here"
    )


def add_goal(parser: argparse._ActionsContainer) -> None:
    """What best means, and what is to come."""
    parser.add_argument(
        "--optimize", choices=["time", "memory", "accuracy"], help="what the best is best at (default: time)"
    )
    parser.add_argument("--deadline", metavar="TIME", help="time until a trained model is needed, such as 2h")
    parser.add_argument("--grow", metavar="FACTOR", help="expected growth, such as 10x")
    parser.add_argument("--context-hops", metavar="COUNT", help="hops of context that a prediction needs")
    parser.add_argument("--detail", choices=["local", "global"], help="whether local detail matters")
    parser.add_argument(
        "--hierarchy",
        metavar="FILE[:LEVEL]",
        help="levels of the nodes, .npz or .csv: only LEVEL (default: the middle one) may be coarsened",
    )


def add_json(parser: argparse._ActionsContainer) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
