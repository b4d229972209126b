"""How far a training has come, and the checkpoint that brings it back."""

from __future__ import annotations

import math
import pickle
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tuner.checkpoint import random_states, restore_random_states, write_atomically
from tuner.records import Evaluation

if TYPE_CHECKING:
    from techniques.job import Job


@dataclass
class Progress:
    """Everything a checkpoint must bring back."""

    epoch: int = 0
    best_metric: float = -math.inf
    best_epoch: int = 0
    best_scores: dict[str, float] = field(default_factory=dict)
    stale: int = 0
    """Evaluations since the best one."""
    every: int = 1
    """Epochs between evaluations, so that evaluating costs no more than training."""
    loss: float = math.nan
    train_seconds: float = 0.0
    elapsed_seconds: float = 0.0
    target_seconds: float | None = None
    epoch_seconds: list[float] = field(default_factory=list)
    history: list[Evaluation] = field(default_factory=list)
    best_state: dict[str, Tensor] | None = None


def save(progress: Progress, job: Job, checkpoint: Path) -> None:
    """Write a checkpoint in place of the one before."""
    state: dict[str, Any] = {
        "progress": progress.__dict__ | {"history": [one.model_dump() for one in progress.history]},
        "model": job.need("model").state_dict(),
        "optimizer": job.need("optimizer").state_dict(),
        "random": random_states(),
    }
    write_atomically(checkpoint, state)


def resumed(job: Job, checkpoint: Path) -> Progress:
    """Bring back weights, moments and generators; a checkpoint that cannot be read starts anew, with a word."""
    try:
        state = torch.load(checkpoint, weights_only=True)
    except (RuntimeError, ValueError, EOFError, OSError, KeyError, pickle.UnpicklingError) as error:
        print(f"{checkpoint} cannot be read ({error}): training starts anew", file=sys.stderr)
        return Progress()
    job.need("model").load_state_dict(state["model"])
    job.need("optimizer").load_state_dict(state["optimizer"])
    restore_random_states(state["random"])
    values = state["progress"]
    values["history"] = [Evaluation.model_validate(one) for one in values["history"]]
    return Progress(**values)
