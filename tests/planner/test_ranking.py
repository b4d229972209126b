"""The goal decides the order, and every reason holds."""

from __future__ import annotations

from typing import Any

import pytest

from planner.api import make_plan
from planner.costing import Costed, cost
from planner.pins import Pins
from planner.proposal import make_spec
from planner.ranking import ACCURACY_PRIOR, order, reasons, varied
from techniques.base import Slot
from techniques.facts import Facts, Objective

ARCHITECTURES = ("gcn", "sage", "gat", "gin")


def costed(facts: Facts, **chosen: str) -> Costed:
    pins = Pins({Slot(name): value for name, value in {"hardware": "cpu", **chosen}.items()})
    spec = make_spec(facts, pins, {})
    return Costed(spec, cost(facts, spec))


def all_of(facts: Facts) -> list[Costed]:
    return [
        costed(facts, architecture=architecture, sampling=sampling, representation="coo")
        for architecture in ARCHITECTURES
        for sampling in ("neighbor", "full_batch")
    ]


def with_homophily(facts: Facts, value: float) -> Facts:
    labels = facts.graph.labels.model_copy(update={"homophily": value})
    return facts.model_copy(update={"graph": facts.graph.model_copy(update={"labels": labels})})


def test_memory_first(make_facts: Any) -> None:
    facts = make_facts(optimize=Objective.MEMORY)
    ranked = order(facts, all_of(facts))
    peaks = [one.figures.peak_host_bytes.expected for one in ranked]
    assert peaks == sorted(peaks)


def test_accuracy_first(make_facts: Any) -> None:
    facts = make_facts(optimize=Objective.ACCURACY)
    ranked = order(facts, all_of(facts))
    priors = [ACCURACY_PRIOR[one.spec.options[Slot.ARCHITECTURE]] for one in ranked]
    assert priors == sorted(priors)


def test_time_first_prefers_the_shorter_way_to_convergence(make_facts: Any) -> None:
    facts = make_facts()
    for architecture in ARCHITECTURES:
        ranked = [one for one in order(facts, all_of(facts)) if one.spec.options[Slot.ARCHITECTURE] == architecture]
        seconds = [one.figures.seconds_to_converge for one in ranked]
        assert seconds == sorted(seconds), "one architecture: time alone decides"


def test_the_order_does_not_depend_on_the_order_given(make_facts: Any) -> None:
    facts = make_facts()
    forward, backward = order(facts, all_of(facts)), order(facts, all_of(facts)[::-1])
    assert [one.spec for one in forward] == [one.spec for one in backward]


def test_gcn_is_held_back_where_neighbours_differ(make_facts: Any) -> None:
    def place(homophily: float) -> int:
        facts = with_homophily(make_facts(), homophily)
        ranked = order(facts, all_of(facts))
        return [one.spec.options[Slot.ARCHITECTURE] for one in ranked].index("gcn")

    assert place(0.1) > place(0.9)


def test_a_candidate_that_only_just_fits_is_held_back(make_facts: Any) -> None:
    roomy = make_facts()
    one = costed(roomy, sampling="full_batch")
    from planner.ranking import _score

    tight = make_facts(host=int(one.figures.needs_host_bytes / 0.95))
    assert _score(tight, one) > _score(roomy, one)


def test_the_first_three_are_different(make_facts: Any) -> None:
    facts = make_facts()
    ranked = order(facts, [*all_of(facts), *all_of(facts)])
    found = varied(ranked)
    keys = [(one.spec.options[Slot.SAMPLING], one.spec.options[Slot.ARCHITECTURE]) for one in found[:3]]
    assert len(set(keys)) == 3
    assert found[0] is ranked[0]
    assert sorted(map(id, found)) == sorted(map(id, ranked)), "none is lost"


def test_few_candidates_stay_as_they_are(make_facts: Any) -> None:
    assert varied([]) == []
    one = costed(make_facts())
    assert varied([one]) == [one]


def texts(facts: Facts, one: Costed) -> dict[str, str]:
    return {reason.fact: reason.value for reason in reasons(facts, one)}


def test_reasons_quote_their_facts(make_facts: Any) -> None:
    facts = make_facts(grow=10.0, device=2**34)
    found = texts(facts, costed(facts, sampling="neighbor", architecture="sage", hardware="cuda"))
    assert found["nodes"] == "10,000"
    assert found["growth"] == "10x"
    assert {"host memory", "device memory", "time to converge", "density"} <= set(found)
    found = texts(facts, costed(facts, sampling="full_batch", architecture="gin"))
    assert not {"nodes", "growth", "device memory"} & set(found)


@pytest.mark.parametrize(("edges", "dense"), [(5_000, False), (450_000, True)])
def test_the_density_reason_is_true(edges: int, dense: bool, make_facts: Any) -> None:
    """A school where nearly all are friends is not sparse, whatever is offered for it."""
    facts = make_facts((1000, edges, 10, 2))
    reason = next(one for one in reasons(facts, costed(facts)) if one.fact == "density")
    assert reason.value == f"{facts.graph.density:.2g}"
    assert ("holds only the pairs" in reason.text) is not dense
    assert ("dense" in reason.text) is dense


def test_a_plan_ranks_by_its_goal(make_facts: Any) -> None:
    for objective in Objective:
        facts = make_facts(optimize=objective)
        found = make_plan(facts, Pins())
        everything = [Costed(one.spec, one.forecast) for one in found.candidates]
        assert found.best is not None
        assert order(facts, everything)[0].spec == found.best.spec
