"""The planning child: command lines in, plans out, one JSON document a line; so that the screen never waits.

It remembers the graph that it has looked at: another machine, batch or width costs no second look. numpy and torch are
imported behind the first screen.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from planner.api import inspect, make_plan, pins_of
from planner.cli import add_plan, goal_from, graph_or_counts, pairs, setting_value
from planner.flags import Parser
from planner.records import Plan
from techniques.errors import GnnfitError
from techniques.facts import Facts
from techniques.step_shape import Draw


class Planner:
    """Answers requests; keeps the last graph's facts."""

    def __init__(self) -> None:
        self._looked_at: tuple[Any, Any] = (None, None)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """A reply to ``{"id", "command", "arguments"}``: ``{"id", "document"}`` or ``{"id", "error"}``."""
        try:
            command = {"plan": self.plan, "doctor": self.doctor, "machine": machine}[request["command"]]
            return {"id": request["id"], "document": command(request["arguments"])}
        except GnnfitError as error:
            return {"id": request["id"], "error": str(error)}
        except Exception as error:  # a graph of the user's own making may raise anything: the screen shows it
            return {"id": request["id"], "error": f"{type(error).__name__}: {error}"}

    def plan(self, arguments: list[str]) -> str:
        """The plan of ``gnnfit plan ARGUMENTS`` as JSON."""
        asked = plan_parser().parse_args(["plan", *arguments])
        facts, draw = self.facts(asked)
        return str(planned(asked, facts, draw).model_dump_json())

    def doctor(self, arguments: list[str]) -> str:
        """The diagnosis of ``gnnfit doctor ARGUMENTS`` as JSON; the symptom comes last."""
        from planner.doctor import diagnose

        asked = plan_parser().parse_args(["plan", *arguments[:-2]])
        facts, draw = self.facts(asked)
        return diagnose(facts, arguments[-1], pins(asked), draw).model_dump_json()

    def facts(self, asked: argparse.Namespace) -> tuple[Facts, Draw | None]:
        """Everything that is told of the graph, the model and the machine; a graph is looked at once."""
        graph, draw = graph_or_counts(asked), None
        goal = goal_from(asked)
        if isinstance(graph, str):
            key = (graph, goal.task, _changed(graph))
            if self._looked_at[0] != key:
                from planner.inspect.opened import open_and_profile

                self._looked_at = (key, open_and_profile(graph, goal.task, False))
            graph, draw = self._looked_at[1]
        facts, _ = inspect(graph, model=asked.model, on=asked.on, goal=goal, set=_settings(asked))
        return facts, draw


def planned(asked: argparse.Namespace, facts: Facts, draw: Draw | None) -> Plan:
    """The plan that the flags ask for."""
    return make_plan(facts, pins(asked), draw)


def pins(asked: argparse.Namespace) -> Any:
    """What is fixed."""
    return pins_of(pairs(asked.fix, "--fix"), _settings(asked))


def machine(arguments: list[str]) -> str:
    """The machine at hand as JSON."""
    from planner.inspect.machine import inspect_machine

    return inspect_machine().model_dump_json()


def plan_parser() -> Parser:
    """The flags of ``gnnfit plan``."""
    top = Parser(prog="gnnfit")
    add_plan(top.add_subparsers())
    return top


def _settings(asked: argparse.Namespace) -> dict[str, Any]:
    return {name: setting_value(text) for name, text in pairs(asked.set, "--set").items()}


def _changed(graph: str) -> float | None:
    with contextlib.suppress(OSError):
        return Path(graph).expanduser().stat().st_mtime
    return None


def _load_libraries() -> None:
    """What looking at a graph will need."""
    with contextlib.suppress(ImportError):
        import_module("numpy")
        import_module("torch")


def main() -> None:
    """Serve until the other end closes; whatever else is printed goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    loading = threading.Thread(target=_load_libraries, daemon=True)
    loading.start()
    planner = Planner()
    for line in sys.stdin:
        loading.join()  # of two threads that import a library at once, one may see half of it
        out.write(json.dumps(planner.answer(json.loads(line))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
