"""``gnnfit tune --join``: two processes on one run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tuner.cli import main
from tuner.folder import RunFolder
from tuner.study import Study

PATIENCE = 120.0


@pytest.fixture(scope="module")
def joined(community_file: Path, tmp_path_factory: Any) -> tuple[Path, int]:
    """A run that two processes have worked on, and how the second ended."""
    run = Path(tmp_path_factory.mktemp("runs")) / "run"
    code = "import sys; from tuner.cli import main; sys.exit(main())"
    arguments = ["tune", str(community_file), "--budget", "24s", "--trials", "9", "--out", str(run)]
    lead = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    end = time.monotonic() + PATIENCE
    while not (run / "trials" / "0001").is_dir():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)
    status = main(["tune", "--join", str(run)])
    _, words = lead.communicate(timeout=PATIENCE)
    assert lead.returncode == 0, words
    return run, status


def test_both_search_and_one_of_them_finishes_the_run(joined: Any) -> None:
    run, status = joined
    assert status == 0
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    kinds = Counter(event["event"] for event in events)
    assert kinds["joined"] == 1
    assert kinds["winner"] == kinds["finished"] == 1, "verified and trained once"
    searched = [one for one in RunFolder(run).finished_trials() if one.purpose == "search"]
    points = Counter((one.spec.model_dump_json(), one.rung) for one in searched)
    assert max(points.values()) == 1, "nothing is measured twice"
    assert len(searched) <= 10, "two that look at once may both start the last one"
    owners = {trial.user_attrs["owner"] for trial in Study(run / "study.journal").study.trials}
    assert len(owners) == 2, "both have measured"


def test_trials_of_two_processes_on_one_machine_do_not_overlap(joined: Any) -> None:
    run, _ = joined
    running = 0
    for line in (run / "events.jsonl").read_text().splitlines():
        kind = json.loads(line)["event"]
        running += {"trial_started": 1, "trial_finished": -1}.get(kind, 0)
        assert running <= 2, "one is timed, of another the result is being written"


def test_a_finished_run_is_reported_to_who_joins_late(joined: Any, capsys: Any) -> None:
    run, _ = joined
    assert main(["tune", "--join", str(run)]) == 0
    assert "won after" in capsys.readouterr().out


def test_another_kind_of_machine_is_refused(joined: Any, capsys: Any, monkeypatch: Any) -> None:
    run, _ = joined
    monkeypatch.setattr("tuner.session.machine_fingerprint", lambda hardware: "64 cores of another kind")
    assert main(["tune", "--join", str(run)]) == 2
    err = capsys.readouterr().err
    assert "64 cores of another kind" in err
    assert "began it" in err


def test_what_join_cannot_do_is_said(joined: Any, capsys: Any, tmp_path: Path) -> None:
    run, _ = joined
    refused = (["--trials", "3"], ["--set", "hidden=8"], ["--target", "0.9"], ["graph.npz"], ["--budget", "1h"])
    for more in (*refused, ["--optimize", "memory"], ["--host-memory", "1GiB"], ["--resume"]):
        assert main(["tune", "--join", str(run), *more]) == 2
        assert "--join takes the run as it was started" in capsys.readouterr().err
    assert main(["tune", "--join", str(tmp_path)]) == 2
    assert main(["tune"]) == 2
    assert "needs a GRAPH" in capsys.readouterr().err
    assert main(["tune", "--join", str(run), "--study", "sqlite:///other.db"]) == 2
