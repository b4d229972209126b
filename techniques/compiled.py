"""Seconds that kernels took to become machine code in this process: once on a machine, then they are read from disk."""

from __future__ import annotations

from collections.abc import Callable

seconds = 0.0
announce: Callable[[], None] | None = None
"""Called once, when the first begins: whoever waits wants to know why."""


def begins() -> None:
    """A kernel is about to be compiled."""
    global announce
    told, announce = announce, None
    if told is not None:
        told()
