"""What was typed, apart from any widget; and the command line, TOML and plan request that it stands for.

Everything the wizard can do a flag can do too: it knows nothing of plans but command lines.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from planner.quantities import parse_bytes, parse_count, parse_seconds
from techniques.errors import OptionError

COUNTS = ("nodes", "edges", "features", "classes")
REQUIRED_COUNTS = ("nodes", "edges", "features")
MODEL_SETTINGS = ("layers", "hidden", "precision")
PLANNED = ("model", "task", "on", "host_memory", "device_memory", "optimize", "grow", "deadline", "context_hops")
TUNED = ("budget", "trials", "target", "out")
USUAL = {"optimize": "time", "budget": "10m"}


@dataclass(frozen=True)
class Answers:
    """Every field as typed; empty is "not said". ``fix`` and ``set`` hold pins by slot and by knob."""

    graph: str = ""
    from_counts: bool = False
    nodes: str = ""
    edges: str = ""
    features: str = ""
    classes: str = ""
    directed: bool = False
    task: str = ""
    model: str = ""
    layers: str = ""
    hidden: str = ""
    precision: str = ""
    on: str = ""
    host_memory: str = ""
    device_memory: str = ""
    optimize: str = "time"
    grow: str = ""
    deadline: str = ""
    context_hops: str = ""
    budget: str = "10m"
    trials: str = ""
    target: str = ""
    out: str = ""
    fix: tuple[tuple[str, str], ...] = ()
    set: tuple[tuple[str, str], ...] = ()

    def pinned(self, **settings: str) -> Answers:
        """The same with these knobs pinned; an empty value unpins."""
        changed = {**dict(self.set), **settings}
        own: dict[str, Any] = {name: changed.pop(name) for name in MODEL_SETTINGS if name in changed}
        return replace(self, set=tuple((name, value) for name, value in changed.items() if value), **own)


def problems(answers: Answers) -> dict[str, str]:
    """What cannot be used, by field: rule, value, remedy."""
    found = {}
    for name, check in CHECKS.items():
        text = str(getattr(answers, name)).strip()
        if not text or (name in COUNTS and not answers.from_counts):
            continue
        try:
            check(text, f"--{name.replace('_', '-')}")
        except OptionError as error:
            found[name] = str(error)
    return found | missing(answers)


def missing(answers: Answers) -> dict[str, str]:
    """What a plan cannot do without."""
    if not answers.from_counts:
        return {} if answers.graph.strip() else {"graph": "Name a graph, or switch to numbers only"}
    return {name: f"How many {name}?" for name in REQUIRED_COUNTS if not getattr(answers, name).strip()}


def _check_hops(text: str, name: str) -> None:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 100):
        raise OptionError(f"{name} must be a whole number from 1 to 100, got {text!r:.40}", "Write it like 3")


def _check_growth(text: str, name: str) -> None:
    digits = text.lower().removesuffix("x").replace(".", "", 1)
    if not digits.isdigit() or float(text.lower().removesuffix("x")) < 1:
        raise OptionError(f"{name} must be a factor of 1 or more, got {text!r:.40}", "Write it like 10x")


def _check_share(text: str, name: str) -> None:
    if not text.replace(".", "", 1).isdigit() or not 0 < float(text) <= 1:
        raise OptionError(f"{name} must be above 0 and at most 1, got {text!r:.40}", "Write it like 0.85")


CHECKS: Mapping[str, Callable[[str, str], object]] = {
    **dict.fromkeys((*COUNTS, "layers", "hidden", "trials"), parse_count),
    **dict.fromkeys(("host_memory", "device_memory"), parse_bytes),
    **dict.fromkeys(("budget", "deadline"), parse_seconds),
    "context_hops": _check_hops,
    "target": _check_share,
    "grow": _check_growth,
}


def plan_arguments(answers: Answers) -> list[str]:
    """``gnnfit plan`` and these."""
    return [*_data(answers), *_flags(answers, PLANNED), *_pins(answers)]


def tune_arguments(answers: Answers) -> list[str]:
    """``gnnfit tune`` and these: the machine is the one at hand."""
    planned = tuple(name for name in PLANNED if name != "on")
    return [answers.graph.strip(), *_flags(answers, (*planned, *TUNED)), *_pins(answers)]


def doctor_arguments(answers: Answers, symptom: str) -> list[str]:
    """``gnnfit doctor`` and these."""
    return [*plan_arguments(answers), "--symptom", symptom]


def command_text(command: str, arguments: list[str]) -> str:
    """As one would type it."""
    return shlex.join(["gnnfit", command, *arguments])


def _data(answers: Answers) -> list[str]:
    if not answers.from_counts:
        return [answers.graph.strip()]
    said = [name for name in COUNTS if getattr(answers, name).strip()]
    flags = [part for name in said for part in (f"--{name}", getattr(answers, name).strip())]
    return [*flags, *(["--directed"] if answers.directed else [])]


def _flags(answers: Answers, names: tuple[str, ...]) -> list[str]:
    found = []
    for name in names:
        value = getattr(answers, name).strip()
        if value and value != USUAL.get(name):
            found += [f"--{name.replace('_', '-')}", value]
    return found


def _pins(answers: Answers) -> list[str]:
    fixed = [part for name, value in answers.fix for part in ("--fix", f"{name}={value}")]
    return fixed + [part for name, value in _settings(answers).items() for part in ("--set", f"{name}={value}")]


def _settings(answers: Answers) -> dict[str, str]:
    own = {name: getattr(answers, name).strip() for name in MODEL_SETTINGS}
    return {name: value for name, value in own.items() if value} | dict(answers.set)


def toml_text(answers: Answers) -> str:
    """A file for ``--config`` of plan, measure and tune; what only one of them takes stands in its table."""
    import json

    said = dict(zip(*[iter(_flags(answers, tuple(name for name in PLANNED if name != "on")))] * 2, strict=True))
    shared: dict[str, Any] = {name.removeprefix("--"): value for name, value in said.items()}
    if answers.from_counts:
        shared |= {name: getattr(answers, name).strip() for name in COUNTS if getattr(answers, name).strip()}
        shared |= {"directed": True} if answers.directed else {}
    elif answers.graph.strip():
        shared = {"graph": lasting(answers.graph.strip()), **shared}
    tables = {
        "plan": {"on": answers.on} if answers.on else {},
        "tune": {name: getattr(answers, name).strip() for name in TUNED if getattr(answers, name).strip()},
        "fix": dict(answers.fix),
        "set": _settings(answers),
    }
    lines = ["# gnnfit tune --config THIS-FILE", *(f"{name} = {json.dumps(value)}" for name, value in shared.items())]
    for title, table in tables.items():
        if table:
            lines += ["", f"[{title}]", *(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in table.items())]
    return "\n".join(lines) + "\n"


def from_toml(document: Mapping[str, Any]) -> Answers:
    """What a saved file says; names that the wizard has no field for are left out."""
    flat = {key: value for key, value in document.items() if not isinstance(value, dict)}
    for title in ("plan", "tune"):
        flat |= document.get(title, {})
    known = {field.name for field in fields(Answers)} - {"fix", "set", "from_counts"}
    said = {name.replace("-", "_"): value for name, value in flat.items() if name.replace("-", "_") in known}
    texts: dict[str, Any] = {name: value if isinstance(value, bool) else str(value) for name, value in said.items()}
    settings = {name: _plain(value) for name, value in document.get("set", {}).items()}
    own: dict[str, Any] = {name: settings.pop(name) for name in MODEL_SETTINGS if name in settings}
    fixed = tuple((name, str(value)) for name, value in document.get("fix", {}).items())
    counted = "graph" not in said and "nodes" in said
    return Answers(**texts, **own, fix=fixed, set=tuple(settings.items()), from_counts=counted)


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def lasting(graph: str) -> str:
    """A name that means the same graph from any working folder."""
    path = Path(graph).expanduser()
    return str(path.resolve()) if path.exists() else graph
