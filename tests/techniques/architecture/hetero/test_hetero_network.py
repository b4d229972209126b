"""Typed layers against PyG's, inference against the forward pass, and types that do not matter."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch

from techniques.architecture.hetero import network
from techniques.architecture.hetero.relation import Relation, relations
from techniques.architecture.hetero.typed import TYPED
from techniques.architecture.hetero.use import layer_uses
from techniques.remote.source import from_object

CASES = [one for one in product(TYPED, ("coo", "csr"), (False, True)) if one[:2] != ("hgt", "csr")]


def make(films: Any, profiled: Any, make_job: Any, spec_for: Any, chosen: Any, **settings: Any) -> Any:
    architecture, representation, sparse = chosen
    stored = from_object(films(scale=3, sparse=sparse), "films")
    slots = {"architecture": architecture, "representation": representation, "sampling": "full_batch"}
    slots["representation.features"] = "csr" if sparse else "dense"
    facts = profiled(stored)
    return make_job(facts, stored, spec_for(facts, slots, hidden=8, threads=1, **settings))


@pytest.mark.parametrize("chosen", CASES, ids=lambda one: "-".join(map(str, one)))
@pytest.mark.parametrize("chunk", [1, 1 << 30])
def test_inference_says_what_the_forward_pass_says(
    chunk: int, chosen: Any, films: Any, profiled: Any, make_job: Any, spec_for: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(network, "FUSED_EDGES_PER_CHUNK", chunk)
    monkeypatch.setattr(network, "MESSAGE_BYTES_PER_CHUNK", 32 * chunk)
    job = make(films, profiled, make_job, spec_for, chosen)
    (batch,) = job.batches()
    job.model.eval()
    with torch.no_grad():
        expected = job.model(batch.x, batch.blocks)
    for _ in range(2):  # inference must change neither weights nor features
        torch.testing.assert_close(job.need("predict")(), expected)
    nodes = torch.tensor([5, 3, 7])
    torch.testing.assert_close(job.need("predict")(nodes), expected[nodes])


@pytest.mark.parametrize("chosen", CASES, ids=lambda one: "-".join(map(str, one)))
def test_sampled_batches_with_all_neighbours_say_the_same(
    chosen: Any, films: Any, profiled: Any, make_job: Any, spec_for: Any
) -> None:
    architecture, representation, sparse = chosen
    stored = from_object(films(scale=3, sparse=sparse), "films")
    facts = profiled(stored)
    slots = {"architecture": architecture, "representation": representation, "sampling": "neighbor"}
    slots["representation.features"] = "csr" if sparse else "dense"
    for trim in (True, False):
        settings = {"batch_size": 10, "fanouts": (-1, -1), "trim": trim, "prefetch": 0}
        job = make_job(facts, stored, spec_for(facts, slots, hidden=8, threads=1, **settings))
        every, train = job.need("predict")(), job.masks["train"].nonzero().flatten()
        job.model.eval()
        torch.manual_seed(0)
        order = torch.randperm(train.numel())
        torch.manual_seed(0)
        for batch, seeds in zip(job.batches(), train[order].split(10), strict=True):
            with torch.no_grad():
                torch.testing.assert_close(job.model.logits(batch), every[seeds])
            assert torch.equal(batch.y, job.labels[seeds])


def _relation(source: int, target: int) -> Relation:
    return Relation(source, "r", target, 0, False, 1, None, None, None)  # type: ignore[arg-type]


def test_what_does_not_reach_the_target_is_left_out() -> None:
    """0 -> 1 -> 2: two layers bring 0 to 2 only where 1 keeps rows; a relation out of 2 is of no use."""
    chain = (_relation(0, 1), _relation(1, 2), _relation(2, 0), _relation(3, 3))
    uses = layer_uses(chain, 4, target=2, layers=2)
    assert [use.relations for use in uses] == [(0, 1), (1,)]
    assert [use.inputs for use in uses] == [(0, 1, 2), (1, 2)] and uses[-1].outputs == (2,)
    assert all(3 not in use.inputs for use in layer_uses(chain, 4, 2, 2, keeps_unreached=True))


def test_nothing_reaches_a_target_without_edges() -> None:
    one_way = (_relation(0, 1),)
    assert layer_uses(one_way, 2, target=0, layers=2) == ()
    assert layer_uses(one_way, 2, target=0, layers=2, keeps_unreached=True) == ()
    assert layer_uses(one_way, 2, target=1, layers=1)[0].inputs == (0, 1)
    # After one layer nothing is left of type 0.
    assert layer_uses(one_way, 2, target=1, layers=2) == ()
    assert layer_uses(one_way, 2, target=1, layers=2, keeps_unreached=True)[0].relations == (0,)


def test_relations_are_turned_round_where_no_reverse_is_stored(films: Any, profiled: Any) -> None:
    facts = profiled(from_object(films(), "films"))
    found = relations(facts.graph, True)
    assert [one.key(facts.graph)[1] for one in found] == [
        "by",
        "has",
        "likes",
        "knows",
        "rev_by",
        "rev_has",
        "rev_likes",
    ]
    assert [one.mirror for one in found] == [4, 5, 6, 3, 0, 1, 2]
    assert [one.turned for one in relations(facts.graph, False)] == [False] * 4
