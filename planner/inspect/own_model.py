"""The user's own ``module:factory`` as facts: its code runs in a child process with a time limit, never in this one."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from techniques.errors import OptionError
from techniques.facts import Facts, ModelFacts, Task
from techniques.own_model import OWN_EXIT, CustomFacts

SECONDS = 180.0
"""Torch and PyG are imported and some ten small steps taken: seconds where nothing is wrong."""
LAST_WORDS = 300


def inspect_own_model(factory: str, facts: Facts, set: Mapping[str, Any], seconds: float = SECONDS) -> ModelFacts:
    """Facts about the module that a factory makes for these facts with the knobs in ``set``.

    Args:
        factory: ``module:factory``; the module is looked for in the current folder first.
        set: pinned knobs; those of other options are left out.
        seconds: limit for the child.

    Raises:
        OptionError: what is wrong with the factory, that its child crashed or took too long, or a set of graphs.
    """
    module = factory.partition(":")[0]
    if module in ("__main__", "__mp_main__"):
        raise OptionError(
            f"a trial runs in a child process, which cannot import from __main__ or a notebook, got {factory!r}",
            "Put the factory in a module file and name that module",
        )
    if facts.task is Task.GRAPH:
        raise OptionError(
            f"your own module is trained on one graph, {facts.graph.name} is a set of graphs with a label each",
            "Choose one of: gin, sage, gcn, gat, gatv2",
        )
    request = {
        "factory": factory,
        "folder": str(Path.cwd()),
        "facts": facts.model_dump(mode="json"),
        "values": {name: value for name, value in set.items() if isinstance(value, (bool, int, float, str))},
    }
    logging.getLogger(__name__).info("tracing %s (at most %.0f s)", factory, seconds)
    answer = _asked(factory, request, seconds)
    if "problem" in answer:
        raise OptionError(answer["problem"], answer["remedy"])
    return ModelFacts(architecture="custom", custom=CustomFacts.model_validate(answer["found"]))


def _asked(factory: str, request: dict[str, Any], seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "request.json", Path(folder) / "answer.json"
        asked.write_text(json.dumps(request))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-m", "techniques.architecture.probe", str(asked), str(answered)]
        try:
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            raise OptionError(
                f"looking at {factory} must take at most {seconds:.0f} s, got no answer by then",
                "Leave loading and training out of the factory and its module",
            ) from None
        if not answered.exists():
            words = " ".join((done.stderr or done.stdout).split())[-LAST_WORDS:]
            said = f"last words: {words}" if words else "without a word"
            raise OptionError(f"{factory} ended its process (status {done.returncode}), {said}", OWN_EXIT)
        found: dict[str, Any] = json.loads(answered.read_text())
        return found
