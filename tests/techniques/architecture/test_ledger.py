"""The ledger against the live bytes of real training steps, as torch's allocator reports them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle

import pytest
import torch

from techniques.architecture.built_in import BuiltIn
from techniques.architecture.gat import GAT
from techniques.architecture.gatv2 import GATV2
from techniques.architecture.gcn import GCN
from techniques.architecture.gin import GIN
from techniques.architecture.sage import SAGE
from tests.covering import covering
from tests.training_steps import (
    ATTENTION,
    LOOPED,
    MAX,
    PROPAGATED,
    SUBGRAPHS,
    Case,
    batch_of,
    counted_of,
    live_bytes,
    plan_of,
)

COO_ONLY = (*ATTENTION, MAX)
TOLERANCE = 0.07
"""Small tensors (parameters, degrees, pointers) are left out of the ledger; the steps here are small."""
SAMPLINGS = ("full", "whole blocks", "trimmed")
SAVING_SAMPLINGS = ("full", "trimmed", "ego graphs", "pairs")
"""Where bfloat16 and checkpointing are counted as well."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Steps this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _orders(architecture: BuiltIn) -> tuple[bool, ...]:
    """Whether the first layer transforms first."""
    if architecture is MAX:
        return (False,)
    return (True,) if architecture in LOOPED else (False, True)


def _cases() -> list[Case]:
    found = []
    for architecture in (GCN, SAGE, GIN, GAT, GATV2, MAX):
        for fused in (False, True) if architecture not in COO_ONLY else (False,):
            for sampling in SAMPLINGS:
                for sparse in (False, True) if architecture is not MAX else (False,):
                    only_first = sparse or architecture in LOOPED
                    for transform_first in (True,) if only_first else _orders(architecture):
                        found.append(Case(architecture, fused, sampling, sparse, transform_first))
    for architecture in (GCN, SAGE, GIN, GAT, GATV2, MAX):
        for fused in (False, True) if architecture not in COO_ONLY else (False,):
            for sampling in (*SUBGRAPHS, "pairs", "trimmed pairs"):
                found += [Case(architecture, fused, sampling, False, first) for first in _orders(architecture)]
                if architecture is not MAX:
                    found.append(Case(architecture, fused, sampling, True, True))
            first = _orders(architecture)[-1]
            # Wide readouts and embeddings; one layer.
            if architecture is not MAX:  # small inputs as they are: the readout alone, as for the mean
                found.append(Case(architecture, fused, "ego graphs", False, first, widths=(16, 96, 40)))
            found.append(Case(architecture, fused, "pairs", False, first, widths=(16, 96, 96)))
            found.append(Case(architecture, fused, "weighted subgraph", False, first, widths=(64, 6), dropout=0.0))
    found += [Case(one, False, "full", False, True, widths=(16, 96, 40)) for one in (GCN, GAT, GATV2, SAGE, GIN)]
    found.append(Case(MAX, False, "full", False, False, widths=(16, 96, 40)))
    for fused in (False, True):
        for sampling in ("full", "whole blocks", "subgraph", "weighted subgraph", "pairs"):
            found += [Case(PROPAGATED, fused, sampling, sparse, False) for sparse in (False, True)]
        found.append(Case(PROPAGATED, fused, "full", False, False, widths=(16, 96, 40)))
        found.append(Case(PROPAGATED, fused, "full", False, False, widths=(96, 40), dropout=0.0))
    found += [Case(one, True, "full", False, True, widths=(96, 96, 40), dropout=0.0) for one in (GCN, SAGE, GIN)]
    plain = [one for one in found if one.sampling in SAVING_SAMPLINGS]
    for bf16, checkpoint_layers in ((True, False), (False, True), (True, True)):
        found += [replace(one, bf16=bf16, checkpoint_layers=checkpoint_layers) for one in plain]
    for sampling in (*SAMPLINGS, "subgraph", "ego graphs", "pairs"):
        for one in ATTENTION:
            found += [Case(one, False, sampling, False, True, edge_columns=columns) for columns in (1, 16)]
        found += [Case(GCN, fused, sampling, False, True, own_weights=True) for fused in (False, True)]
    for architecture in (GCN, SAGE, GIN, GAT):
        for sampling in ("full", "whole blocks", "trimmed", "subgraph", "ego graphs", "pairs"):
            for one in _orders(architecture):
                fused = architecture is not GAT
                found.append(Case(architecture, fused, sampling, False, one, learned=True))
    for architecture in (GCN, SAGE, GIN):
        for sampling in ("full", "subgraph", "weighted subgraph"):
            found += [Case(architecture, True, sampling, False, one, dense=True) for one in _orders(architecture)]
        found.append(Case(architecture, True, "full", True, True, dense=True))
    for sampling in ("full", "whole blocks", "subgraph", "pairs"):
        found += [Case(PROPAGATED, fused, sampling, False, False, own_weights=True) for fused in (False, True)]
    return found


COVERED = covering(
    _cases(),
    lambda case: (case.architecture, case.form, case.sampling),
    lambda case: (case.architecture, case.form, case.sparse, case.transform_first, case.widths),
    lambda case: (case.architecture, case.sparse, case.sampling),
    lambda case: (case.architecture, case.form, case.bf16, case.checkpoint_layers),
    lambda case: (case.sampling, case.form, case.bf16, case.checkpoint_layers),
    lambda case: (case.architecture, case.edge_columns, case.own_weights, case.learned),
    lambda case: (case.sampling, case.edge_columns, case.own_weights, case.learned),
)
"""Layers over forms over batches, each of them with what is spared and with what edges carry."""


@pytest.mark.parametrize("case", COVERED, ids=str)
def test_the_ledger_counts_the_live_bytes_of_a_step(case: Case) -> None:
    torch.manual_seed(0)
    plan = plan_of(case)
    batch = batch_of(case)
    counted = counted_of(case, plan, batch)
    measured = live_bytes(case.architecture.build_network(plan), batch)
    assert max(counted.activation_bytes, counted.updating_bytes) == pytest.approx(measured, rel=TOLERANCE)


WIDE = [
    Case(architecture, fused, sampling, False, first, widths=(900, 600, 600, 6), learned=learned)
    for architecture, fused, sampling, first, learned in (
        (GCN, True, "full", True, False),
        (SAGE, True, "full", False, False),
        (GIN, True, "full", False, False),
        (GAT, False, "full", True, False),
        (PROPAGATED, True, "full", False, False),
        (SAGE, True, "ego graphs", True, False),
        (GCN, True, "pairs", True, True),
    )
] + [Case(SAGE, True, "full", True, True, widths=(3000, 1024, 6))]
"""Gradients of their weights are a fifth to a half of what is alive."""


@pytest.mark.parametrize(
    ("case", "accumulates"), [*zip(WIDE, cycle((True, False)), strict=False), (WIDE[0], False)], ids=str
)
def test_gradients_of_wide_layers_come_one_after_another(case: Case, accumulates: bool) -> None:
    """Where batches are accumulated all are there from the batch before."""
    torch.manual_seed(0)
    plan, batch = plan_of(case), batch_of(case)
    counted = counted_of(case, plan, batch, accumulates)
    measured = live_bytes(case.architecture.build_network(plan), batch, accumulates)
    assert max(counted.activation_bytes, counted.updating_bytes) == pytest.approx(measured, rel=TOLERANCE)
