"""How many rows of features are converted at once: bounded in bytes, however wide they are."""

from __future__ import annotations

from techniques.facts import FLOAT_BYTES

CHUNK_BYTES, MOST_ROWS = 2**24, 65_536
VALUES_PER_CHUNK, SCALED_BYTES = 2**17, 24
"""Non-zeros of sparse rows that are scaled at once, and what each takes meanwhile; a row is never split."""


def rows_at_once(width: int) -> int:
    """Rows of ``width`` float32 columns that stay within a chunk; at least one."""
    return max(1, min(MOST_ROWS, CHUNK_BYTES // (FLOAT_BYTES * max(width, 1))))
