"""Requests, measurements and a community graph that is quick to learn; what a run may leave behind."""

from __future__ import annotations

import re
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import tuner
from tests.tuner.search_world import World, search_in
from tuner.records import Evaluation, Limits, Measurement, TrialState, WorkRequest
from tuner.runner import Runner

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def own_machine_lock(tmp_path_factory: Any) -> Iterator[None]:
    """Tuners of tests do not wait for those of others on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNNFIT_MACHINE_LOCK", str(tmp_path_factory.mktemp("lock") / "lock"))
        yield


@pytest.fixture(autouse=True)
def keep_signal_handlers() -> Iterator[None]:
    """``tuner.cli.main`` installs its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def measured() -> Callable[..., Measurement]:
    """``measured(0.5, 0.7, every=2.0)``: complete, with these validation metrics at these seconds."""

    def build(*metrics: float, every: float = 1.0, **others: Any) -> Measurement:
        history = tuple(
            Evaluation(epoch=index, seconds=every * index, loss=1.0, metric=metric)
            for index, metric in enumerate(metrics, start=1)
        )
        values = {"state": TrialState.COMPLETE, "metric": max(metrics, default=None), "history": history}
        return Measurement.model_validate(values | others)

    return build


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def setting(make_facts: Any, world: World) -> Callable[..., Any]:
    """``setting(pins, budget=, shares=, target=, optimize=, ...)``: bench, space, search and plan (``search_in``)."""

    def build(pins: Any = None, target: float | None = None, optimize: str = "time", **search: Any) -> Any:
        facts = make_facts((50_000, 400_000, 64, 5), target=target, optimize=optimize)
        return search_in(world, facts, pins, **search)

    return build


@pytest.fixture
def request_for(tmp_path: Path) -> Callable[..., WorkRequest]:
    """``request_for(facts, spec, graph="...", seconds=..., host_bytes=...)`` with a folder of its own."""
    count = iter(range(1000))

    def build(facts: Any, spec: Any, graph: Any = "", **others: Any) -> WorkRequest:
        folder = tmp_path / f"trial-{next(count)}"
        folder.mkdir()
        keys = ("host_bytes", "seconds", "epochs", "target", "race")
        limits = {"host_bytes": 8 * 2**30, "seconds": 60.0} | {key: others.pop(key) for key in keys if key in others}
        return WorkRequest(
            spec=spec, facts=facts, graph=str(graph), folder=str(folder), limits=Limits.model_validate(limits), **others
        )

    return build


@pytest.fixture(scope="session")
def communities() -> Callable[..., dict[str, Any]]:
    """``communities(nodes)``: arrays of a graph in which neighbours mostly share their class."""
    import numpy as np

    def build(nodes: int = 90, classes: int = 3, width: int = 8, seed: int = 0) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        y = np.arange(nodes) % classes
        friends = (np.arange(nodes)[:, None] + classes * rng.integers(1, nodes // classes, (nodes, 3))) % nodes
        pairs = np.stack([np.repeat(np.arange(nodes), 3), friends.reshape(-1)])
        edges = np.unique(np.concatenate([pairs, pairs[::-1]], axis=1), axis=1)
        kind = rng.permutation(nodes) % 4
        x = rng.normal(size=(nodes, width)).astype(np.float32)
        x[np.arange(nodes), y] += 2.0
        masks = {"train_mask": kind < 2, "val_mask": kind == 2, "test_mask": kind == 3}
        return {"num_nodes": np.array(nodes), "edge_index": edges.astype(np.int32), "x": x, "y": y, **masks}

    return build


@pytest.fixture(scope="session")
def community_file(communities: Any, tmp_path_factory: Any) -> Path:
    """``communities()`` as an ``.npz``."""
    import numpy as np

    file = Path(tmp_path_factory.mktemp("graphs")) / "communities.npz"
    np.savez_compressed(file, **communities())
    return file


@pytest.fixture(scope="session")
def real_graph() -> Callable[[str], Path]:
    """``real_graph("cora")``: a file of ``../shared/data``; the test is skipped where that is absent."""

    def find(name: str) -> Path:
        file = DATA / f"{name}.npz"
        if not file.is_file():
            pytest.skip(f"{file} is not here")
        return file

    return find


@pytest.fixture
def below() -> Callable[[Path], set[str]]:
    """Every file below a folder, to see that nothing was written."""
    return lambda folder: {str(one.relative_to(folder)) for one in folder.rglob("*")}


@pytest.fixture
def refused(capsys: Any, tmp_path: Path, below: Any) -> Callable[..., str]:
    """``refused(*arguments, code=2)``: the one line on stderr; nothing else was said, written or run."""

    from tuner.cli import main

    def check(*arguments: str, code: int = 2) -> str:
        before = below(tmp_path)
        assert main(arguments) == code, capsys.readouterr()
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1, captured.err
        assert captured.err.startswith("gnnfit: ")
        assert "Traceback" not in captured.err
        assert re.search(r"\. \S.*\.$", captured.err.strip()), f"a problem and a remedy: {captured.err}"
        assert below(tmp_path) == before
        return str(captured.err)

    return check


@pytest.fixture(scope="session")
def server() -> Iterator[Runner]:
    """A server of real trials for all tests that do not look at its life: it takes seconds to start."""
    with Runner() as one:
        yield one


@pytest.fixture
def one_server(server: Runner, monkeypatch: Any) -> None:
    """``measure``, ``tune`` and ``run`` of this process use it."""
    for module in ("tuner.api", "tuner.final", "tuner.session"):
        monkeypatch.setattr(f"{module}.Runner", lambda: nullcontext(server))


STUB = """
import ctypes, json, os, signal, subprocess, sys, time
from pathlib import Path

def work(message, channel):
    def send(**event):
        channel.sendall(json.dumps(event).encode() + b"\\n")

    folder = Path(message["folder"])
    if message["limits"]["target"] is None:
        send(event="baseline")
        channel.recv(1)
    send(event="phase", phase="train")
    exec((folder / "code.py").read_text(), globals() | locals())
    send(event="result", measurement={"state": "complete", "epochs": 1})
    time.sleep(0.01)
"""


@pytest.fixture(scope="session")
def stub_path(tmp_path_factory: Any) -> Path:
    """A folder to put first on the path."""
    folder = Path(tmp_path_factory.mktemp("stub"))
    package = folder / "tuner"
    package.mkdir()
    real = Path(tuner.__file__).parent
    (package / "__init__.py").write_text(f"__path__ = [{str(package)!r}, {str(real)!r}]\n")
    (package / "preload.py").write_text("import tuner.worker\n")
    (package / "worker.py").write_text(STUB)
    return folder


@pytest.fixture
def stubbed(stub_path: Path, tmp_path: Path, monkeypatch: Any) -> Iterator[Runner]:
    """A runner whose children run ``code.py`` of their folder."""
    monkeypatch.chdir(tmp_path)  # python -m looks into the current folder first
    monkeypatch.setattr(sys, "path", [str(stub_path), *sys.path])
    with Runner() as runner:
        yield runner


@pytest.fixture
def play(stubbed: Runner, make_facts: Any, spec_for: Any, request_for: Any) -> Callable[..., Measurement]:
    """``play(code, seconds=..., host_bytes=...)``: measure a child that does this."""
    facts = make_facts()
    spec = spec_for(facts)

    def measure(code: str, progress: Any = lambda event: None, **limits: Any) -> Measurement:
        request = request_for(facts, spec, **limits)
        (Path(request.folder) / "code.py").write_text(textwrap.dedent(code))
        measured = stubbed.measure(request, progress)
        measure.folder = Path(request.folder)  # type: ignore[attr-defined]
        return measured

    return measure
