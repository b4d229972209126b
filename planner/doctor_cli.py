"""``gnnfit doctor``: what this machine offers; with a graph and a symptom, what to check and to change."""

from __future__ import annotations

import argparse
import shutil
from typing import Any

from planner.cli import goal_from, graph_or_counts, pairs, setting_value
from planner.config import add_config
from planner.flags import add_facts, add_graph, add_json, counts_flags
from planner.symptoms import Symptom
from techniques.errors import InputError, OptionError

SYMPTOMS = tuple(one.value for one in Symptom)


def add_doctor(commands: Any) -> None:
    """Register ``doctor``."""
    parser = commands.add_parser(
        "doctor",
        help="say what this machine offers; with --symptom, what to check and change",
        description="Say what this machine offers, what is missing and why. With a graph and a symptom: what to check, and the "
        "cheapest changes for this graph and machine. --fix and --set say what you run (default: PyG's usual defaults).",
        epilog="examples:\n  gnnfit doctor\n  gnnfit doctor pyg:KarateClub --symptom oom-train --fix sampling=full_batch\n"
        "  gnnfit doctor --nodes 2.4M --edges 61.9M --features 100 --symptom growth",
    )
    add_graph(parser, optional=True)
    counts_flags(parser)
    parser.add_argument("--symptom", metavar="SYMPTOM", choices=SYMPTOMS, help=f"what you see: {', '.join(SYMPTOMS)}")
    add_facts(parser)
    add_json(parser)
    add_config(parser)
    parser.set_defaults(run=run_doctor)


def run_doctor(arguments: argparse.Namespace) -> int:
    """Print what the machine offers, or a diagnosis."""
    about_graph = arguments.graph is not None or arguments.nodes is not None
    if arguments.symptom is None and about_graph:
        raise OptionError(
            "a graph is looked at for a symptom, got none", f"Add --symptom, one of {', '.join(SYMPTOMS)}"
        )
    if arguments.symptom is None:
        _refuse_about_graph(arguments)
        return _machine(arguments.json)
    if not about_graph:
        raise InputError(f"--symptom {arguments.symptom} needs a GRAPH or its counts", "See gnnfit doctor --help")
    found = diagnosis_from(arguments)
    if arguments.json:
        print(found.model_dump_json(indent=2))
    else:
        from planner.doctor_text import diagnosis_lines

        print("\n".join(diagnosis_lines(found, shutil.get_terminal_size((100, 24)).columns)))
    return 0


def _refuse_about_graph(arguments: argparse.Namespace) -> None:
    """What this machine offers depends on no flag: none must seem to have an effect. The environment and a file may say what
    other commands take."""
    for action in arguments.command_parser._actions:
        if action.dest not in ("help", "json", "config") and getattr(arguments, action.dest) != action.default:
            flag = f"--{action.dest.replace('_', '-')}"
            raise OptionError(
                f"without --symptom doctor says what this machine offers, got {flag} beside it", f"Leave {flag} out"
            )


def diagnosis_from(arguments: argparse.Namespace) -> Any:
    """The diagnosis that the flags ask for."""
    from planner.api import inspect, pins_of, with_history
    from planner.doctor import diagnose

    settings = {name: setting_value(text) for name, text in pairs(arguments.set, "--set").items()}
    facts, draw = inspect(
        graph_or_counts(arguments),
        model=arguments.model,
        on=arguments.on,
        goal=goal_from(arguments),
        set=settings,
        calibration=not arguments.no_calibration,
    )
    facts = with_history(facts) if arguments.use_history and arguments.on is None else facts
    return diagnose(facts, arguments.symptom, pins_of(pairs(arguments.fix, "--fix"), settings), draw)


def _machine(as_json: bool) -> int:
    from planner.inspect.machine import inspect_machine, torch_devices
    from planner.quantities import format_bytes

    hardware, devices = inspect_machine(), torch_devices()
    if as_json:
        import json

        document = {"schema_version": 1, "hardware": hardware.model_dump(mode="json"), "torch": devices}
        print(json.dumps(document, indent=2))
        return 0
    print(f"cores usable: {hardware.cores}")
    memory = f"{format_bytes(hardware.memory_available_bytes)} of {format_bytes(hardware.memory_total_bytes)}"
    print(f"memory: {memory} available")
    if hardware.disk_free_bytes is not None:
        print(f"disk free: {format_bytes(hardware.disk_free_bytes)}")
    for gpu in hardware.gpus:
        print(f"GPU: {gpu.name}, {format_bytes(gpu.memory_free_bytes)} of {format_bytes(gpu.memory_total_bytes)} free")
    for line in (*devices, *hardware.notes):
        print(line)
    return 0
