"""Children that complete, break limits, crash, hang and leave things behind: the runner says what happened, and nothing
is left.

A stub takes the place of ``tuner.worker`` in the server's process: a package ``tuner`` that stands first on the path
and otherwise leads to the real one. The watching side is the real thing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import tuner.runner as runner_module
from techniques.forecast import Phase
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.folder import spill
from tuner.records import Limits, TrialState, WorkRequest
from tuner.runner import Runner

MIB = 2**20
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are enforced on Linux")


@pytest.fixture(scope="module", autouse=True)
def no_other_server(server: Runner) -> None:
    """The one that tests share starts again when it is next used."""
    server.close()


def _gone(pid: int, seconds: float = 20.0) -> bool:
    """Ended, or a zombie that its parent has yet to reap."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def _servers() -> list[Any]:
    return [one for one in psutil.Process().children() if "tuner.server" in one.cmdline()]


def test_a_child_that_completes(play: Any) -> None:
    heard: list[Any] = []
    measured = play("send(event='epoch', epoch=1)", heard.append)
    assert measured.state is TrialState.COMPLETE
    assert measured.wall_seconds > 0
    assert {"event": "epoch", "epoch": 1} in heard


def test_memory_is_measured_above_the_baseline(play: Any) -> None:
    measured = play(f"held = b'x' * {64 * MIB}\ntime.sleep(0.2)")
    assert 60 * MIB < measured.peak_host_bytes < 80 * MIB
    assert measured.baseline_host_bytes > MIB


def test_what_a_phase_held_at_its_end_counts_for_it_and_not_what_the_next_one_takes_at_once(play: Any) -> None:
    measured = play(
        "import tuner.memory; held = tuner.memory.process_usage(os.getpid()).held_bytes + (40 << 20)\n"
        "send(event='phase', phase='evaluate', held=held); block = bytearray(b'x' * (96 << 20)); time.sleep(0.1)\n"
        "spent = {'host_peak_bytes': 0, 'device_peak_bytes': None, 'seconds': 0}\n"
        "phases = {'train': spent, 'evaluate': spent}\n"
        "send(event='result', measurement={'state': 'complete', 'epochs': 1, 'phases': phases})"
    )
    train, evaluate = (measured.phases[one].host_peak_bytes for one in (Phase.TRAIN, Phase.EVALUATE))
    assert 40 * MIB <= train < 48 * MIB, "it held so much in between, as it says"
    assert evaluate > 90 * MIB


def test_the_watchdog_stops_a_child_that_takes_too_much(play: Any) -> None:
    limit = 200 * MIB
    before = psutil.virtual_memory().available
    code = f"held = []\nwhile True:\n    held.append(bytearray(b'x') * {8 * MIB})\n    time.sleep(0.004)"
    measured = play(code, host_bytes=limit)
    assert measured.state is TrialState.OUT_OF_MEMORY
    assert f"limit {limit:,}" in measured.reason
    assert "train" in measured.reason
    used = int(measured.reason.split("used ")[1].split(" ")[0].replace(",", ""))
    assert limit < used < before
    assert play("pass").state is TrialState.COMPLETE, "the server goes on"


def test_a_limit_below_the_start_itself_ends_at_once(play: Any) -> None:
    """The child is killed in the moment it is forked, perhaps before it leads a group of its own."""
    started = time.monotonic()
    for _ in range(10):
        measured = play("time.sleep(600)", host_bytes=1)
        assert measured.state is TrialState.OUT_OF_MEMORY
    assert time.monotonic() - started < runner_module.START_SECONDS


@pytest.mark.parametrize(
    "code, state, words",
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", TrialState.KILLED, "SIGKILL"),
        ("ctypes.string_at(0)", TrialState.FAILED, "SIGSEGV"),
        ("os.abort()", TrialState.FAILED, "SIGABRT"),
        ("raise ValueError('a bad day')", TrialState.FAILED, "a bad day"),
        ("sys.exit('leaving')", TrialState.FAILED, "leaving"),
        ("os._exit(7)", TrialState.FAILED, "status 7"),
    ],
)
def test_a_child_that_dies_says_how_and_the_next_one_runs(play: Any, code: str, state: Any, words: str) -> None:
    measured = play(code)
    assert measured.state is state
    assert words in measured.reason
    assert play("pass").state is TrialState.COMPLETE


def test_a_child_that_dies_before_its_baseline_is_read(play: Any) -> None:
    """A socket that is closed with unread data resets the connection rather than ending it."""
    code = "send(event='baseline')\nsend(event='baseline')\ntime.sleep(0.1)\nos.kill(os.getpid(), signal.SIGKILL)"
    assert play(code, target=0.5).state is TrialState.KILLED


def test_a_child_that_hangs_is_stopped(play: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(runner_module, "GRACE_SECONDS", 0.5)
    pids: list[int] = []
    measured = play("send(event='pid', pid=os.getpid())\ntime.sleep(600)", _pids(pids), seconds=0.5)
    assert measured.state is TrialState.TIMED_OUT
    assert "limit" in measured.reason
    assert _gone(pids[0])


def test_a_child_that_ignores_signals_is_stopped(play: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(runner_module, "GRACE_SECONDS", 0.2)
    code = "for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(n, signal.SIG_IGN)\ntime.sleep(600)"
    assert play(code, seconds=0.2).state is TrialState.TIMED_OUT


def test_what_a_child_prints_goes_to_its_log(play: Any, capfd: Any) -> None:
    measured = play("for i in range(20000): print('line', i); print('warn', i, file=sys.stderr)\nos.write(1, b'raw')")
    assert measured.state is TrialState.COMPLETE
    log = (play.folder / "log.txt").read_text()
    assert "line 19999" in log
    assert "warn 19999" in log
    assert capfd.readouterr() == ("", "")


def test_processes_that_a_child_leaves_behind_are_ended(play: Any) -> None:
    pids: list[int] = []
    code = "left = subprocess.Popen(['sleep', '600'])\nsend(event='pid', pid=left.pid)"
    assert play(code, _pids(pids)).state is TrialState.COMPLETE
    assert play(code + "\nos._exit(3)", _pids(pids)).state is TrialState.FAILED
    assert len(pids) == 2
    assert all(_gone(pid) for pid in pids)


def test_the_memory_of_a_childs_own_children_counts(play: Any) -> None:
    code = f"""
        read, write = os.pipe()
        if os.fork() == 0:
            held = b'x' * {64 * MIB}
            os.write(write, b'1')
            time.sleep(600)
        os.read(read, 1)
        time.sleep(0.2)
    """
    assert play(code).peak_host_bytes > 60 * MIB


def test_many_children_share_one_server_and_leave_nothing_open(play: Any) -> None:
    play("pass")
    server = _servers()[0]
    files = server.num_fds(), psutil.Process().num_fds()
    for _ in range(10):
        assert play("pass").state is TrialState.COMPLETE
    assert [one.pid for one in _servers()] == [server.pid]
    assert (server.num_fds(), psutil.Process().num_fds()) == files
    assert not [one for one in server.children() if one.status() != psutil.STATUS_ZOMBIE]


def test_a_server_that_dies_is_started_again(play: Any, stubbed: Runner) -> None:
    code = "os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(600)"
    assert play(code).state is TrialState.KILLED
    assert play("pass").state is TrialState.COMPLETE


def test_close_leaves_no_process(play: Any, stubbed: Runner) -> None:
    pids: list[int] = []

    class Interrupted(BaseException):
        pass

    def interrupt(event: Any) -> None:
        if event["event"] == "pid":
            pids.extend((event["pid"], event["left"]))
            raise Interrupted

    with pytest.raises(Interrupted):
        play(
            "l = subprocess.Popen(['sleep', '600']); send(event='pid', pid=os.getpid(), left=l.pid)\ntime.sleep(600)",
            interrupt,
        )
    servers = [one.pid for one in _servers()]
    stubbed.close()
    assert servers
    assert all(_gone(pid) for pid in [*pids, *servers])
    assert not _servers()
    stubbed.close()


def test_a_killed_tuner_leaves_no_orphan(stub_path: Path, make_facts: Any, spec_for: Any, request_for: Any) -> None:
    facts = make_facts()
    request = request_for(facts, spec_for(facts))
    (Path(request.folder) / "code.py").write_text(
        "send(event='pid', pid=os.getpid(), server=os.getppid())\ntime.sleep(600)"
    )
    code = (
        "import sys\nfrom tuner.records import WorkRequest\nfrom tuner.runner import Runner\n"
        "def tell(event):\n    if event['event'] == 'pid': print(event['pid'], event['server'], flush=True)\n"
        "request = WorkRequest.model_validate_json(sys.argv[1])\n"
        "with Runner() as runner:\n    runner.measure(request, tell)\n"
    )
    path = os.pathsep.join([str(stub_path), *(one for one in sys.path if one)])
    parent = subprocess.Popen(
        [sys.executable, "-c", code, request.model_dump_json()],
        stdout=subprocess.PIPE,
        cwd=request.folder,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert parent.stdout is not None
    with parent.stdout:
        pids = [int(one) for one in parent.stdout.readline().split()]
        parent.kill()
        parent.wait()
    assert len(pids) == 2
    assert all(_gone(pid) for pid in pids)


def test_a_real_trial_completes_and_a_tiny_limit_stops_it(
    communities: Any, profiled: Any, spec_for: Any, tmp_path: Path, request_for: Any
) -> None:
    stored = ArrayGraph("communities", communities())
    facts = profiled(stored)
    graph = tmp_path / "graph"
    spill(stored, graph)
    spec = spec_for(facts, {"architecture": "gcn", "sampling": "full_batch"}, hidden=8, layers=2)
    with Runner() as runner:
        measured = runner.measure(request_for(facts, spec, graph, epochs=3))
        assert measured.state is TrialState.COMPLETE, measured.reason
        assert measured.epochs == 3
        assert measured.baseline_host_bytes > 50 * MIB
        assert measured.peak_host_bytes == max(one.host_peak_bytes for one in measured.phases.values())
        assert json.loads(measured.model_dump_json())["state"] == "complete"
        limit = measured.baseline_host_bytes // 2
        stopped = runner.measure(request_for(facts, spec, graph, epochs=3, host_bytes=limit))
        assert stopped.state is TrialState.OUT_OF_MEMORY
        assert f"{limit:,}" in str(stopped.reason)
        again = runner.measure(request_for(facts, spec, graph, epochs=3))
        assert (again.metric, again.epochs) == (measured.metric, 3), "a seeded run, told apart from what ran before"


def test_an_error_of_the_real_worker_is_a_failed_measurement(
    make_facts: Any, spec_for: Any, server: Runner, tmp_path: Path
) -> None:
    facts = make_facts()
    request = WorkRequest(
        spec=spec_for(facts),
        facts=facts,
        graph=str(tmp_path / "nowhere"),
        folder=str(tmp_path),
        limits=Limits(host_bytes=8 * 2**30, seconds=30),
    )
    measured = server.measure(request)
    assert measured.state is TrialState.FAILED
    assert "nowhere" in str(measured.reason)


def _pids(found: list[int]) -> Any:
    return lambda event: found.append(event["pid"]) if event["event"] == "pid" else None
