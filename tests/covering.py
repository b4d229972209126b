"""Few of many cases that still try everything that can fail together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Case = TypeVar("Case")


def covering(cases: Iterable[Case], *aspects: Callable[[Case], Hashable]) -> list[Case]:
    """Cases, in their order, that together show every aspect in every way that any case shows it.

    An aspect is a part of a case that can fail by itself, such as the pair of its sampler and its graph. Greedy: first those
    that show much at once that none before did, then half as much, and so on.
    """
    every = list(cases)
    shown = [{(index, aspect(case)) for index, aspect in enumerate(aspects)} for case in every]
    seen: set[tuple[int, Hashable]] = set()
    chosen: set[int] = set()
    least = len(aspects)
    while least:
        for place, ways in enumerate(shown):
            if len(ways - seen) >= least:
                chosen.add(place)
                seen |= ways
        least //= 2
    return [case for place, case in enumerate(every) if place in chosen]
