"""A graph from a folder of ``.npy`` files."""

from pathlib import Path
from typing import Any

import numpy as np


def read_arrays(path: str) -> dict[str, Any]:
    """Every array of the folder by name, memory-mapped."""
    files = sorted(Path(path).expanduser().glob("*.npy"))
    return {file.stem: np.load(file, mmap_mode="r" if file.stat().st_size > 4096 else None) for file in files}
