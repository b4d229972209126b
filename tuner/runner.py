"""One candidate in a child process, limited in memory and time, watched from outside."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from techniques.base import Slot
from techniques.errors import TrialFailedError
from techniques.forecast import Phase
from techniques.hardware.allocator import RUN_ENVIRONMENT
from tuner.child_log import ChildLog
from tuner.failure import exit_of_own, failure_of, refuse_full_disk
from tuner.folder import write_text
from tuner.memory import PeakByPhase, Usage, tree_usage
from tuner.records import Measurement, TrialState, WorkRequest

SAMPLE_SECONDS = 0.005
"""Well below the 10 ms within which a peak must be seen."""
GRACE_SECONDS = 20.0
"""Beyond its own limit a child may finish its step, evaluate and report, at least so long; then it is killed."""
PREPARE_SECONDS = 600.0
"""Loading and preparing a graph may take so much longer than training is allowed to."""
START_SECONDS = 120.0
LEAVE_SECONDS = 2.0
"""A server that is told to leave has so long."""
REQUEST, LOG = "request.json", "log.txt"
BURY = b"\n"
Progress = Callable[[dict[str, Any]], None]


class Runner:
    """Runs measurements one at a time; use as a context manager so that nothing is left behind."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._buffer = b""
        self._child: int | None = None

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the running child, if any; the server ends what it left behind, then itself."""
        self._kill_child()
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(LEAVE_SECONDS)
            self._process.kill()
            self._process.wait()
            self._process = None
        self._buffer = b""

    def measure(self, request: WorkRequest, progress: Progress = lambda event: None) -> Measurement:
        """Run one request to its end, whatever the end is.

        Args:
            progress: called with every event of the child: ``{"event": "epoch", ...}`` and others.
        """
        self.start()
        folder = Path(request.folder)
        write_text(folder / REQUEST, request.model_dump_json())
        ours, theirs = socket.socketpair()
        with ours, ChildLog(folder / LOG) as log:
            with theirs:
                self._send(request, theirs, log)
            watch = _Watch(request, self._child or 0, ours, log, progress)
            try:
                watch.follow()
            finally:
                self._kill_child()
                status = self._bury_child()
        measured = watch.measurement(status)
        refuse_full_disk(measured.reason, folder)
        return measured

    def start(self) -> None:
        """Have the server ready: it imports torch and PyG, which takes a busy machine many seconds."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair()
        search_path = os.pathsep.join(path for path in sys.path if path)
        environment = {**os.environ, **RUN_ENVIRONMENT, "PYTHONPATH": search_path}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tuner.server", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env=environment,
                process_group=0,  # ctrl+c at the terminal is for the tuner, which then ends the server
            )
        ours.settimeout(START_SECONDS)
        self._control = ours
        self._read_message()

    def _send(self, request: WorkRequest, channel: socket.socket, log: ChildLog) -> None:
        assert self._control is not None
        folder = Path(request.folder)
        on_cpu = request.spec.options.get(Slot.HARDWARE) != "cuda"  # a CUDA context maps more than it will ever touch
        host_bytes = request.limits.host_bytes if on_cpu else None
        message = {"request": str(folder / REQUEST), "host_bytes": host_bytes}
        socket.send_fds(self._control, [json.dumps(message).encode()], [channel.fileno(), log.writing])
        log.close_writing()
        self._child = int(self._read_message()["pid"])

    def _bury_child(self) -> int:
        """Its exit status; the server ends what it left behind."""
        assert self._control is not None
        try:
            self._control.sendall(BURY)
            status = int(self._read_message()["status"])
        except (TrialFailedError, OSError):
            self.close()
            return -signal.SIGKILL
        return status

    def _read_message(self) -> dict[str, Any]:
        assert self._control is not None
        while b"\n" not in self._buffer:
            try:
                received = self._control.recv(65536)
            except TimeoutError:
                raise TrialFailedError(
                    f"the trial server did not answer within {START_SECONDS:.0f} s", "Try again on a less busy machine"
                ) from None
            if not received:
                raise TrialFailedError("the trial server ended by itself", "See the lines above")
            self._buffer += received
        line, self._buffer = self._buffer.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        return message

    def _kill_child(self) -> None:
        """The server keeps the dead child until it is told to bury it: the id is no other process's."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child, signal.SIGKILL)
            self._child = None


class _Watch:
    """Follows one child: its events, its memory and its time."""

    def __init__(
        self, request: WorkRequest, pid: int, channel: socket.socket, log: ChildLog, progress: Progress
    ) -> None:
        self.request, self.pid, self.channel, self.log, self.progress = request, pid, channel, log, progress
        self.peaks = PeakByPhase()
        self.phase: str | None = None
        self.buffer = b""
        self.result: dict[str, Any] | None = None
        self.state: TrialState | None = None
        self.reason: str | None = None
        self.started = time.monotonic()
        self.training_since: float | None = None

    def follow(self) -> None:
        """Return when the child has reported its result, ended, or broken a limit."""
        while self.state is None and self.result is None:
            if not self._read(SAMPLE_SECONDS):
                return
            if not self._sample():
                while self._read(0.0):  # it has ended: what it said last
                    pass
                return
            self._check_time()

    def _read(self, seconds: float) -> bool:
        """Wait so long for events or prints; whether there is more to expect."""
        sources: list[Any] = [self.channel] if self.log.ended else [self.channel, self.log.reading]
        ready, _, _ = select.select(sources, [], [], seconds)
        if self.log.reading in ready:
            self.log.pump()
        if self.channel in ready:
            return self._read_events()
        return seconds > 0

    def _read_events(self) -> bool:
        try:
            received = self.channel.recv(1 << 16)
        except ConnectionResetError:  # it died before it had read what was sent to it
            return False
        if not received:
            return False
        *lines, self.buffer = (self.buffer + received).split(b"\n")
        for line in lines:
            self._event(json.loads(line))
        return True

    def _event(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "phase":
            if self.phase is not None:
                self.peaks.add(self.phase, Usage(event["held"], 0))
            self.phase = event["phase"]
            if self.phase == Phase.TRAIN and self.training_since is None:
                self.training_since = time.monotonic()
        elif kind == "baseline":
            usage = tree_usage(self.pid)
            self.peaks = PeakByPhase(baseline_bytes=usage.held_bytes if usage else 0)
            with contextlib.suppress(BrokenPipeError):
                self.channel.sendall(b"\n")
        elif kind == "result":
            self.result = event["measurement"]
        self.progress(event)

    def _sample(self) -> bool:
        """Look at the child's memory; whether it still runs."""
        usage = tree_usage(self.pid)
        if usage is None:
            return False
        self._read(0.0)  # a phase that began meanwhile is the one that was looked at
        if self.phase is not None:
            self.peaks.add(self.phase, usage)
        limit = self.request.limits.host_bytes
        if usage.held_bytes > limit:
            self.state = TrialState.OUT_OF_MEMORY
            self.reason = (
                f"used {usage.held_bytes:,} bytes of host memory, limit {limit:,}, in {self.phase or 'start-up'}"
            )
        return True

    @property
    def _is_own(self) -> bool:
        """Whether the user's own module is trained."""
        return self.request.spec.options.get(Slot.ARCHITECTURE) == "custom"

    def _check_time(self) -> None:
        """The limit is for training: it runs from the first epoch; evaluating what was learnt may take as long again."""
        limit = self.request.limits.seconds
        training = self.training_since is not None
        allowed = limit + (max(GRACE_SECONDS, limit) if training else PREPARE_SECONDS)
        now = time.monotonic()
        wall = self.request.limits.wall_seconds
        if wall is not None and now - self.started > wall:
            self.state = TrialState.TIMED_OUT
            self.reason = f"still in {self.phase or 'start-up'} after {wall:.0f} s, all that there was for it"
        elif now - (self.training_since or self.started) > allowed:
            self.state = TrialState.TIMED_OUT
            what = "training" if training else "preparation"
            self.reason = f"{what} still ran after {allowed:.0f} s, its limit is {limit:.0f} s"

    def measurement(self, status: int) -> Measurement:
        """What came of it."""
        wall = time.monotonic() - self.started
        if self.result is None:
            state, reason, remedy = self.state, self.reason, None
            if state is None:
                state, reason = failure_of(status, self.log.file)
                own = self.request.facts.model.custom
                if state is TrialState.FAILED and own is not None and self._is_own:
                    reason, remedy = exit_of_own(reason, own.factory)
            return Measurement(
                state=state,
                reason=reason,
                remedy=remedy,
                baseline_host_bytes=self.peaks.baseline_bytes,
                peak_host_bytes=self.peaks.peak_bytes,
                wall_seconds=wall,
            )
        measured = Measurement.model_validate(self.result)
        phases = {
            phase: one.model_copy(update={"host_peak_bytes": self.peaks.peaks.get(phase.value, 0)})
            for phase, one in measured.phases.items()
        }
        return measured.model_copy(
            update={
                "baseline_host_bytes": self.peaks.baseline_bytes,
                "peak_host_bytes": self.peaks.peak_bytes,
                "mapped_peak_bytes": self.peaks.mapped_peak_bytes,
                "phases": {Phase(phase): one for phase, one in phases.items()},
                "wall_seconds": wall,
            }
        )
