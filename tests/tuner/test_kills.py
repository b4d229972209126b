"""A tuner that is killed at random moments: nothing finished is lost or repeated, and nothing is left behind.

The tuner is forked from this process, which has paid for its imports; its trials are run by a stub.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import tuner
from tuner.cli import main
from tuner.folder import RunFolder
from tuner.study import open_study

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux's")
KILLS, TRIALS, LONGEST_SECONDS = 50, 12, 0.5
STUB = """
import hashlib, json, subprocess, time

def work(message, channel):
    def send(**event):
        channel.sendall(json.dumps(event).encode() + b"\\n")

    send(event="baseline")
    channel.recv(1)
    left = subprocess.Popen(["sleep", "600"], start_new_session=True)
    send(event="phase", phase="train")
    time.sleep(0.02)
    lucky = hashlib.md5(json.dumps(message["spec"], sort_keys=True).encode()).digest()[0] / 256
    history = [{"epoch": n, "seconds": n * (1 + lucky), "loss": 1.0, "metric": lucky * n / 3} for n in (1, 2, 3)]
    send(event="result", measurement={"state": "complete", "epochs": 3, "metric": lucky, "test_metric": lucky,
         "history": history, "epoch_seconds": 1 + lucky})
"""


@pytest.fixture
def stub_tuner(tmp_path_factory: Any, monkeypatch: Any) -> Path:
    """A path on which ``tuner.worker`` answers at once, with a number that depends on what it is asked."""
    folder = Path(tmp_path_factory.mktemp("quick"))
    package = folder / "tuner"
    package.mkdir()
    real = Path(tuner.__file__).parent
    (package / "__init__.py").write_text(f"__path__ = [{str(package)!r}, {str(real)!r}]\n")
    (package / "preload.py").write_text("import tuner.worker\n")
    (package / "worker.py").write_text(STUB)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def forked(stub_tuner: Path, community_file: Path) -> Callable[[Path], int]:
    """``forked(run)``: the process id of a tuner of ``run``, made or resumed."""

    def start(run: Path, prepare: Callable[[], None] = lambda: None) -> int:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                prepare()
                resume = ["--resume"] * (run / "spec.toml").is_file()
                arguments = ["tune", str(community_file), "--out", str(run), "--trials", str(TRIALS), "--budget", "15m"]
                with (run.parent / "words.txt").open("w") as words:
                    sys.stdout = sys.stderr = words
                    try:
                        status = main([*arguments, *resume])
                    except BaseException:
                        traceback.print_exc(file=words)
            finally:
                os._exit(status)
        return pid

    return start


def test_fifty_kills_at_random_moments(forked: Any, tmp_path: Path) -> None:
    moments, kills, runs = random.Random(7), 0, 0
    while kills < KILLS:
        runs += 1
        kills += _kill_until_finished(forked, tmp_path / f"run-{runs}", moments, KILLS - kills)
    assert kills == KILLS


def _kill_until_finished(forked: Any, run: Path, moments: random.Random, most: int) -> int:
    """Kill and resume a run until it is done, at most so many times; then it goes through: how many kills it took."""
    kept: dict[Path, bytes] = {}
    kills = 0
    while not (run / "report.json").is_file():
        pid = forked(run)
        if kills < most:
            time.sleep(moments.uniform(0.0, LONGEST_SECONDS))
            kills += 1
            _kill(pid, run.parent / "words.txt")
        else:
            _, status = os.waitpid(pid, 0)
            assert os.WEXITSTATUS(status) == 0
        assert {file: file.read_bytes() for file in kept} == kept, "a finished trial is never touched again"
        kept |= {file: file.read_bytes() for file in run.glob("trials/*/trial.json")}
        for text in kept.values():
            json.loads(text)
    _, status = os.waitpid(forked(run), 0)
    assert os.WEXITSTATUS(status) == 0
    _check(run, kept)
    return kills


def _kill(pid: int, words: Path) -> None:
    below = _below(pid)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0, words.read_text()
    assert all(_gone(one) for one in below), "orphans, or what trials left behind"


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_within_five_seconds(
    forked: Any, tmp_path: Path, number: int, code: int, slow_trials: None
) -> None:
    run = tmp_path / "run"
    pid = forked(run)
    _until(lambda: (run / "trials" / "0001" / "log.txt").parent.is_dir() and len(_below(pid)) >= 3)
    below, sent = _below(pid), time.monotonic()
    os.kill(pid, number)
    _, status = os.waitpid(pid, 0)
    assert time.monotonic() - sent < 5
    assert os.WEXITSTATUS(status) == code
    assert all(_gone(one) for one in below)
    assert json.loads((run / "events.jsonl").read_text().splitlines()[-1])["event"] == "interrupted"
    assert "finished trials are kept" in (tmp_path / "words.txt").read_text()


def test_a_full_disk_stops_the_run_and_it_goes_on_once_there_is_room(forked: Any, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk], check=False).returncode:
        pytest.skip("a disk of a given size takes root's rights")
    try:
        run = disk / "run"
        pid = forked(run)
        _until(lambda: (run / "trials" / "0001" / "trial.json").is_file())
        _fill(disk / "filler")
        _, status = os.waitpid(pid, 0)
        words = (disk / "words.txt").read_text() if (disk / "words.txt").is_file() else ""
        assert os.WEXITSTATUS(status) == 1, words
        kept = {file: file.read_bytes() for file in run.glob("trials/*/trial.json")}
        assert kept
        (disk / "filler").unlink()
        assert os.waitstatus_to_exitcode(os.waitpid(forked(run), 0)[1]) == 0, (disk / "words.txt").read_text()
        _check(run, kept)
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


def _fill(file: Path) -> None:
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        while True:
            out.write(b"x" * 4096)
    with contextlib.suppress(OSError), file.open("ab", buffering=0) as out:
        while True:
            out.write(b"x")


def test_a_clock_that_jumps_changes_nothing(forked: Any, tmp_path: Path) -> None:
    def jump() -> None:
        moments = random.Random(3)
        time.time = lambda: moments.uniform(0.0, 4e9)

    run = tmp_path / "run"
    started = time.monotonic()
    assert os.waitstatus_to_exitcode(os.waitpid(forked(run, jump), 0)[1]) == 0, (tmp_path / "words.txt").read_text()
    report = json.loads((run / "report.json").read_text())
    assert 0 < report["elapsed_seconds"] <= time.monotonic() - started
    _check(run, {})


@pytest.fixture
def slow_trials(stub_tuner: Path) -> None:
    """Every trial takes a minute."""
    worker = stub_tuner / "tuner" / "worker.py"
    worker.write_text(STUB.replace("time.sleep(0.02)", "time.sleep(60)"))


def _until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 60.0
    while not ready():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def _check(run: Path, kept: dict[Path, bytes]) -> None:
    assert {file: file.read_bytes() for file in kept} == kept, "no finished trial is lost"
    trials = RunFolder(run).finished_trials()
    assert len({one.number for one in trials}) == len(trials)
    searched = Counter((one.purpose, one.share, one.rung, one.spec.model_dump_json()) for one in trials)
    assert set(searched.values()) == {1}, "none is measured twice"
    assert 1 <= sum(one.purpose == "search" for one in trials) <= TRIALS
    states = Counter(one.state.name for one in open_study(run / "study.journal").trials)
    assert "RUNNING" not in states
    assert not list(run.rglob("*.part")), "no half-written file"
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines() if line.startswith("{")]
    elapsed = [event["elapsed_seconds"] for event in events]
    assert elapsed == sorted(elapsed)


def _below(pid: int) -> list[Any]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _gone(process: Any, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False
