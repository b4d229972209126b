"""What compiling takes is counted apart, and told once."""

from __future__ import annotations

from unittest.mock import Mock

import numba
import pytest

import techniques.sampling.kernels.machine_code  # noqa: F401 - watches
from techniques import compiled


def test_a_kernel_that_is_compiled_counts_and_is_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Mock()
    monkeypatch.setattr(compiled, "announce", told)
    monkeypatch.setattr(compiled, "seconds", 0.0)
    one = numba.njit(lambda x: x + 1)
    assert one(1) == 2 and told.call_count == 1
    first = compiled.seconds
    assert first > 0
    assert one(2) == 3 and compiled.seconds == first, "it is there already"
    assert one(1.5) == 2.5 and compiled.seconds > first and told.call_count == 1, "another kind of argument"
