"""Keys in, screens out: the journeys that a person makes, right and wrong turns included."""

from __future__ import annotations

import json
import os
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.config import parse
from planner.wizard.answers import Answers
from planner.wizard.app import Wizard
from planner.wizard.child import RunProcess, holder
from tuner.cli import parser

Drive = Callable[..., Any]
KARATE = Answers(graph="karate", out="RUN", budget="20s")


def test_from_numbers_to_a_plan(drive: Drive) -> None:
    async def steps(driver: Any) -> None:
        await driver.press("down", "enter")
        assert "[Data]" in driver.screen
        for text in ("2.4M", "61.9M", "100"):
            await driver.type(text)
            await driver.press("enter")
        await driver.until(lambda: "123,800,000 directed" in driver.screen)
        assert "typed" in driver.screen and "estimated" in driver.screen
        await driver.press(*["f8"] * 4)
        await driver.planned()
        assert "[Plan]" in driver.screen and "FITS" in driver.screen and "█" in driver.screen

    drive(steps)


def test_what_was_typed_is_there_again(drive: Drive) -> None:
    async def steps(driver: Any) -> None:
        await driver.press("enter")
        await driver.type("some-graph")
        await driver.press("f8", "tab")
        await driver.type("sage")
        await driver.press("f7")
        assert "some-graph" in driver.screen
        await driver.press("ctrl+n", "escape", "f8")
        assert "sage" in driver.screen

    app = drive(steps)
    assert (app.state.answers.graph, app.state.answers.model) == ("some-graph", "sage")


def test_a_bad_number_is_said_beside_its_field_and_does_not_plan(drive: Drive, counted: Answers) -> None:
    async def steps(driver: Any) -> None:
        await driver.planned()
        await driver.press("end", "X")
        assert "wrong" in driver.screen and "--nodes must be a whole number" in driver.screen
        before = len(driver.app.client.asked)
        await driver.press("f8")
        assert len(driver.app.client.asked) == before

    drive(steps, counted)


def test_a_graph_that_is_not_there_is_said_on_the_data_and_plan_panes(drive: Drive) -> None:
    async def steps(driver: Any) -> None:
        await driver.until(lambda: driver.app.state.error)
        assert "no-such.npz" in driver.screen
        await driver.press(*["f8"] * 4)
        assert "[Plan]" in driver.screen and "no-such.npz" in driver.screen

    drive(steps, Answers(graph="no-such.npz"))


def test_what_ifs_plan_again_beside_the_plan_before(drive: Drive, counted: Answers) -> None:
    async def steps(driver: Any) -> None:
        await driver.planned()
        driver.app.go("plan")
        await driver.press("b")
        await driver.until(lambda: "What if batch_size=2048: RAM" in driver.screen)
        await driver.press("w", "p")
        await driver.until(lambda: "What if precision=bf16" in driver.screen)
        answers = driver.app.state.answers
        assert (dict(answers.set), answers.hidden, answers.precision) == ({"batch_size": "2048"}, "64", "bf16")
        await driver.press("u", "u", "u")
        await driver.planned()
        assert driver.app.state.answers == counted

    drive(steps, counted)


def test_a_plan_that_takes_long_shows_for_how_long(drive: Drive, counted: Answers) -> None:
    async def steps(driver: Any) -> None:
        await driver.planned()
        driver.app.go("plan")
        ask = driver.app.client.ask

        async def slow(command: str, arguments: list[str]) -> str:
            await driver.until(lambda: "Planning again ... 1 s" in driver.screen)
            return str(await ask(command, arguments))

        driver.app.client.ask = slow
        await driver.press("b")
        await driver.until(lambda: "What if batch_size=2048: RAM" in driver.screen)

    drive(steps, counted)


def test_another_machine_from_the_plan(drive: Drive, counted: Answers) -> None:
    async def steps(driver: Any) -> None:
        await driver.planned()
        driver.app.go("plan")
        await driver.press("m")
        assert "Plan for which machine?" in driver.screen
        await driver.press("end", "up", "enter")
        await driver.until(lambda: "What if cpu-16c-64gb" in driver.screen)
        await driver.press("m", "escape")
        assert driver.app.state.answers.on == "cpu-16c-64gb", "Esc changes nothing"

    drive(steps, counted)


def test_a_row_is_pinned_and_a_refused_one_explained(drive: Drive, counted: Answers) -> None:
    async def steps(driver: Any) -> None:
        await driver.planned()
        driver.app.go("plan")
        await driver.press("end")
        assert "Refused:" in driver.screen
        await driver.press("home", "down", "enter")
        await driver.until(lambda: driver.app.state.before is not None and not driver.app.state.planning)
        assert dict(driver.app.state.answers.fix)["sampling"] == "neighbor"
        assert driver.app.state.plan.best.options["architecture"] == dict(driver.app.state.answers.fix)["architecture"]

    drive(steps, counted)


def test_the_equivalent_command_and_the_saved_file_mean_the_same(drive: Drive) -> None:
    async def steps(driver: Any) -> None:
        await driver.press("f2")
        assert "gnnfit plan karate" in driver.screen and "gnnfit tune karate --budget 20s --out RUN" in driver.screen
        await driver.press("escape", "f3")
        assert Path("gnnfit.toml").is_file()

    drive(steps, KARATE)
    found = parse(*parser(), ["tune", "--config", "gnnfit.toml"], {})
    assert (found.graph, found.budget, found.out) == ("karate", "20s", "RUN")


def test_a_run_from_start_to_result(drive: Drive, tmp_path: Path, monkeypatch: Any) -> None:
    async def steps(driver: Any) -> None:
        driver.app.go("tune")
        await driver.until(lambda: "gnnfit tune karate --budget 20s --out RUN" in driver.screen)
        await driver.press("f9")
        await driver.until(lambda: "FINISHED" in driver.screen)
        assert "0.750" in driver.screen and "out of memory: used 9 GiB" in driver.screen
        assert "20 ms (25 ms)" in driver.screen.replace(".0", ""), "measured beside expected"
        assert "winner sage/full_batch/csr/cpu" in driver.screen
        await driver.press("f8")
        assert "won on karate after 12.0 s of 20.0 s" in driver.screen and "PyG's defaults" in driver.screen
        assert "forecast" in driver.screen and "10.0-50.0 ms" in driver.screen, "forecasts are ranges"
        await driver.press("o", "e")
        await driver.until(lambda: "train.py: the winner" in driver.screen)

    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda page: opened.append(page) or True)
    told = notices(monkeypatch)
    drive(steps, KARATE)
    assert opened == [(tmp_path / "RUN" / "report.html").as_uri()]
    assert told[0].startswith("Opened /") and told[1].endswith("RUN/train.py")


def notices(monkeypatch: Any) -> list[str]:
    """What the screen says in passing."""
    told: list[str] = []
    monkeypatch.setattr(Wizard, "notify", lambda self, message, **options: told.append(message))
    return told


def test_without_a_browser_or_a_run_the_keys_of_a_result_say_so(drive: Drive, monkeypatch: Any) -> None:
    async def steps(driver: Any) -> None:
        driver.app.go("result")
        await driver.press("o", "e")
        assert told == ["No finished run yet"] * 2
        run = driver.app.query_one("ResultPane").folder = Path("RUN").resolve()
        run.mkdir()
        (run / "report.json").write_text("{}")
        await driver.press("o", "e")
        await driver.until(lambda: len(told) == 4)
        assert told[2].startswith("No browser here") and told[3] == "no such winner"

    monkeypatch.setattr(webbrowser, "open", lambda page: False)
    told = notices(monkeypatch)
    drive(steps)


def test_a_run_that_dies_says_why_with_its_log(drive: Drive) -> None:
    async def steps(driver: Any) -> None:
        await driver.press("f9")
        await driver.until(lambda: "FAILED" in driver.screen)
        assert "! Traceback: no more disk" in driver.screen

    drive(steps, Answers(graph="dies", out="RUN"))


def test_pause_keeps_what_is_finished_and_goes_on(drive: Drive) -> None:
    async def steps(driver: Any) -> None:
        await driver.press("f9")
        await driver.until(lambda: "2 trials measured" in driver.screen)
        await driver.press("p")
        await driver.until(lambda: "PAUSED" in driver.screen)
        await driver.press("p")
        await driver.until(lambda: "FINISHED" in driver.screen)

    drive(steps, Answers(graph="slow", out="RUN"))


def test_cancel_asks_first(drive: Drive) -> None:
    async def steps(driver: Any) -> None:
        await driver.press("f9")
        await driver.until(lambda: "2 trials measured" in driver.screen)
        await driver.press("c", "escape")
        assert driver.app.view.status == "running"
        await driver.press("c", "enter")
        await driver.until(lambda: "STOPPED" in driver.screen)

    drive(steps, Answers(graph="slow", out="RUN"))


def test_detached_runs_go_on_and_are_found_again(drive: Drive, tmp_path: Path) -> None:
    pids = []

    async def leave(driver: Any) -> None:
        await driver.press("f9")
        await driver.until(lambda: "2 trials measured" in driver.screen)
        process = driver.app.view.run.process
        pids.append(process.pid)
        await driver.press("ctrl+c")
        assert "Detach: the run goes on" in driver.screen
        await driver.press("enter")
        driver.app.view.run.process = None  # what a new process would know
        process.returncode = 0

    app = drive(leave, Answers(graph="slow", out="RUN"))
    assert app.return_code == 0
    os.kill(pids[0], 0)
    assert holder(tmp_path / "RUN") == pids[0]

    async def come_back(driver: Any) -> None:
        driver.app.open("RUN")
        await driver.until(lambda: "RUNNING" in driver.screen and "2 trials measured" in driver.screen)
        await driver.press("c", "enter")
        await driver.until(lambda: "STOPPED" in driver.screen)

    drive(come_back)
    os.waitpid(pids[0], 0)


def test_leaving_without_a_run_asks_nothing(drive: Drive) -> None:
    async def steps(driver: Any) -> None:
        await driver.press("enter", "tab", "ctrl+c")

    assert drive(steps).return_code == 0


@pytest.mark.parametrize("size", [(200, 60), (40, 10)])
def test_every_pane_survives_any_size(drive: Drive, counted: Answers, size: tuple[int, int]) -> None:
    async def steps(driver: Any) -> None:
        await driver.planned()
        for name in ("data", "model", "hardware", "goal", "plan", "tune", "result", "start"):
            driver.app.go(name)
            if name == "plan":
                await driver.pilot.resize_terminal(120, 40)
                await driver.pilot.resize_terminal(*size)
            await driver.pilot.pause()
            assert all(len(line) <= size[0] for line in driver.screen.splitlines())

    drive(steps, counted, size)


def test_status_of_a_folder_without_a_process(tmp_path: Path) -> None:
    run = RunProcess(tmp_path)
    assert run.status == "stopped" and not run.can_stop and run.arguments == []
    (tmp_path / "report.json").write_text(json.dumps({}))
    assert run.status == "finished"
