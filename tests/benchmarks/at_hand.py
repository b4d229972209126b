"""A graph as the planner sees it on this machine, for benchmarks that build jobs themselves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from planner.inspect.machine import inspect_machine
from planner.inspect.opened import profiled
from techniques.facts import Facts
from techniques.remote.source.folder import FolderGraph
from tuner.ingest import ingest


class AtHand(NamedTuple):
    """The graph in a folder, what is known of it and of the machine, and a folder that goes with it."""

    stored: FolderGraph
    facts: Facts
    scratch: str


@contextmanager
def at_hand(graph: str) -> Iterator[AtHand]:
    """A GRAPH argument, until the end of the block."""
    with tempfile.TemporaryDirectory() as scratch:
        stored = ingest(graph, Path(scratch) / "graph")
        facts = Facts(graph=profiled(stored, None, graph, False), hardware=inspect_machine())
        yield AtHand(stored, facts, scratch)
