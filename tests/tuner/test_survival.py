"""Children at their worst: nothing they do harms the machine, outlives them, or is told wrongly."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import tuner.runner as runner_module
from techniques.errors import DiskFullError
from tuner.child_log import HEAD_BYTES, TAIL_BYTES
from tuner.records import TrialState

MIB = 2**20
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are enforced on Linux")

DAEMON = """
if os.fork() == 0:  # a double fork in a session of its own, as daemons do
    os.setsid()
    if os.fork() == 0:
        {then}
        Path({file!r}).write_text(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
while not Path({file!r}).is_file() or not Path({file!r}).read_text():
    time.sleep(0.005)
"""


def test_an_allocator_faster_than_the_watchdog_is_refused_by_the_kernel(play: Any) -> None:
    """Gigabytes asked for at once, between two samples."""
    measured = play(f"held = bytearray(b'x') * {12 * 1024 * MIB}", host_bytes=300 * MIB)
    assert measured.state is TrialState.OUT_OF_MEMORY, measured.reason
    assert "MemoryError" in measured.reason


def test_pages_touched_as_fast_as_possible_stop_at_the_limit(play: Any) -> None:
    limit = 300 * MIB
    code = f"""
        import mmap
        held = mmap.mmap(-1, {8 * 1024 * MIB}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x8000)
    """
    measured = play(code, host_bytes=limit)
    assert measured.state is TrialState.OUT_OF_MEMORY, measured.reason
    assert measured.peak_host_bytes < 2 * limit + 2**30
    assert "Cannot allocate memory" in measured.reason


def test_no_trial_may_take_more_than_the_machine_has_left() -> None:
    code = (
        "import resource\nfrom tuner.limits import limit_memory, machine_left_bytes\n"
        "limit_memory(10**15)\nprint(resource.getrlimit(resource.RLIMIT_DATA)[0], machine_left_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    limit, left = map(int, done.stdout.split())
    assert abs(limit - left) < 2**30
    assert limit < psutil.virtual_memory().total


def test_the_kernel_ends_a_trial_before_the_tuner(play: Any) -> None:
    heard: list[Any] = []
    play("send(event='score', score=int(Path('/proc/self/oom_score_adj').read_text()))", heard.append)
    assert [one["score"] for one in heard if one["event"] == "score"] == [1000]
    assert int(Path("/proc/self/oom_score_adj").read_text()) < 1000


@pytest.mark.parametrize(
    "text",
    ["CUDA out of memory. Tried to allocate 2.00 GiB", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED"],
)
def test_a_full_device_is_out_of_memory_not_a_failure(text: str) -> None:
    import torch

    from tuner.failure import state_of

    assert state_of(torch.OutOfMemoryError(text))[0] is TrialState.OUT_OF_MEMORY
    assert state_of(RuntimeError(text))[0] is TrialState.OUT_OF_MEMORY


def test_an_abort_for_want_of_memory_is_out_of_memory(play: Any) -> None:
    said = "terminate called after throwing an instance of 'std::bad_alloc'"
    measured = play(f'os.write(2, b"{said}\\n")\nos.abort()')
    assert measured.state is TrialState.OUT_OF_MEMORY
    assert "SIGABRT" in measured.reason


def test_a_child_that_sleeps_in_c_and_hears_nothing_is_stopped(play: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(runner_module, "GRACE_SECONDS", 0.2)
    code = """
        blocked = set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        ctypes.PyDLL(None).sleep(600)  # holds the interpreter's lock
    """
    started = time.monotonic()
    assert play(code, seconds=0.2).state is TrialState.TIMED_OUT
    assert time.monotonic() - started < 10


def test_a_gigabyte_of_prints_leaves_a_short_log(play: Any) -> None:
    code = """
        print("the beginning")
        libc = ctypes.CDLL(None)
        block = b"out of C " * (1 << 16)
        for place in range(2048):
            libc.write(1 + place % 2, block, len(block))
        os.write(2, b"the very end")
    """
    measured = play(code, seconds=120.0)
    assert measured.state is TrialState.COMPLETE, measured.reason
    log = (play.folder / "log.txt").read_bytes()
    assert len(log) < HEAD_BYTES + TAIL_BYTES + 200
    assert log.startswith(b"the beginning")
    assert b"bytes left out" in log
    assert log.endswith(b"the very end")


def test_what_a_child_said_last_is_kept_when_it_dies(play: Any) -> None:
    measured = play("for place in range(30000): print('line', place)\nos._exit(3)")
    assert measured.state is TrialState.FAILED
    assert "line 29999" in measured.reason


@pytest.mark.parametrize(
    "end", ["pass", "os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)", "raise ValueError('bad')"]
)
def test_a_daemon_that_a_child_leaves_behind_is_found_and_ended(play: Any, tmp_path: Path, end: str) -> None:
    file = tmp_path / f"daemon-{abs(hash(end))}.pid"
    started = time.monotonic()
    play(DAEMON.format(file=str(file), then="pass") + end)
    assert _gone(int(file.read_text())), "it must not outlive its trial"
    assert time.monotonic() - started < 20, "nor may a socket that it holds hide that its parent has ended"
    assert play("pass").state is TrialState.COMPLETE


def test_the_memory_of_a_daemon_counts(play: Any, tmp_path: Path) -> None:
    file = tmp_path / "daemon.pid"
    code = DAEMON.format(file=str(file), then=f"held = b'x' * {96 * MIB}")
    assert play(code + "time.sleep(0.3)").peak_host_bytes > 90 * MIB


def test_a_killed_tuner_takes_daemons_along(stub_path: Path, tuner_of: Any, tmp_path: Path) -> None:
    file = tmp_path / "daemon.pid"
    parent = tuner_of(DAEMON.format(file=str(file), then="pass") + "time.sleep(600)")
    _until(lambda: file.is_file() and bool(file.read_text()))
    below = [one.pid for one in psutil.Process(parent.pid).children(recursive=True)]
    assert below
    parent.kill()
    parent.wait()
    assert all(_gone(pid) for pid in [int(file.read_text()), *below])


def test_a_full_disk_stops_the_run_and_is_no_fault_of_the_candidate(play: Any) -> None:
    with pytest.raises(DiskFullError, match=r"--resume") as refused:
        play(f"raise OSError({errno.ENOSPC}, os.strerror({errno.ENOSPC}))")
    assert refused.value.exit_code == 1
    assert play("pass").state is TrialState.COMPLETE, "the server goes on"


@pytest.fixture
def tuner_of(stub_path: Path, make_facts: Any, spec_for: Any, request_for: Any) -> Any:
    """``tuner_of(code)``: a process that measures a child that runs this code."""
    started: list[Any] = []
    facts = make_facts()

    def start(code: str) -> Any:
        request = request_for(facts, spec_for(facts))
        (Path(request.folder) / "code.py").write_text(code)
        script = (
            "import sys\nfrom tuner.records import WorkRequest\nfrom tuner.runner import Runner\n"
            "with Runner() as runner:\n    runner.measure(WorkRequest.model_validate_json(sys.argv[1]))\n"
        )
        path = os.pathsep.join([str(stub_path), *(one for one in sys.path if one)])
        command = [sys.executable, "-c", script, request.model_dump_json()]
        process = subprocess.Popen(command, cwd=request.folder, env={**os.environ, "PYTHONPATH": path})
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def _gone(pid: int, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def _until(ready: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)
