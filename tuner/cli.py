"""``gnnfit``: its own commands (measure, tune, run, report) beside the planner's (plan, doctor).

stdout carries the result only; progress and words go to stderr. Exit codes: 0 done, 1 failed, 2 usage, 3 nothing fits,
4 no trial succeeded, 5 a dependency is missing, 75 the run is locked, 129, 130, 141 and 143 on signals.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from planner.cli import add_plan
from planner.config import parse
from planner.doctor_cli import add_doctor
from planner.flags import Parser
from planner.wizard_cli import add_wizard, run_wizard
from techniques import compiled
from techniques.errors import FULL_DISK, GnnfitError
from tuner.calibrate.cli import add_calibrate
from tuner.commands import add_export, add_measure, add_report, add_run, add_tune
from tuner.watch_cli import add_watch, run_watch

EXIT_USAGE, EXIT_MISSING, EXIT_SIGNAL, EXIT_INTERRUPTED, EXIT_PIPE = 2, 5, 128, 130, 141


class Terminated(BaseException):
    """SIGTERM or SIGHUP: unwinds like a keyboard interrupt, so that children are killed and locks released."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__()
        self.number = number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; every error is one line on stderr and an exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup: the run goes on when its terminal closes
            signal.signal(number, _terminate)
    kept = ""
    try:
        top, commands = parser()
        parsed = parse(top, commands, arguments)
        kept = getattr(parsed, "kept", "")
        with _steps_told(parsed):
            code = int(parsed.run(parsed))
        sys.stdout.flush()
        return code
    except GnnfitError as error:
        return _say(str(error), error.exit_code)
    except ImportError as error:
        return _say(f"a package is missing: {error}. Install gnnfit again with its dependencies.", EXIT_MISSING)
    except BrokenPipeError:  # as in gnnfit plan ... | head: the reader has what it wanted
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    except OSError as error:
        if error.errno in FULL_DISK:
            go_on = kept and f", then go on with the same command and --resume: {kept}"
            return _say(f"the disk is full: {error}. Make room{go_on}.", 1)
        return _say(
            f"the file system refused: {error}. Check the path, its permissions and the space left.", EXIT_USAGE
        )
    except KeyboardInterrupt:
        return _say(f"interrupted{kept and f'; {kept}'}.", EXIT_INTERRUPTED)
    except Terminated as error:
        return _say(f"terminated{kept and f'; {kept}'}.", EXIT_SIGNAL + error.number)


def parser() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """``gnnfit`` itself, and all commands by name."""
    top = Parser(
        prog="gnnfit",
        description="Will your graph network fit, and how do we make it fit?",
        epilog="examples:\n  gnnfit wizard\n  gnnfit plan pyg:KarateClub\n  gnnfit tune pyg:KarateClub --budget 30s --out RUN\n"
        "  gnnfit report RUN\n\ngnnfit COMMAND --help says more about each.",
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    add_wizard(commands)
    add_plan(commands)
    add_tune(commands)
    add_watch(commands)
    add_report(commands)
    add_run(commands)
    add_export(commands)
    add_doctor(commands)
    add_measure(commands)
    add_calibrate(commands)
    return top, commands.choices


class _Version(argparse.Action):
    def __call__(self, *ignored: Any, **also: Any) -> NoReturn:
        from importlib.metadata import version

        print(f"gnnfit {version('gnnfit')}")
        sys.exit(0)


@contextlib.contextmanager
def _steps_told(parsed: argparse.Namespace) -> Iterator[None]:
    """What takes long is said on stderr before it begins: kernels, to who waits at a terminal that nothing else draws on, and the
    steps of a user's own module, as logging costs start-up otherwise."""
    drawn = parsed.run in (run_wizard, run_watch)
    compiled.announce = _tell_of_kernels if sys.stderr.isatty() and not drawn else None
    if ":" not in (getattr(parsed, "model", None) or ""):
        yield
        return
    import logging

    log, handler = logging.getLogger("planner"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("gnnfit: %(message)s"))
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def _tell_of_kernels() -> None:
    _say("compiling kernels for this processor, once: some 15 s", 0)


def _terminate(number: int, frame: Any) -> NoReturn:
    raise Terminated(number)


def _say(text: str, code: int) -> int:
    with contextlib.suppress(OSError):
        print(f"gnnfit: {' '.join(text.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
