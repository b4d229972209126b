"""``calibrate``: measure this machine in a child process, watched as trials are, and save what was found."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from planner.inspect.calibration import calibration_path, read_calibration
from planner.inspect.machine import inspect_machine
from techniques.errors import OptionError, TrialFailedError
from techniques.hardware.allocator import RUN_ENVIRONMENT
from techniques.hardware.calibration import Calibration
from tuner.memory import tree_usage
from tuner.runner import SAMPLE_SECONDS

MOST_THREAD_COUNTS = 3


def calibrate(progress: Callable[[str], None] = lambda text: None, path: Path | None = None) -> Calibration:
    """Measure, save and return; takes some 40 s on a machine that does nothing else.

    Args:
        progress: told what is being measured.
        path: where to save; by default where plans look for it.

    Raises:
        TrialFailedError: the child failed; its words are on stderr.
        OptionError: ``path`` is a folder.
    """
    path = path or calibration_path()
    if path.is_dir():  # 40 s later it would be too late
        raise OptionError(
            f"a calibration is saved in a file, {path} is a folder", "Name a file, such as --out rates.json"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gnnfit-calibrate-", dir=path.parent) as folder:
        out = Path(folder) / "calibration.json"
        _run(out, thread_counts(inspect_machine().cores), progress)
        found = read_calibration(out)
        out.replace(path)
    return found


def thread_counts(cores: int) -> list[int]:
    """One, all cores, and half of them where that is another number."""
    return sorted({1, max(cores // 2, 1), cores})[-MOST_THREAD_COUNTS:]


def _run(out: Path, threads: list[int], progress: Callable[[str], None]) -> None:
    search_path = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-m", "tuner.calibrate.child", str(out), *map(str, threads)]
    environment = {**os.environ, **RUN_ENVIRONMENT, "PYTHONPATH": search_path}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment) as child:
        try:
            _follow(child, progress)
        except BaseException:
            child.kill()
            raise
        status = child.wait()
    if status:
        raise TrialFailedError(f"calibrating ended with status {status}", "See the lines above")


def _follow(child: subprocess.Popen[bytes], progress: Callable[[str], None]) -> None:
    """Pass progress on until the child closes its end; look at its memory as a trial's watch does, which costs time."""
    assert child.stdout is not None
    descriptor, rest = child.stdout.fileno(), b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], SAMPLE_SECONDS)
        tree_usage(child.pid)
        if not ready:
            continue
        received = os.read(descriptor, 1 << 16)
        if not received:
            return
        *lines, rest = (rest + received).split(b"\n")
        for line in lines:
            progress(line.decode(errors="replace"))
