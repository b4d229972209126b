"""The planning child: answers what the command line would, remembers the graph, survives bad requests and its own death."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from planner.records import Plan
from planner.wizard.client import PlanningClient, PlanningFailedError
from planner.wizard.server import Planner

COUNTS = ["--nodes", "10k", "--edges", "50k", "--features", "64", "--on", "colab-t4"]


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    file = tmp_path / "graph.npz"
    np.savez(file, num_nodes=np.array(50), edge_index=rng.integers(0, 50, (2, 200)), x=np.eye(50), y=np.arange(50) % 3)
    return file


def test_a_graph_is_looked_at_once_until_it_changes(graph: Path, monkeypatch: Any) -> None:
    from planner.inspect import opened

    looks = []
    original = opened.open_and_profile
    monkeypatch.setattr(opened, "open_and_profile", lambda *words: looks.append(words) or original(*words))
    planner = Planner()
    first = Plan.model_validate_json(planner.plan([str(graph)]))
    planner.plan([str(graph), "--set", "hidden=32", "--on", "colab-t4"])
    assert len(looks) == 1 and first.facts.graph.num_nodes == 50
    np.savez(graph, num_nodes=np.array(60), edge_index=np.zeros((2, 1), int), x=np.ones((60, 2)), y=np.arange(60) % 2)
    later = Plan.model_validate_json(planner.plan([str(graph)]))
    assert len(looks) == 2 and later.facts.graph.num_nodes == 60


def test_errors_are_answers() -> None:
    planner = Planner()
    assert "no-such.npz" in planner.answer({"id": 3, "command": "plan", "arguments": ["no-such.npz"]})["error"]
    assert "error" in planner.answer({"id": 4, "command": "plan", "arguments": ["--bogus"]})
    assert planner.answer({"id": 5, "command": "machine", "arguments": []})["id"] == 5


def test_a_real_child_answers_and_is_started_again_after_its_death() -> None:
    async def talk() -> None:
        client = PlanningClient()
        try:
            assert Plan.model_validate_json(await client.ask("plan", COUNTS)).best is not None
            process = await client.start()
            process.kill()
            assert "ended with status -9" in (await client._reply(process, 99))["error"]
            assert Plan.model_validate_json(await client.ask("plan", COUNTS)).best is not None
        finally:
            await client.close()
        assert not client.log.exists()

    asyncio.run(talk())


def test_a_closed_client_starts_no_child_and_leaves_none_that_was_being_started() -> None:
    async def leave_at_once() -> None:
        client = PlanningClient((sys.executable, "-c", "input()"))
        asked = asyncio.ensure_future(client.ask("machine", []))
        await asyncio.sleep(0)
        await client.close()
        for late in (asked, client.ask("machine", [])):
            with pytest.raises(PlanningFailedError):
                await asyncio.wait_for(late, 10)
        assert not client.log.exists()
        assert not [one for one in psutil.Process().children() if one.cmdline()[1:] == ["-c", "input()"]]

    asyncio.run(leave_at_once())


def test_the_first_screen_loads_no_planner() -> None:
    code = (
        "import sys; from tuner.cli import parser; parser(); import planner.wizard.app;"
        "print(sorted({'pydantic', 'torch', 'numpy', 'planner.api', 'techniques.listing'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[]"


SLOW = """
import sys, time
from planner.wizard import server
loaded = []
server._load_libraries = lambda: (time.sleep(1.0), loaded.append(True))
server.Planner.answer = lambda self, request: {"id": request["id"], "document": str(loaded)}
server.main()
"""


def test_no_request_is_answered_while_libraries_are_half_imported() -> None:
    done = subprocess.run([sys.executable, "-c", SLOW], input='{"id": 1}\n', capture_output=True, text=True, check=True)
    assert "[True]" in done.stdout
