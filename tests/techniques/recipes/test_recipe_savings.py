"""Recipes keep bf16, checkpointing and accumulation."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch

from techniques.recipe import recipe
from tests.covering import covering
from tests.recipe_cases import COMBINATIONS, EXACT, copy_parameters, facts_for, loaded, spec_of

BF16_TOLERANCE = 0.03
"""Relative, over three epochs: bfloat16 keeps eight bits, and two orders of one sum may round apart."""


SAVINGS: dict[str, dict[str, Any]] = {
    "checkpointed": {"checkpoint_layers": True},
    "bf16": {"precision": "bf16"},
    "both": {"precision": "bf16", "checkpoint_layers": True},
}
SAVED = covering(
    [(name, one) for name, one in product(SAVINGS, COMBINATIONS) if one[2] != "dense" or name == "checkpointed"],
    lambda case: (case[0], case[1][0]),
    lambda case: (case[0], case[1][1:]),
)
"""Every saving with every sampler and with every layer over every adjacency; dense matrices refuse bf16 with a reason."""


@pytest.mark.parametrize(("name", "chosen"), SAVED, ids=str)
def test_savings_are_kept(
    name: str,
    chosen: tuple[str, str, str],
    tiny: Any,
    profiled: Any,
    written_job: Any,
    fixed_draws: None,
) -> None:
    from tuner.training import train_epoch

    stored = tiny()
    facts = facts_for(chosen[0], stored, profiled)
    spec = spec_of(facts, chosen, {**EXACT[chosen[0]], "dropout": 0.0, **SAVINGS[name]})
    job = written_job(facts, stored, spec)
    pasted = loaded(recipe(spec, facts))
    copy_parameters(job, pasted.model)
    tolerance = BF16_TOLERANCE if spec.training.precision == "bf16" else 1e-5
    for _ in range(3):
        expected, _ = train_epoch(job)
        assert pasted.epoch() == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("sampling", ["neighbor", "full_batch", "shadow_k_hop"])
def test_accumulation_is_kept(sampling: str, tiny: Any, profiled: Any, written_job: Any, monkeypatch: Any) -> None:
    """Batches in the order of the nodes, so that both accumulate the same ones; the last is smaller."""
    from tuner.training import train_epoch

    stored = tiny()
    facts = profiled(stored)
    settings = {**EXACT[sampling], "batch_size": 8, "dropout": 0.0, "accumulate_batches": 2}
    spec = spec_of(facts, (sampling, "sage", "coo"), settings)
    monkeypatch.setattr(torch, "randperm", lambda count, *_, **__: torch.arange(count))
    job = written_job(facts, stored, spec)
    pasted = loaded(recipe(spec, facts))
    copy_parameters(job, pasted.model)
    for _ in range(3):
        expected, _ = train_epoch(job)
        assert pasted.epoch() == pytest.approx(expected, rel=1e-5)
