"""The script: reading, the recipe of the model and its batches, training until the stopping rule holds, testing."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from techniques.architecture.hetero.typed import is_typed
from techniques.base import Slot
from techniques.errors import UnsupportedTaskError
from techniques.facts import Facts, Task
from techniques.job import JobSpec
from techniques.recipe import recipe
from tuner.export.parts import LOOP, PLAIN_LOADERS, answers_of, data_of, is_layer_wise, reading_of
from tuner.export.pruned import pruned
from tuner.export.sets import with_plain_loader

LAST_LINES = "\n# How long to train"
QUIET = """\
import warnings
warnings.filterwarnings("ignore", "Sparse CSR tensor support")  # what PyTorch says of every first one
"""
PLAIN = Path(__file__).parent / "plain"


@dataclass(frozen=True)
class Exported:
    """What a script is made of."""

    facts: Facts
    spec: JobSpec
    graph_folder: str
    """The graph as ``.npy`` files, for graphs that no file names."""
    title: str
    metric: str
    """As people write it, such as ``macro-F1``."""
    every: int
    validation: float | None
    test: float | None


def script_of(what: Exported) -> str:
    """The whole script, without a trace of gnnfit in its imports.

    Raises:
        UnsupportedTaskError: what is trained on a coarse graph has no plain script.
    """
    refuse_unsupported(what)
    spec, facts = without_order(what.spec), what.facts
    reading = reading_of(facts, what.graph_folder, is_typed(spec))
    making = data_of(facts, spec, reading.flat)
    body, loaders = body_of(what, spec, making.line)
    metric = what.metric.lower().replace("-", "_")
    loop = LOOP.format(
        max_epochs=spec.training.max_epochs,
        every=what.every,
        patience=spec.training.patience_evaluations,
        metric=metric,
        shown=what.metric,
        whole=_whole(spec, facts),
    )
    pasted = ["quality", *reading.modules, *making.modules, *loaders]
    parts = [PLAIN.joinpath(f"{name}.py").read_text(encoding="utf-8") for name in pasted]
    if "csr" in body or facts.graph.features.sparse_at_rest:
        parts.insert(0, QUIET)
    return pruned(
        assembled(header(what, "sys.argv" in reading.line), [*parts, reading.line + body, answers_of(spec, body), loop])
    )


def body_of(what: Exported, spec: JobSpec, making: str) -> tuple[str, list[str]]:
    """The recipe up to its epoch, and the modules that its loaders and its judgement need."""
    nameless = what.facts.model_copy(update={"graph": what.facts.graph.model_copy(update={"source": None})})
    body = recipe(spec, nameless).rpartition(LAST_LINES)[0]
    body, loaders = without_gnnfit(body, what.graph_folder, making)
    if is_typed(spec):
        return body, ["sampling", "typed_neighbor_loader"] * bool(loaders)
    if what.facts.task is Task.GRAPH:
        return with_plain_loader(body, spec, what.facts), ["even_batches"] * (
            spec.options[Slot.SAMPLING] == "dynamic_batch"
        )
    return body, [*loaders, *["layerwise"] * is_layer_wise(spec)]


def _whole(spec: JobSpec, facts: Facts) -> str:
    """The line that brings the graph to the device for judging in one pass; with every edge, each counts once."""
    if is_layer_wise(spec) or is_typed(spec) or facts.task is Task.GRAPH:
        return ""
    weights = "data.edge_norm = torch.ones(data.num_edges)\n" * bool(spec.settings.get("sample_coverage"))
    return f"{weights}whole = data.to(device)\n"


def without_order(spec: JobSpec) -> JobSpec:
    """An order of the nodes saves time and changes no sum: a script does without."""
    if "node_order" not in spec.settings:
        return spec
    return spec.model_copy(update={"settings": {**spec.settings, "node_order": "as_given"}})


def refuse_unsupported(what: Exported) -> None:
    """Refuse what the plain pieces do not cover."""
    coarsening = what.spec.options.get(Slot.COARSENING, "none")
    if coarsening != "none":
        raise UnsupportedTaskError(
            f"export writes scripts that train on the graph as it is, this run has coarsened it by {coarsening}",
            "Use gnnfit run RUN, whose final/model.pt holds the weights, or tune again with --fix coarsening=none",
        )


def without_gnnfit(body: str, graph_folder: str, making: str) -> tuple[str, list[str]]:
    """A recipe without our imports whose ``data`` the line ``making`` makes, and the pasted modules that take their place."""
    loaders: list[str] = []
    lines = []
    for line in body.split("\n"):
        if line.startswith("from techniques.sampling.loader import "):
            names = line.partition(" import ")[2].split(", ")
            loaders += dict.fromkeys(module for name in names for module in PLAIN_LOADERS[name])
        elif line.startswith("data = torch.load("):
            lines.append(making.rstrip("\n"))
        elif not line.startswith("# A torch_geometric.data."):
            lines.append(line)
    return "\n".join(lines).replace('np.load("x.npy"', f'np.load("{graph_folder}/x.npy"'), loaders


def header(what: Exported, takes_graph: bool) -> str:
    """The docstring: what it is, what it reached, how it is called."""
    reached = f", test {what.test:.3f}" if what.test is not None else ""
    told = f"\n\nThe run reached validation {what.metric} {what.validation:.3f}{reached}." if what.validation else ""
    quiet = what.title.replace("\\", "/").replace('"', "'")
    return f'"""{quiet}.{told}\n\nNeeds torch, numpy and torch_geometric. Usage: python train.py{" [GRAPH]" * takes_graph}\n"""\n'


def assembled(head: str, parts: list[str]) -> str:
    """Imports first, each name once, then the rest in order."""
    whole: set[str] = set()
    names: dict[str, set[str]] = {}
    bodies = []
    for text in parts:
        tree = ast.parse(text)
        cut = text.split("\n")
        for node in tree.body:
            is_docstring = node is tree.body[0] and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if isinstance(node, ast.Import):
                whole |= {f"import {one.name}" + (f" as {one.asname}" if one.asname else "") for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tuner."):
                pass  # pasted, too
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.setdefault(node.module, set()).update(one.name for one in node.names)
            elif not is_docstring:
                continue
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                cut[number] = ""
        bodies.append("\n".join(cut).strip("\n"))
    names.pop("__future__", None)
    imports = sorted(whole) + [f"from {module} import {', '.join(sorted(names[module]))}" for module in sorted(names)]
    return head + "\n" + "\n".join(imports) + "\n\n\n" + re.sub(r"\n{4,}", "\n\n\n", "\n\n\n".join(bodies)) + "\n"
