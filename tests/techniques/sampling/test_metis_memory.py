"""What METIS is expected to need: the levels that it holds at once."""

from __future__ import annotations

import pytest

from techniques.sampling.metis_memory import metis_bytes

PARTS = 16


def test_a_graph_that_is_not_merged_is_one_level() -> None:
    assert metis_bytes(400, 1_000, PARTS) == 8 * (2 * 1_000 + 16 * 400)


def test_merged_pairs_lose_their_edges() -> None:
    """960 nodes and 2,400 entries, 480 and 1,440: merging stops at 30 nodes a part."""
    assert metis_bytes(960, 2_400, PARTS) == 8 * (2 * (2_400 + 1_440) + 16 * (960 + 480))


@pytest.mark.parametrize(
    ("nodes", "entries", "parts", "measured"),
    [(11_758, 1_038_000, 16, 89e6), (143_369, 2_790_964, 141, 323e6), (89_250, 899_756, 88, 122e6)],
)
def test_what_was_measured(nodes: int, entries: int, parts: int, measured: float) -> None:
    """tolokers, like:yelp@0.2 and like:flickr@1."""
    assert metis_bytes(nodes, entries, parts) == pytest.approx(measured, rel=0.15)
