"""Every way to fill the slots, and which of them a contract has to be tried on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import combinations as combinations_of
from itertools import product
from typing import Any

import pytest

from planner.inspect.degrees import estimated_degrees
from planner.inspect.estimate import for_links, from_counts
from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques import OPTIONS, options
from techniques.base import Option, Slot
from techniques.facts import Facts, GraphFacts
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.graph_figures import EdgeTypeFacts, NodeTypeFacts
from techniques.job import JobSpec
from tests.covering import covering

SAMPLING = Slot.SAMPLING


def identity(one: Option) -> str:
    return f"{one.slot.value}={one.name}"


every_option = pytest.mark.parametrize("one", OPTIONS, ids=identity)


def combinations() -> list[dict[Slot, str]]:
    """Every way to fill the slots."""
    names = [[one.name for one in options(slot)] for slot in Slot]
    return [dict(zip(Slot, chosen, strict=True)) for chosen in product(*names)]


COMBINATIONS = combinations()


def together(*slots: Slot) -> Callable[[dict[Slot, str]], tuple[str, ...]]:
    return lambda chosen: tuple(chosen[slot] for slot in slots)


MEETINGS = [together(*pair) for pair in combinations_of(Slot, 2)]
MEETINGS.append(together(Slot.SAMPLING, Slot.REPRESENTATION, Slot.ARCHITECTURE))
"""Any two options read each other's settings; batches, their form and the layers over them share one path."""
PAIRS = covering(COMBINATIONS, *MEETINGS)


def usable(facts: Facts, among: Iterable[dict[Slot, str]] = COMBINATIONS, **settings: Any) -> Iterator[JobSpec]:
    specs = (make_spec(facts, Pins(chosen, settings), {}) for chosen in among)
    return (spec for spec in specs if check(facts, spec).usable)


def meeting(specs: Iterable[JobSpec]) -> list[JobSpec]:
    """Of these, enough for all options to meet that can."""
    return covering(specs, *[partial(_of_options, aspect) for aspect in MEETINGS])


def _of_options(aspect: Callable[[dict[Slot, str]], tuple[str, ...]], spec: JobSpec) -> tuple[str, ...]:
    return aspect(dict(spec.options))


def several_types(scale: int = 1) -> GraphFacts:
    """Counts of a heterogeneous graph: what only a graph that was read has."""
    movies, people = 600 * scale, 400 * scale
    graph = from_counts(movies + people, 5000 * scale, 32, 3, directed=True)
    into, out = estimated_degrees(people, 5000 * scale), estimated_degrees(movies, 5000 * scale)
    return graph.model_copy(
        update={
            "node_types": (
                NodeTypeFacts(name="movie", num_nodes=movies, columns=32, nonzeros=movies, feature_bytes=128 * movies),
                NodeTypeFacts(name="person", num_nodes=people),
            ),
            "edge_types": (
                EdgeTypeFacts(
                    source="movie",
                    relation="by",
                    target="person",
                    num_edges=5000 * scale,
                    degrees=into,
                    out_degrees=out,
                ),
            ),
            "target_type": "movie",
            "nodes_by_type": {"movie": movies, "person": people},
        }
    )


GRAPHS = {
    "types": several_types(),
    "large types": several_types(10_000),
    "small": from_counts(1000, 5000, 32, 3, directed=False),
    "large": from_counts(3_000_000, 60_000_000, 100, 47, directed=True),
    "featureless": from_counts(1000, 5000, 0, 3, directed=False),
    "links": for_links(from_counts(1000, 5000, 32, directed=False)),
    "weighted": from_counts(1000, 5000, 32, 3, directed=False, edge_weighted=True, edge_features=8),
    "set": from_counts(5000, 20_000, 32, 3, directed=False, num_graphs=200),
    "regression": from_counts(5000, 20_000, 32, directed=False, num_graphs=200, num_targets=2),
}


def ranges(found: Forecast) -> dict[str, Range]:
    figures = {
        "host": found.peak_bytes(Place.HOST),
        "device": found.peak_bytes(Place.DEVICE),
        "epoch": found.epoch_seconds,
        "flops": found.flops_per_epoch,
    }
    for phase in Phase:
        one = found.phases[phase]
        figures |= {f"{phase}.host": one.host_peak_bytes, f"{phase}.device": one.device_peak_bytes}
        figures[f"{phase}.seconds"] = one.seconds
    return figures
