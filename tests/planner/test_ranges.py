"""A range is read at one glance."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from planner.ranges import range_bytes, range_seconds
from techniques.forecast import Range


def test_ranges_share_their_unit() -> None:
    assert range_bytes(Range(1.9 * 2**30, 2.0 * 2**30, 2.4 * 2**30)) == "1.90-2.40 GiB"
    assert range_bytes(Range(500 * 2**20, 2**30, 2 * 2**30)) == "500 MiB-2.00 GiB"
    assert range_seconds(Range(0.4, 0.5, 0.9)) == "400-900 ms"
    assert range_seconds(Range(79.4, 100, 528)) == "79.4 s-8 min 48 s"
    assert range_seconds(Range(60, 100, 528)) == "60.0 s-8 min 48 s"


@given(st.floats(1, 1e15), st.floats(1, 100))
def test_ranges_show_both_ends(low: float, factor: float) -> None:
    text = range_bytes(Range(low, low, low * factor))
    assert text.count("-") == 1 and "e+" not in text
