"""``gnnfit wizard``."""

from __future__ import annotations

import argparse
from typing import Any


def add_wizard(commands: Any) -> None:
    """Register ``wizard``."""
    parser = commands.add_parser(
        "wizard",
        help="plan, tune and train step by step on the screen",
        description="From a graph to a tuned, trained model, step by step on the screen.",
        epilog="examples:\n  gnnfit wizard\n  gnnfit wizard pyg:KarateClub\n  gnnfit wizard --config gnnfit.toml",
    )
    parser.add_argument("graph", metavar="GRAPH", nargs="?", help="a graph, as for gnnfit plan")
    parser.add_argument("--config", metavar="FILE", help="answers from a TOML file, as F3 saves it")
    parser.set_defaults(run=run_wizard)


def run_wizard(arguments: argparse.Namespace) -> int:
    """Draw until the user leaves."""
    from planner.wizard.terminal import require_terminal

    instead = f"gnnfit plan {arguments.graph or 'GRAPH'} and gnnfit tune {arguments.graph or 'GRAPH'}"
    require_terminal("gnnfit wizard", instead)
    from dataclasses import replace

    from planner.config import read_toml
    from planner.wizard.answers import Answers, from_toml
    from planner.wizard.app import Wizard

    answers = from_toml(read_toml(arguments.config)) if arguments.config else Answers()
    if arguments.graph is not None:
        answers = replace(answers, graph=arguments.graph, from_counts=False)
    app = Wizard(answers)
    app.run(mouse=True)
    return app.return_code or 0
