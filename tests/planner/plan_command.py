"""``gnnfit plan`` and ``gnnfit doctor`` called as functions."""

from __future__ import annotations

import argparse

import pytest

from planner.cli import add_plan
from planner.doctor_cli import add_doctor
from planner.flags import Parser
from techniques.errors import GnnfitError, InputError

COUNTS = ["--nodes", "10k", "--edges", "50k", "--features", "64"]
ON = ["--on", "colab-t4"]


def parsed(*arguments: str) -> argparse.Namespace:
    parser = Parser(prog="gnnfit")
    commands = parser.add_subparsers(dest="command", required=True)
    add_plan(commands)
    add_doctor(commands)
    return parser.parse_args(list(arguments))


def run(*arguments: str) -> int:
    found = parsed(*arguments)
    code: int = found.run(found)
    return code


def refused(*arguments: str) -> InputError:
    with pytest.raises(InputError) as caught:
        run(*arguments)
    error = caught.value
    assert isinstance(error, GnnfitError) and error.exit_code == 2
    message = str(error)
    assert "\n" not in message and error.problem and error.remedy
    assert len(message) < 900
    return error
