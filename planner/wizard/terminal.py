"""Whether there is a terminal to draw on, and the application's run on it."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
from collections.abc import Iterator

from techniques.errors import InputError


def require_terminal(what: str, instead: str) -> None:
    """Refuse to draw into files and pipes.

    Args:
        what: the command that needs a terminal.
        instead: the command that does not.

    Raises:
        InputError: stdin, stdout or stderr is no terminal, or it cannot move its cursor.
    """
    streams = {"stdin": sys.stdin, "stdout": sys.stdout, "stderr": sys.stderr}
    missing = [name for name, stream in streams.items() if stream is None or not stream.isatty()]
    if missing:
        raise InputError(
            f"{what} needs a terminal, {' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} none",
            f"Use {instead}",
        )
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise InputError(
            f"{what} needs a terminal that can move its cursor, TERM is {os.environ.get('TERM')!r}", f"Use {instead}"
        )


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """The line discipline as it was before, whatever happened between: a stop and a continue from outside make Textual
    remember its own."""
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error, OSError):
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
