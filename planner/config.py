"""What flags are worth where they are not given: flag > environment ``GNNFIT_*`` > ``--config file.toml`` > default.

A file holds flags by name. What stands in a table of a command's name (``[tune]``) is for that command alone; the tables
``[fix]`` and ``[set]`` are ``--fix`` and ``--set``::

    graph = "graph.npz"
    host-memory = "13GiB"
    [tune]
    budget = "2h"
    [set]
    fanouts = [15, 10]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from techniques.errors import InputError, OptionError

PREFIX = "GNNFIT_"
NEVER = ("help", "config")
ABOUT_DATA = ("nodes", "edges", "features", "classes", "graphs", "targets", "directed", "edge_features", "edge_weights")
"""Counts in place of a graph: a GRAPH that is nearer to the user hides them."""
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def add_config(parser: argparse.ArgumentParser) -> None:
    """``--config``; the command takes its defaults from the environment, too."""
    parser.add_argument("--config", metavar="FILE", help="flags from a TOML file, as gnnfit wizard saves it")
    parser.set_defaults(command_parser=parser)


def parse(
    top: argparse.ArgumentParser,
    commands: Mapping[str, argparse.ArgumentParser],
    arguments: Sequence[str] | None,
    environ: Mapping[str, str] = os.environ,
) -> argparse.Namespace:
    """Parse a command line; flags that are not given come from the environment, then from the file.

    Raises:
        InputError: no such file, or not TOML.
        OptionError: an unknown name or a value that the flag does not take.
    """
    given = top.parse_args(arguments)
    one: argparse.ArgumentParser | None = getattr(given, "command_parser", None)
    file = given.config or environ.get(PREFIX + "CONFIG") if one else None
    if one is None or not (file or any(name.startswith(PREFIX) for name in environ)):
        return given
    name = next(name for name, parser in commands.items() if parser is one)
    nearest = {dest for dest, action in _flags(one).items() if getattr(given, dest) != action.default}
    values: dict[str, Any] = {}
    for layer in (read_config(file, commands).get(name, {}) if file else {}, environment(one, environ)):
        values = _over(values, layer)
    one.set_defaults(**_hidden(values, nearest))
    return top.parse_args(arguments)


def read_config(file: str, commands: Mapping[str, argparse.ArgumentParser]) -> dict[str, dict[str, Any]]:
    """Defaults by command.

    Raises:
        InputError: no such file, or not TOML.
        OptionError: an unknown name, or a value that the flag does not take.
    """
    document = read_toml(file)
    takers = {name: one for name, one in commands.items() if one.get_default("command_parser") is one}
    own = {name: document.pop(name) for name in list(document) if name in takers}
    known = {dest for one in takers.values() for dest in _flags(one)}
    for name in (*document, *(name for table in own.values() for name in table)):
        _refuse_unknown(file, name, known)
    found = {}
    for command, one in takers.items():
        flags = _flags(one)
        named = {_dest(name): value for name, value in {**document, **own.get(command, {})}.items()}
        found[command] = {
            name: _value(flags[name], value, f"{file}: {name}") for name, value in named.items() if name in flags
        }
    return found


def read_toml(file: str) -> dict[str, Any]:
    """A file as it stands."""
    import tomllib

    try:
        return tomllib.loads(Path(file).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(
            f"--config must be a file that can be read, {file} is none ({why})", "Check the path"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--config must be TOML, {file} is not ({error})", 'Write it like budget = "10m"') from None


def environment(one: argparse.ArgumentParser, environ: Mapping[str, str]) -> dict[str, Any]:
    """Defaults from ``GNNFIT_BUDGET`` and the like; lists are separated by spaces, an empty value is none."""
    found: dict[str, Any] = {}
    for dest, action in _flags(one).items():
        text = environ.get(PREFIX + dest.upper(), "").strip()
        if text:
            value = text.split() if isinstance(action.default, list) or _appends(action) else text
            found[dest] = _value(action, value, PREFIX + dest.upper())
    return found


def _hidden(values: dict[str, Any], nearest: set[str]) -> dict[str, Any]:
    """Without what a nearer graph, or nearer counts, make meaningless."""
    if "graph" in nearest:
        return {name: value for name, value in values.items() if name not in ABOUT_DATA}
    return {name: value for name, value in values.items() if name != "graph" or not nearest & {*ABOUT_DATA}}


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two layers; pins of both count, the upper one's last."""
    lists = {name: [*below.get(name, ()), *value] for name, value in above.items() if isinstance(value, list)}
    return {**_hidden(below, {*above}), **above, **lists}


def _flags(one: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {action.dest: action for action in one._actions if action.dest not in NEVER}


def _dest(name: str) -> str:
    return name.replace("-", "_")


def _appends(action: argparse.Action) -> bool:
    return isinstance(action, argparse._AppendAction)


def _refuse_unknown(file: str, name: str, known: set[str]) -> None:
    import difflib

    if _dest(name) in known:
        return
    close = difflib.get_close_matches(_dest(name), sorted(known), n=1)
    hint = f"Did you mean {close[0].replace('_', '-')}? " if close else ""
    raise OptionError(f"{file} has an unknown name {name!r}", f"{hint}Names are those of flags; see gnnfit tune --help")


def _value(action: argparse.Action, value: Any, where: str) -> Any:
    """As the command line would have it: text, a list of NAME=VALUE, or a truth."""
    if _appends(action):
        pairs = [f"{name}={_text(one)}" for name, one in value.items()] if isinstance(value, dict) else value
        if isinstance(pairs, list) and all(isinstance(one, str) and "=" in one for one in pairs):
            return pairs
        raise OptionError(f"{where} must be NAME=VALUE pairs, got {value!r:.60}", "Write a table of names and values")
    if action.nargs == 0:
        return _truth(value, where)
    if isinstance(value, (dict, list)) or value == "":
        raise OptionError(f"{where} must be one value, got {value!r:.60}", "Write it as the flag is written")
    text = _text(value)
    if action.choices is not None and text not in action.choices:
        raise OptionError(f"{where} must be one of {', '.join(action.choices)}, got {text!r:.40}", "Choose one of them")
    return text


def _truth(value: Any, where: str) -> bool:
    text = str(value).lower()
    if text not in TRUE + FALSE:
        raise OptionError(f"{where} must be true or false, got {value!r:.40}", "Write true or false")
    return text in TRUE


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(str(one) for one in value) if isinstance(value, list) else str(value)
