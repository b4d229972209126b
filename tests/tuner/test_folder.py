"""Run folders: written in one step, held by one process, resumed only as the same run."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from techniques.errors import InputError, RunLockedError
from tuner.folder import RunFolder, default_folder, fingerprint, manifest, toml_text, write_text

SPEC: dict[str, Any] = {"graph": "cora.npz", "budget_seconds": 60.0, "goal": {"optimize": "time"}, "fix": {}, "set": {}}


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path, monkeypatch: Any) -> None:
    file = tmp_path / "best.json"
    write_text(file, "old")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda number: (_ for _ in ()).throw(OSError("power cut")))
        with pytest.raises(OSError, match="power cut"):
            write_text(file, "new and longer")
    assert file.read_text() == "old\n"
    write_text(file, "new")
    assert file.read_text() == "new\n"


@pytest.mark.parametrize("name", ["cora", 'a "quoted" \\ name', "tab\tline\nend", "😀 Größe", "del\x7f", "[x]", "'"])
def test_spec_toml_is_toml(name: str) -> None:
    document = {
        "graph": name,
        "budget_seconds": 1e-05,
        "trials": 3,
        "goal": {"grow": 1.0, "ddp_tried": True},
        "set": {"fanouts": [15, 10], name: name},
        "fix": {"remote.features": "memmap"},
    }
    assert tomllib.loads(toml_text(document)) == document


def test_a_second_holder_is_refused_and_the_folder_is_free_afterwards(tmp_path: Path) -> None:
    with RunFolder(tmp_path).locked(), pytest.raises(RunLockedError) as refused, RunFolder(tmp_path).locked():
        pass
    assert refused.value.exit_code == 75
    with RunFolder(tmp_path).locked():
        pass


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom tuner.folder import RunFolder\n"
        "with RunFolder(sys.argv[1]).locked():\n    print('held', flush=True)\n    time.sleep(600)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(RunLockedError), RunFolder(tmp_path).locked():
            pass
        child.kill()
        child.wait()
    with RunFolder(tmp_path).locked():
        pass


def test_start_writes_what_was_asked_for(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.start(SPEC, "gnnfit tune cora.npz", resume=False)
    assert tomllib.loads((folder.path / "spec.toml").read_text()) == SPEC
    assert (folder.path / "command.txt").read_text() == "gnnfit tune cora.npz\n"
    assert json.loads((folder.path / "manifest.json").read_text()) == manifest()
    folder.start(SPEC, "gnnfit tune cora.npz --resume", resume=True)
    assert "--resume" not in (folder.path / "command.txt").read_text()


def test_a_run_is_not_started_over_another(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.start(SPEC, "", resume=False)
    with pytest.raises(InputError, match=r"holds a run already.*--resume"):
        folder.start(SPEC, "", resume=False)


@pytest.mark.parametrize(
    "changed, name",
    [
        ({**SPEC, "budget_seconds": 61.0}, "budget_seconds"),
        ({**SPEC, "trials": 4}, "trials"),
        ({key: value for key, value in SPEC.items() if key != "fix"}, "fix"),
        ({**SPEC, "goal": {"optimize": "memory"}}, "goal"),
    ],
)
def test_a_changed_spec_is_refused_by_both_fingerprints(tmp_path: Path, changed: Any, name: str) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.start(SPEC, "", resume=False)
    with pytest.raises(InputError) as refused:
        folder.start(changed, "", resume=True)
    for part in (fingerprint(SPEC), fingerprint(changed), f"{name} changed"):
        assert part in str(refused.value)


def test_other_peoples_files_are_left_alone(tmp_path: Path, below: Any) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="new or empty"):
        RunFolder(tmp_path).refuse_foreign()
    with pytest.raises(InputError, match="new or empty"):
        RunFolder(tmp_path / "thesis.tex").refuse_foreign()
    assert below(tmp_path) == {"thesis.tex"}
    RunFolder(tmp_path / "new").refuse_foreign()


def test_what_fails_at_the_beginning_leaves_nothing(tmp_path: Path, below: Any) -> None:
    folder = RunFolder(tmp_path / "a" / "b" / "run")
    with pytest.raises(ZeroDivisionError), folder.begun():
        folder.start(SPEC, "", resume=False)
        raise ZeroDivisionError
    assert below(tmp_path) == set()
    (tmp_path / "kept").mkdir()
    with pytest.raises(ZeroDivisionError), RunFolder(tmp_path / "kept").begun():
        raise ZeroDivisionError
    assert below(tmp_path) == {"kept"}


def test_what_fails_later_is_kept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(ZeroDivisionError), folder.begun():
        folder.start(SPEC, "", resume=False)
        folder.plan.write_text("{}")
        raise ZeroDivisionError
    assert folder.plan.is_file()
    with pytest.raises(ZeroDivisionError), folder.begun():
        folder.plan.unlink()
        raise ZeroDivisionError
    assert (folder.path / "spec.toml").is_file(), "it held a run before"


def test_a_run_that_is_none_or_not_finished_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"spec\.toml"):
        RunFolder.existing(tmp_path)
    folder = RunFolder(tmp_path / "run")
    folder.start(SPEC, "", resume=False)
    with pytest.raises(InputError, match="no winner yet"):
        folder.winner()
    with pytest.raises(InputError, match="no report yet"):
        RunFolder.existing(folder.path).finished_report()


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": 99}'])
def test_a_damaged_report_is_one_clear_error(tmp_path: Path, text: str) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.start(SPEC, "", resume=False)
    folder.report.write_text(text)
    folder.best.write_text(text)
    with pytest.raises(InputError, match=r"report\.json"):
        folder.finished_report()
    with pytest.raises(InputError, match=r"best\.json"):
        folder.winner()


def test_an_interrupted_trial_is_cleared_away(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    (folder.new_trial_folder(3) / "half.pt").write_text("x")
    again = folder.new_trial_folder(3)
    assert again == folder.trials_folder / "0003"
    assert list(again.iterdir()) == []
    assert folder.finished_trials() == []


def test_default_folders_are_named_by_graph_and_time() -> None:
    found = default_folder("like:a/b c@0.1")
    assert found.parent == Path("gnnfit-runs")
    assert found.name.startswith("like-a-b-c@0.1-")
