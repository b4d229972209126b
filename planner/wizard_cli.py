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
        epilog="examples:\n  gnnfit wizard\n  gnnfit wizard pyg:KarateClub\n  gnnfit wizard --config gnnfit.toml\n"
        "  gnnfit wizard --config gnnfit.toml --screenshot plan.svg",
    )
    parser.add_argument("graph", metavar="GRAPH", nargs="?", help="a graph, as for gnnfit plan")
    parser.add_argument("--config", metavar="FILE", help="answers from a TOML file, as F3 saves it")
    parser.add_argument(
        "--screenshot", metavar="FILE", help="draw the Plan pane into an SVG and leave; needs no terminal"
    )
    parser.set_defaults(run=run_wizard)


def run_wizard(arguments: argparse.Namespace) -> int:
    """Draw until the user leaves, or once into a file."""
    if arguments.screenshot is None:
        from planner.wizard.terminal import require_terminal

        graph = arguments.graph or "GRAPH"
        require_terminal("gnnfit wizard", f"gnnfit plan {graph} and gnnfit tune {graph}")
    from dataclasses import replace

    from planner.config import read_toml
    from planner.wizard.answers import Answers, from_toml

    answers = from_toml(read_toml(arguments.config)) if arguments.config else Answers()
    if arguments.graph is not None:
        answers = replace(answers, graph=arguments.graph, from_counts=False)
    if arguments.screenshot is not None:
        from planner.wizard.screenshot import draw_plan

        return draw_plan(answers, arguments.screenshot)
    from planner.wizard.app import Wizard
    from planner.wizard.terminal import restored

    app = Wizard(answers)
    with restored():
        app.run()
    return app.return_code or 0
