"""How a measurement failed: an exception in the child, or its exit status, as a trial state with a reason."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from techniques.errors import FULL_DISK, DiskFullError, GnnfitError, InputError, TrialFailedError
from techniques.own_model import OWN_EXIT
from tuner.records import Measurement, TrialState

HOST_MEMORY_WORDS = (
    "can't allocate memory",
    "Cannot allocate memory",
    "std::bad_alloc",
    "Unable to allocate",
    "MemoryError",
    "not enough memory",
    "LLVM ERROR: out of memory",
)
DEVICE_MEMORY_WORDS = ("CUDA out of memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
LOG_TAIL_BYTES = 64 * 1024


def state_of(error: BaseException) -> tuple[TrialState, str]:
    """The state that an exception in the child stands for.

    ``torch.OutOfMemoryError`` is a RuntimeError, and a CPU allocation failure is a plain RuntimeError: both are told
    by name and words, so that this module needs no torch.
    """
    said = error.problem if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    text = said.strip()
    first = text.splitlines()[0][:400]
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return TrialState.OUT_OF_MEMORY, first
    if any(word in text for word in (*HOST_MEMORY_WORDS, *DEVICE_MEMORY_WORDS)):
        return TrialState.OUT_OF_MEMORY, first
    return TrialState.FAILED, first


def remedy_of(error: BaseException) -> str | None:
    """What the user can do about an exception in the child; ``None`` where it is none of theirs."""
    if isinstance(error, InputError):
        return error.remedy
    if isinstance(error, FloatingPointError):
        return "Write --set learning_rate=0.001 or less"
    return None


def error_of(problem: str, measured: Measurement, otherwise: str) -> GnnfitError:
    """The error for a measurement that had to succeed: the user's to mend where there is a remedy."""
    if measured.remedy is not None:
        return InputError(problem, measured.remedy)
    return TrialFailedError(problem, otherwise)


def failure_of(status: int, log: Path) -> tuple[TrialState, str]:
    """The state of a child that ended without a result."""
    if status == -signal.SIGKILL:
        return TrialState.KILLED, "killed by SIGKILL, as the kernel does when the machine runs out of memory"
    last = _last_line(log)
    short_of_memory = any(word in last for word in HOST_MEMORY_WORDS)  # what C++ cannot allocate aborts the process
    state = TrialState.OUT_OF_MEMORY if short_of_memory else TrialState.FAILED
    if status < 0:
        name = signal.strsignal(-status) or "without a name"
        if -status in {one.value for one in signal.Signals}:
            name = signal.Signals(-status).name
        more = f": {last}" if short_of_memory else f"; see {log}" if log.is_file() else ""
        return state, f"ended by signal {name}{more}"
    return state, f"ended with status {status} and no result: {last}"


def exit_of_own(reason: str, factory: str) -> tuple[str, str]:
    """Reason and remedy where a trial of the user's own module ended its process: nothing of gnnfit's does."""
    return f"a trial of {factory} {reason}", OWN_EXIT


def refuse_full_disk(reason: str | None, folder: Path) -> None:
    """A full disk is no property of a candidate: the run stops instead of failing every trial.

    Raises:
        DiskFullError: ``reason`` says that the disk is full.
    """
    if reason and any(f"[Errno {one}]" in reason or os.strerror(one) in reason for one in FULL_DISK):
        raise DiskFullError(f"the disk is full: {reason} (in {folder})", ROOM)


ROOM = "Make room, then give the same command with --resume: finished trials are kept"


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", errors="replace").strip().splitlines()
    except FileNotFoundError:  # there is a log once there is a word
        lines = []
    except OSError:
        return "no log"
    return lines[-1][:400] if lines else "it printed nothing"
