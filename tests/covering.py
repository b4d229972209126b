"""Few of many cases that still try everything that can fail together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Case = TypeVar("Case")


def covering(cases: Iterable[Case], *aspects: Callable[[Case], Hashable]) -> list[Case]:
    """The cases, in their order, that show at least one aspect in a way that none before did.

    An aspect is a part of a case that can fail by itself, such as the pair of its sampler and its graph.
    """
    seen: set[tuple[int, Hashable]] = set()
    chosen = []
    for case in cases:
        shown = {(index, aspect(case)) for index, aspect in enumerate(aspects)}
        if shown - seen:
            chosen.append(case)
            seen |= shown
    return chosen
