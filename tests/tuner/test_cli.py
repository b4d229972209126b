"""The real command: every bad input is one line, the right exit code, nothing written and no code run."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from planner.config import parse
from techniques.errors import InputError
from tuner.cli import Terminated, main, parser

COUNTS = ("--nodes", "10k", "--edges", "50k", "--features", "64")
COLAB = ["--nodes", "2.4M", "--edges", "61.9M", "--features", "100", "--classes", "47", "--on", "colab-t4"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("plan", "--nodes", "-5", "--edges", "3", "--features", "1"), "--nodes"),
        (("plan", "--nodes", "10", "--edges", "1e99", "--features", "1"), "--edges"),
        (("plan", "--nodes", "0", "--edges", "3", "--features", "1"), "--nodes"),
        (("plan", "--nodes", "ten", "--edges", "3", "--features", "1"), "--nodes"),
        (("plan", "--nodes", "10"), "--edges"),
        (("plan",), "GRAPH"),
        (("plan", "graph.npz", *COUNTS), "exclude"),
        (("plan", *COUNTS, "--classes", "1"), "class"),
        (("plan", *COUNTS, "--host-memory", "0"), "--host-memory"),
        (("plan", *COUNTS, "--host-memory", "-1GiB"), "--host-memory"),
        (("plan", *COUNTS, "--device-memory", "lots"), "--device-memory"),
        (("plan", *COUNTS, "--grow", "0.5x"), "--grow"),
        (("plan", *COUNTS, "--grow", "nan"), "--grow"),
        (("plan", *COUNTS, "--deadline", "soon"), "--deadline"),
        (("plan", *COUNTS, "--on", "colab-t5"), "colab-t4"),
        (("plan", *COUNTS, "--model", "gatt"), "gat"),
        (("plan", *COUNTS, "--task", "nodes"), "node"),
        (("plan", *COUNTS, "--optimize", "speed"), "time"),
        (("plan", *COUNTS, "--fix", "sampling=neighbour"), "neighbor"),
        (("plan", *COUNTS, "--fix", "sample=neighbor"), "sampling"),
        (("plan", *COUNTS, "--fix", "sampling"), "--fix"),
        (("plan", *COUNTS, "--set", "batchsize=3"), "batch_size"),
        (("plan", *COUNTS, "--set", "batch_size=0"), "batch_size"),
        (("plan", *COUNTS, "--set", "batch_size=many"), "batch_size"),
        (("plan", *COUNTS, "--set", "fanouts=a,b"), "15,10,5"),
        (("plan", *COUNTS, "--set", "learning_rate=nan"), "learning_rate"),
        (("plan", *COUNTS, "--set", "learning_rate=-1"), "learning_rate"),
        (("plan", *COUNTS, "--set", "dropout=1.5"), "dropout"),
        (("plan", *COUNTS, "--set", "hidden=1e400"), "hidden"),
        (("plan", "like:ogbn-product@0.1"), "ogbn-products"),
        (("plan", "like:ogbn-products@2"), "scale"),
        (("plan", "pyg:"), "pyg:"),
        (("tune", "graph.npz", "--resume"), "--out"),
        (("tune", "GRAPH", "--on", "colab-t4"), "--on"),
        (("tune", "GRAPH", "--budget", "0"), "--budget"),
        (("tune", "GRAPH", "--budget", "-3m"), "--budget"),
        (("tune", "GRAPH", "--trials", "0"), "--trials"),
        (("tune", "GRAPH", "--trials", "1.5"), "--trials"),
        (("tune", "GRAPH", "--plan", "absent.json"), "absent.json"),
        (("tune", "GRAPH", "--set", "batchsize=3"), "batch_size"),
        (("measure", "GRAPH", "--epochs", "0"), "--epochs"),
        (("measure", "GRAPH", "--candidate", "nobody"), "nobody"),
        (("run", "GRAPH", "--plan", "absent.json"), "absent.json"),
        (("run", "GRAPH", "--epochs", "-1"), "--epochs"),
        (("run", "no-such-run"), "no-such-run"),
        (("report", "no-such-run"), "no-such-run"),
        (("run", "RUN", "--out", "elsewhere"), "got out beside it"),
        (("run", "RUN", "--plan", "plan.json"), "got plan beside it"),
        (("calibrate", "--out", "."), "is a folder"),
        (("report", "."), "spec.toml"),
        ((), "COMMAND"),
        (("plam", "graph.npz"), "did you mean plan"),
        (("plan", *COUNTS, "--jsn"), "did you mean --json"),
        (("tune", "graph.npz", "--budgte", "3m"), "did you mean --budget"),
        (("plan", *COUNTS, "--feat", "3"), "--features"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_bad_value_is_one_line(
    arguments: tuple[str, ...], words: str, refused: Any, community_file: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    if "RUN" in arguments:
        Path("RUN").mkdir()
        Path("RUN", "spec.toml").write_text("budget_seconds = 1.0")
    assert words in refused(*(str(community_file) if one == "GRAPH" else one for one in arguments))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1}', '{"schema_version": 99}'])
def test_a_bad_plan_file_is_one_line(
    text: str, refused: Any, community_file: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.json").write_text(text)
    for command in ("measure", "tune", "run"):
        assert "plan.json" in refused(command, str(community_file), "--plan", "plan.json")


def test_an_unwritable_place_is_one_line(refused: Any, community_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused("plan", str(community_file), "--out", str(tmp_path / "absent" / "plan.json"))
    refused("tune", str(community_file), "--out", str(tmp_path / "file" / "run"))
    refused("tune", str(community_file), "--out", str(tmp_path / "file"))
    refused("tune", str(community_file), "--out", str(tmp_path))


def test_a_disk_that_is_full_from_the_start_is_said_with_resume(
    community_file: Path, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip(f"{full} is not here")
    run = tmp_path / "run"
    monkeypatch.setattr("tuner.session.choose", lambda *ignored: (run / "plan.json.part").symlink_to(full))
    assert main(["tune", str(community_file), "--out", str(run)]) == 1
    assert re.search("the disk is full: .*Make room, then .* --resume", capsys.readouterr().err)
    assert full.exists() and not run.exists()


@pytest.mark.parametrize("arguments", [("plan", *COUNTS), ("plan", *COLAB), ("doctor",)])
def test_json_is_one_document_and_nothing_else(arguments: tuple[str, ...], capsys: Any) -> None:
    assert main([*arguments, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["schema_version"] == 1
    assert captured.err == ""


def test_measure_prints_the_four_metrics(community_file: Path, capsys: Any, one_server: None) -> None:
    assert main(["measure", str(community_file), "--epochs", "2", "--json"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    for key in ("peak_host_bytes", "peak_device_bytes", "epoch_seconds", "flops_per_epoch"):
        assert isinstance(document[key], (int, float))
    assert {"phases", "baseline_host_bytes", "convergence_seconds", "metric"} <= set(document)
    assert (document["state"], document["epochs"]) == ("complete", 2)
    told = document["candidate"]
    assert told["name"]
    assert told["settings"]
    assert told["forecast"]["epoch_seconds"]["low"] > 0
    assert captured.err.count("epoch ") == 2


@pytest.mark.parametrize(("command", "words"), [("measure", ""), ("tune", "; finished trials are kept")])
@pytest.mark.parametrize(("sent", "said"), [(KeyboardInterrupt, "interrupted"), (Terminated, "terminated")])
def test_a_signal_is_answered_with_what_is_kept(
    command: str, words: str, sent: Any, said: str, monkeypatch: Any, capsys: Any
) -> None:
    def stopped(*_: Any, **__: Any) -> Any:
        raise sent

    monkeypatch.setattr(f"tuner.api.{command}", stopped)
    assert main([command, "graph.npz"]) in (130, 143)
    assert capsys.readouterr().err == f"gnnfit: {said}{words}.\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_is_answered_with_its_number(number: int, code: int, monkeypatch: Any) -> None:
    monkeypatch.setattr("tuner.api.tune", lambda *_, **__: signal.raise_signal(number))
    assert main(["tune", "graph.npz"]) == code


def test_under_nohup_a_closed_terminal_ends_nothing(monkeypatch: Any) -> None:
    def closed(*_: Any, **__: Any) -> Any:
        signal.raise_signal(signal.SIGHUP)
        raise InputError("got past it", "Go on")

    monkeypatch.setattr("tuner.api.tune", closed)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    assert main(["tune", "graph.npz"]) == InputError.exit_code


def test_a_saved_plan_is_the_plan_that_is_printed(community_file: Path, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "plan.json"
    assert main(["plan", str(community_file), "--out", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(file.read_text())


def test_nothing_fits_is_exit_3_with_the_change_that_gets_there(capsys: Any) -> None:
    arguments = ["plan", *COUNTS, "--host-memory", "64MiB"]
    assert main(arguments) == 3
    text = capsys.readouterr().out
    assert main([*arguments, "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "does_not_fit"
    assert document["best"] is None
    assert document["nearest"]["change"] in " ".join(text.split())
    assert document["nearest"]["needs_bytes"] > document["nearest"]["has_bytes"]
    assert all(one["reason"] for one in document["rejected"])


def test_every_command_has_examples_that_it_takes_and_help_that_fits_80_columns(monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    top, commands = parser()
    for name, one in {"": top, **commands}.items():
        text = one.format_help()
        examples = re.findall(rf"^  (gnnfit {name}.*)$", text, re.MULTILINE)
        assert examples, f"gnnfit {name} --help shows no example"
        for example in examples:
            parse(*parser(), shlex.split(example)[1:], {})
        assert max(map(len, text.splitlines())) <= 80


def test_version(capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"gnnfit \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


def test_a_plan_from_counts_loads_nothing_heavy() -> None:
    code = (
        "import sys; from tuner.cli import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'numpy', 'optuna', 'textual', 'rich'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code, "plan", *COLAB, "--json"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["best"]["forecast"]["peak_host_bytes"]["expected"] > 0


def test_the_installed_command_says_the_same(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("gnnfit")
    if not command.is_file():
        pytest.skip("gnnfit is not installed beside this Python")
    done = subprocess.run([command, "plan", "absent.npz"], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gnnfit: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """``gnnfit plan ... | head -1``"""
    code = "import sys; from tuner.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "plan", *COLAB, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait() == 141
