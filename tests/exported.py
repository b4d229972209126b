"""Exported scripts under test: run in place, with the run's weights, and as a child process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from planner.records import Plan
from techniques.remote.source import from_object
from tuner.folder import RunFolder, write_text
from tuner.records import Winner


def scripted(text: str) -> dict[str, Any]:
    """The names of a script that has run."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, "train.py", "exec"), names)
    return names


def give(names: dict[str, Any], tensors: list[Tensor], buffers: bool = False) -> None:
    """The script's parameters, or all that its state holds, in order."""
    model = names["model"]
    theirs = list(model.state_dict().values()) if buffers else list(model.parameters())
    assert [one.shape for one in theirs] == [one.shape for one in tensors]
    with torch.no_grad():
        for one, other in zip(theirs, tensors, strict=True):
            one.copy_(other)


def searched(made: Plan, graph: str, place: Path) -> RunFolder:
    """A run folder whose search has ended with the plan's best."""
    assert made.best is not None
    folder = RunFolder(place)
    folder.start({"graph": graph, "budget_seconds": 60.0}, "", resume=False)
    made.save(folder.plan)
    write_text(folder.best, Winner(family=made.best.name, spec=made.best.spec, reason="alone").model_dump_json())
    return folder


def stored_as_npz(obj: object, file: Path) -> str:
    """A PyG object as an ``.npz`` file, which is read without a child process."""
    stored = from_object(obj, file.stem)
    np.savez(file, **{name: stored.read(name) for name in stored.headers})
    return str(file)


def last_line(script: Path) -> str:
    """What a script says last, run alone in its folder without our packages."""
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", str(script)],
        capture_output=True,
        text=True,
        cwd=script.parent,
        env=clean,
        check=True,
    )
    return done.stdout.splitlines()[-1]
