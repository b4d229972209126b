"""Rows that a benchmark writes one by one, as soon as it has measured them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def append_row(file: Path, fields: Sequence[str], row: Mapping[str, Any]) -> None:
    """Write one row to the end of a CSV file, which begins with the names of its columns."""
    new = not file.is_file()
    with file.open("a", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, fields)
        if new:
            writer.writeheader()
        writer.writerow(row)
