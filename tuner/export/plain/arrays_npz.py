"""A graph from an ``.npz`` file."""

from pathlib import Path
from typing import Any

import numpy as np


def read_arrays(path: str) -> dict[str, Any]:
    """Every array of the file by name."""
    with np.load(Path(path).expanduser(), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
