"""``gnnfit calibrate``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from planner.flags import add_json


def add_calibrate(commands: Any) -> None:
    """Register ``calibrate``."""
    one = commands.add_parser(
        "calibrate",
        help="measure this machine once, so that forecasts of time are its own",
        description="Measure what this machine does per second (some 40 s; let nothing else run) and save it: "
        "plans for this machine use it until another calibration replaces it.",
        epilog="example:\n  gnnfit calibrate",
    )
    one.add_argument("--out", metavar="FILE", help="save here instead of where plans look ($GNNFIT_HOME, or the cache)")
    add_json(one)
    one.set_defaults(run=run_calibrate)


def run_calibrate(arguments: argparse.Namespace) -> int:
    """Measure, save, print."""
    from pathlib import Path

    from planner.inspect.calibration import calibration_path
    from tuner.calibrate.api import calibrate
    from tuner.calibrate.text import calibration_text

    path = Path(arguments.out) if arguments.out else calibration_path()
    found = calibrate(lambda text: print(f"measuring {text}", file=sys.stderr, flush=True), path)
    print(f"calibration saved to {path}", file=sys.stderr)
    print(found.to_document() if arguments.json else calibration_text(found))
    return 0
