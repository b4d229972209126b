"""Rows of length 1: the same from every form of features, as torch normalises them; the user decides."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from techniques import option
from techniques.base import Slot
from techniques.remote import half_rows, rows
from techniques.representation.unit_rows import WIDE_COLUMNS

FORMS = {
    "dense": ("dense", {"representation.features": "dense"}),
    "sparse at rest": ("sparse", {"representation.features": "dense"}),
    "csr": ("sparse", {"representation.features": "csr"}),
    "csr of dense": ("dense", {"representation.features": "csr"}),
    "mapped": ("dense", {"remote.features": "memmap", "sampling": "neighbor"}),
}


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_rows_have_length_one(
    form: str, unit: bool, tiny: Any, profiled: Any, make_job: Any, spec_for: Any, monkeypatch: Any
) -> None:
    """Converted two rows, or three non-zeros, at a time."""
    for module in (rows, half_rows):
        monkeypatch.setattr(module, "rows_at_once", lambda width: 2)
    monkeypatch.setattr(rows, "VALUES_PER_CHUNK", 3)
    at_rest, chosen = FORMS[form]
    stored = tiny(features=at_rest)
    facts = profiled(stored)
    job = make_job(facts, stored, spec_for(facts, chosen, hidden=8, unit_rows=unit))
    given = make_job(facts, stored, spec_for(facts, {"representation.features": "dense"}, hidden=8)).features.whole()
    expected = torch.nn.functional.normalize(given) if unit else given
    found = job.features.whole()
    torch.testing.assert_close(found.to_dense() if found.layout is torch.sparse_csr else found, expected)
    ids = torch.arange(5).numpy()
    some = job.features.rows(ids)
    torch.testing.assert_close(some.to_dense() if some.layout is torch.sparse_csr else some, expected[:5])


def test_wide_rows_are_scaled_by_default(make_facts: Any) -> None:
    defaults = []
    for width in (WIDE_COLUMNS - 1, WIDE_COLUMNS):
        facts = make_facts((1000, 5000, width, 4))
        (knob,) = option(Slot.REPRESENTATION_FEATURES, "dense").knobs(facts)
        defaults.append(knob.default)
    assert defaults == [False, True]
