"""A run as a process of its own: started so that it outlives the screen, stopped with SIGINT, found by its lock.

Pausing stops the run and going on starts the same command with ``--resume``: a stopped run gives its memory back, its
clock stands still, and it survives a logout; a frozen one would do neither, and its trials would run out of time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from techniques.sources import short_name

GNNFIT = (sys.executable, "-m", "tuner.cli")


class RunProcess:
    """One run: its folder, and its process where this screen has started it."""

    def __init__(self, folder: Path, arguments: list[str] | None = None, command: tuple[str, ...] = GNNFIT) -> None:
        self.folder, self.command = folder.expanduser().resolve(), command
        self.arguments = arguments or _said(self.folder)
        self.process: subprocess.Popen[bytes] | None = None
        self.asked_to_stop = False

    @property
    def log(self) -> Path:
        """What the command says goes beside the folder: the folder itself must be the run's own."""
        return self.folder.with_name(self.folder.name + ".log")

    def start(self, resume: bool = False) -> None:
        """Begin, or go on."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.asked_to_stop = False
        flags = ["--resume"] if resume and "--resume" not in self.arguments else []
        with self.log.open("ab" if resume else "wb") as log:
            self.process = subprocess.Popen(
                [*self.command, "tune", *self.arguments, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )

    @property
    def status(self) -> str:
        """running, finished, stopped, or failed."""
        code = self.process.poll() if self.process is not None else None
        if self.process is not None and code is None:
            return "running"
        if self.process is None and locked(self.folder):
            return "running"
        if (self.folder / "report.json").is_file():
            return "finished"
        return "stopped" if self.process is None or self.asked_to_stop else "failed"

    def stop(self) -> None:
        """As ctrl+c would: finished trials are kept."""
        self.asked_to_stop = True
        pid = self.process.pid if self.process is not None else holder(self.folder)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGINT)

    @property
    def can_stop(self) -> bool:
        return self.process is not None or holder(self.folder) is not None


def _said(folder: Path) -> list[str]:
    """The arguments that the run was started with, its folder among them."""
    try:
        words = shlex.split((folder / "command.txt").read_text(encoding="utf-8"))[2:]
    except (OSError, ValueError):
        return []
    return words if any(word.split("=")[0] == "--out" for word in words) else [*words, "--out", str(folder)]


def locked(folder: Path) -> bool:
    """Whether a process works on the run."""
    try:
        with (folder / "run.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def holder(folder: Path) -> int | None:
    """The process that holds the run's lock, as the kernel lists it; ``None`` where it does not say."""
    try:
        held = (folder / "run.lock").stat()
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    device = f"{os.major(held.st_dev):02x}:{os.minor(held.st_dev):02x}:{held.st_ino}"
    for line in lines:
        words = line.split()
        if "FLOCK" in words and "WRITE" in words and device in words:
            return int(words[words.index("WRITE") + 1])
    return None


def default_folder(graph: str, now: float | None = None) -> str:
    """``gnnfit-runs/NAME-YYYYMMDD-HHMMSS``, as ``gnnfit tune`` would choose it."""
    name = short_name(graph) or "graph"
    safe = "".join(one if one.isalnum() or one in "-_.@" else "-" for one in name)
    return f"gnnfit-runs/{safe}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}"


def recent_runs(below: Path, most: int = 8) -> list[Path]:
    """Run folders, latest first."""
    with contextlib.suppress(OSError):
        found = [one for one in below.iterdir() if (one / "spec.toml").is_file()]
        return sorted(found, key=lambda one: (one / "spec.toml").stat().st_mtime, reverse=True)[:most]
    return []
