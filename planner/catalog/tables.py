"""Reading the catalog's TOML files, and the answer to a name that is not in them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from techniques.errors import OptionError


@cache
def load(file_name: str) -> dict[str, Any]:
    """The parsed file; once per process, and only when a name is asked for (4 ms)."""
    import tomllib

    return tomllib.loads(_text(file_name))


def section(file_name: str, table: str, key: str) -> dict[str, Any] | None:
    """The one table ``[table.key]`` of a file; the rest is not parsed, which saves 4 ms of a plan's start."""
    import tomllib

    text = _text(file_name)
    start = text.find(f"\n[{table}.{key}]\n")
    if start < 0:
        return None
    found: dict[str, Any] = tomllib.loads(text[start : text.find("\n[", start + 1) % (len(text) + 1)])
    return found[table][key]  # type: ignore[no-any-return]


@cache
def _text(file_name: str) -> str:
    return Path(__file__).with_name(file_name).read_text(encoding="utf-8")


def spelled(name: str) -> str:
    """Names are compared in lower case with hyphens: ``A100_80GB`` is ``a100-80gb``."""
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def unknown(kind: str, name: str, known: Iterable[str]) -> OptionError:
    """The error for an unknown name: the closest known one first, then all of them."""
    import difflib

    names = sorted(known)
    close = difflib.get_close_matches(spelled(name), names, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return OptionError(f"{kind} must be a known name, got {name!r}", f"{hint}Known: {', '.join(names)}")
