"""What a checkpoint holds besides weights, and how it is written: whole or not at all."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch


def random_states() -> dict[str, Any]:
    """Every generator that a training may draw from, as plain tensors, numbers and lists.

    The samplers' kernels draw their seeds from torch's generator, so that they need no state of their own.
    """
    name, keys, *place = np.random.get_state()
    version, words, gauss = random.getstate()
    states: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), *place],
        "python": [version, list(words), gauss],
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_random_states(states: dict[str, Any]) -> None:
    """Go on drawing where a checkpoint was written."""
    torch.set_rng_state(states["torch"])
    name, keys, *place = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *place))
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])


def write_atomically(path: Path, state: dict[str, Any], lasting: bool = False) -> None:
    """Readers see the old file or the new one, never half of it; ``lasting``: even after a power cut."""
    temporary = path.with_name(path.name + ".part")
    try:
        torch.save(state, temporary)
        if lasting:
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
