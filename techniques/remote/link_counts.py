"""How many edges a link split trains on and hides: numbers alone, so that a forecast needs no graph."""

from __future__ import annotations

VAL_SHARE = 0.05
TEST_SHARE = 0.10
HIDDEN_NOTE = "5 % and 10 % of the edges are hidden, seeded, for validation and test"


def link_counts(num_edges: int, undirected: bool, self_loops: int) -> tuple[int, int, int]:
    """Positive edges for training, validation and test: 85, 5 and 10 %, at least one to validate and one to test.

    Exact where no edge is stored twice in one direction. Fewer than three edges are all for training.

    Args:
        num_edges: stored directed entries; an undirected edge is stored in both directions and counts once here.
        self_loops: how many of the entries are self-loops, which are never positives.
    """
    positives = (num_edges - self_loops) // (2 if undirected else 1)
    if positives < 3:
        return positives, 0, 0
    val, test = max(round(VAL_SHARE * positives), 1), max(round(TEST_SHARE * positives), 1)
    return positives - val - test, val, test
