"""What the user's own code raises, said with its line and a remedy."""

from __future__ import annotations

import re
import site
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from techniques.errors import InputError, OptionError
from techniques.record import Record

WIDTHS = "facts.graph.features.width columns go in, facts.graph.labels.num_classes come out"
"""What a factory needs to know most: the names are not those of a PyG data set."""
OF_SHAPES = re.compile(r"\b(shapes?|sizes?|dimensions?)\b", re.IGNORECASE)
"""How torch and PyG word tensors that do not fit each other."""


def widths(given: int, classes: int | None) -> str:
    """Columns that this graph gives a module and wants of it, with the names that the facts have for them."""
    wanted = "any number come out" if classes is None else f"{classes} come out (facts.graph.labels.num_classes)"
    return f"{given} columns go in (facts.graph.features.width), {wanted}"


def guarded(call: Callable[[], Any], what: str, sizes: str = "") -> Any:
    """Run the user's code; running out of memory is a result, all else that it raises is theirs to correct.

    ``sizes``: said where shapes do not fit, ``widths(...)``.

    Raises:
        OptionError: with the exception, and the line of the user's that raised it.
    """
    try:
        return call()
    except (InputError, MemoryError, torch.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, RuntimeError) and "allocate memory" in str(error):
            raise
        raise user_error(what, error, sizes) from error


def user_error(what: str, error: BaseException, sizes: str = "") -> OptionError:
    """An exception of the user's code as one line that says where it was raised."""
    words = " ".join(str(error).split())[:300] or "no message"
    place = _line_of_users(error)
    remedy = "Correct it there" if place else "Call it in Python alone and correct it"
    if isinstance(error, AttributeError) and isinstance(error.obj, Record):
        remedy += f"; {WIDTHS}"
    elif sizes and OF_SHAPES.search(words):
        remedy += f"; for this graph {sizes}"
    return OptionError(f"{what}{f' at {place}' if place else ''}, got {type(error).__name__}: {words}", remedy)


def _line_of_users(error: BaseException) -> str:
    """File, line and function of the innermost frame outside of installed packages and this one; empty if there is none."""
    ours = Path(__file__).parents[2]
    installed = (*site.getsitepackages(), sysconfig.get_paths()["stdlib"])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        own = any(Path(frame.filename).is_relative_to(ours / package) for package in ("techniques", "tuner", "planner"))
        if not own and not frame.filename.startswith((*installed, "<frozen")):
            return f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
    return ""
