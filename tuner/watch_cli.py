"""``gnnfit watch``."""

from __future__ import annotations

import argparse
from typing import Any


def add_watch(commands: Any) -> None:
    """Register ``watch``."""
    one = commands.add_parser(
        "watch",
        help="watch a run on the screen: progress, trials, log",
        description="Attach to a run: watch, pause or cancel it; leaving leaves the run alone.",
        epilog="example:\n  gnnfit watch RUN",
    )
    one.add_argument("folder", metavar="RUN", help="a run folder")
    one.set_defaults(run=run_watch)


def run_watch(arguments: argparse.Namespace) -> int:
    from planner.wizard.terminal import require_terminal, restored
    from tuner.folder import RunFolder

    folder = RunFolder.existing(arguments.folder)
    require_terminal(
        "gnnfit watch", f"tail -f {folder.events}, or gnnfit report {arguments.folder} once it has finished"
    )
    from tuner.monitor.app import Monitor

    app = Monitor(folder.path)
    with restored():
        app.run()
    return app.return_code or 0
