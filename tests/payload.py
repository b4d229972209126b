"""What leaves a mark if anything ever unpickles it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Payload:
    """Creates a file when unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)
