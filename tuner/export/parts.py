"""The pieces of a script that depend on the graph's form, the task, the sampler and the stopping rule."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from techniques.architecture.chunks import PAIRS_PER_CHUNK
from techniques.architecture.hetero.typed import is_typed
from techniques.base import Slot
from techniques.facts import Facts, Task
from techniques.job import JobSpec
from techniques.recipe_parts import input_rows, pools_graphs
from tuner.export.sets import ANSWERS
from tuner.export.typed import typed_answers, typed_line

PLAIN_LOADERS: dict[str, tuple[str, ...]] = {
    "NeighborLoader": ("sampling", "hops", "neighbor_loader"),
    "LinkNeighborLoader": ("sampling", "hops", "link_neighbor_loader"),
    "RandomNodeLoader": ("sampling", "random_node_loader"),
    "ClusterData": ("sampling", "cluster_loader"),
    "ClusterLoader": ("sampling", "cluster_loader"),
    "ShaDowKHopSampler": ("sampling", "shadow_loader"),
    "GraphSAINTNodeSampler": ("sampling", "saint_samplers"),
    "GraphSAINTEdgeSampler": ("sampling", "saint_samplers"),
    "GraphSAINTRandomWalkSampler": ("sampling", "saint_samplers"),
    "GraphLoader": (),
}
"""Where a class of ``techniques.sampling.loader`` is pasted from."""

LOOP = """\
import math
{whole}max_epochs, every, patience = {max_epochs}, {every}, {patience}  # patience counts evaluations without a better one
best, stale, kept = -math.inf, 0, model.state_dict()
for number in range(1, max_epochs + 1):
    loss = epoch()
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss became {{loss}} in epoch {{number}}")
    if number > 1 and number % every and number < max_epochs:
        continue
    value, stale = {metric}(*answers("val")), stale + 1
    if value > best:
        best, stale = value, 0
        kept = {{name: weight.detach().clone() for name, weight in model.state_dict().items()}}
    print(f"epoch {{number}}: loss {{loss:.4f}}, validation {{value:.4f}}, best {{best:.4f}}")
    if stale >= patience:
        break
model.load_state_dict(kept)
print(f"validation {shown} {{best:.4f}}, test {shown} {{{metric}(*answers('test')):.4f}}")
torch.save({{name: weight.cpu() for name, weight in model.state_dict().items()}}, "model.pt")
"""

WHOLE_ANSWERS = '''\
@torch.no_grad()
def answers(split):
    """Logits and labels of a split, with all neighbours; one pass over the whole graph."""
    model.eval()
    out, chosen = predict(whole), whole[f"{{split}}_mask"]
    return out[chosen].cpu(), whole.y[chosen].cpu()
'''

LAYER_ANSWERS = '''\
@torch.no_grad()
def answers(split):
    """Logits and labels of a split, with all neighbours; layer by layer, in chunks that fit where batches were needed."""
    model.eval()
    out, chosen = {rows}, data[f"{{split}}_mask"]
    return out[chosen.cpu()], data.y[chosen].cpu()
'''

EGO_ANSWERS = '''\
@torch.no_grad()
def answers(split):
    """Logits and labels of a split, from ego graphs as in training."""
    model.eval()
    egos = ShaDowKHopSampler(data, depth={depth}, num_neighbors={num_neighbors}, node_idx=data[f"{{split}}_mask"], batch_size={batch_size})
    parts = [(predict(batch.to(device)).cpu(), batch.y.cpu()) for batch in egos]
    return torch.cat([out for out, _ in parts]), torch.cat([y for _, y in parts])
'''

LINK_ANSWERS = '''\
@torch.no_grad()
def answers(split):
    """Logits (of none, of a link) and labels of a split's pairs: products of both ends' rows, which all neighbours give."""
    model.eval()
    out, (edges, others) = {rows}, held_out[split]
    ends = torch.cat([edges, others], dim=1).split({pairs_at_once}, dim=1)
    link = torch.cat([(out[source] * out[target]).sum(1).cpu() for source, target in ends])
    return torch.stack([torch.zeros_like(link), link], dim=1), (torch.arange(len(link)) < edges.size(1)).long()
'''


@dataclass(frozen=True)
class Reading:
    """Modules to paste, and the lines that define ``read()``."""

    modules: dict[str, None]
    line: str
    flat: bool = True
    """Arrays are read, or a ``HeteroData``."""


def reading_of(facts: Facts, graph_folder: str, typed: bool) -> Reading:
    """How the script reads a graph in the form that was tuned; generated ones come from the run's own copy."""
    source, several = facts.graph.source, facts.graph.num_graphs > 1
    if source is None or source.startswith("like:"):
        return _reading("arrays_folder", graph_folder)
    path = Path(source).expanduser()
    if path.is_dir():
        return (
            _reading("arrays_csv", str(path / "edges.csv"))
            if (path / "edges.csv").is_file()
            else _reading("arrays_folder", source)
        )
    suffix = path.suffix.lower()
    if suffix in (".npz", ".csv"):
        return _reading({".npz": "arrays_npz", ".csv": "arrays_csv"}[suffix], source)
    if facts.graph.edge_types and not typed:
        return _reading("arrays_folder", graph_folder)  # where all types are one
    if suffix in (".pt", ".pth"):
        before, call = _READ_PT, f"torch.load(sys.argv[1] if len(sys.argv) > 1 else {source!r}, weights_only=False)"
    elif source.startswith("pyg:"):
        before, call = _pyg(source)
    else:
        module, _, factory = source.partition(":")
        before, call = f"from {module} import {factory}\n\n\ndef read():\n", f"{factory}()"
    if typed:
        return Reading({}, f"{before}    return {call}\n\n\n", flat=False)
    pasted = {"arrays_data": None, **({"arrays_set": None} if several else {})}
    return Reading(pasted, f"{before}    return {'arrays_of_set' if several else 'arrays_of'}({call})\n\n\n")


def data_of(facts: Facts, spec: JobSpec, flat: bool) -> Reading:
    """What makes a ``Data`` or ``HeteroData`` with the splits of the task of what is read."""
    if is_typed(spec):
        pasted = ["typed_arrays"] * flat + ["splits", "labels", "typed_labels"]
        return Reading(dict.fromkeys(["graph", *pasted]), typed_line(facts, spec, flat))
    if facts.task is Task.LINK:
        undirected = facts.graph.undirected
        return Reading(
            {"graph": None, "links": None}, f"data, held_out = link_graph_of(read(), undirected={undirected})\n"
        )
    if facts.task is Task.GRAPH:
        return Reading({"graph": None, "splits": None, "graph_set": None}, "data = graph_set_of(read())\n")
    return Reading({"graph": None, "splits": None, "labels": None}, "data = graph_of(read())\n")


def answers_of(spec: JobSpec, body: str) -> str:
    """``predict`` and ``answers``."""
    if is_typed(spec):
        return typed_answers(spec)
    if pools_graphs(spec):
        return predict_of(body).replace("every node", "every graph") + "\n\n" + ANSWERS
    rows = layer_wise_rows(spec) if is_layer_wise(spec) else "predict(whole)"
    if spec.options[Slot.SAMPLING] == "link_neighbor":
        return predict_of(body) + "\n\n" + LINK_ANSWERS.format(rows=rows, pairs_at_once=PAIRS_PER_CHUNK)
    settings = spec.settings
    ego = spec.options[Slot.SAMPLING] == "shadow_k_hop"
    answers = EGO_ANSWERS if ego else LAYER_ANSWERS if is_layer_wise(spec) else WHOLE_ANSWERS
    loader = re.search(r"depth=(\d+),\s+num_neighbors=(-?\d+)", body)
    depth, neighbors = loader.groups() if loader else ("0", "0")
    told = answers.format(rows=rows, depth=depth, num_neighbors=neighbors, batch_size=settings.get("batch_size", 1))
    return predict_of(body) + "\n\n" + told


def is_layer_wise(spec: JobSpec) -> bool:
    """Whether batches were needed, so that the graph is judged layer by layer: layers and walks that are built in."""
    options = spec.options
    return options[Slot.SAMPLING] in ("neighbor", "link_neighbor", "cluster", "random_node", "graph_saint") and options[
        Slot.ARCHITECTURE
    ] in ("sage", "gcn", "gat", "gatv2", "gin", "appnp")


def layer_wise_rows(spec: JobSpec) -> str:
    """What judges the graph layer by layer, from rows as the script holds them."""
    read = input_rows(spec, "x")
    return "layer_by_layer(model, data, device" + (f", lambda x: {read})" if read != "x" else ")")


def predict_of(body: str) -> str:
    """``predict(batch)``: what ``loss_of`` computes up to the logits, for all nodes of the batch."""
    inside = body.partition("def loss_of(batch):\n")[2].partition("    return ")[0]
    before, _, last = inside.partition("    out = ")
    expression = re.split(r"\n(?=    [^\s)])", last.rstrip())[0]  # what follows weighs the loss
    expression = re.sub(r"\[(batch\.train_mask|: batch\.batch_size)\]$", "", expression.rstrip())
    expression = re.sub(r"\n\s+num_sampled_\w+=[^\n]+", "", expression)
    return f'def predict(batch):\n    """Logits of every node."""\n{before}    return {expression}\n'


_READ_PT = """\
import sys
from torch_geometric.data import Data


def read():
    # Your own file: it may hold any PyG object.
"""


def _reading(module: str, source: str) -> Reading:
    line = (
        f"import sys\n\n\ndef read():\n    return read_arrays(sys.argv[1] if len(sys.argv) > 1 else {source!r})\n\n\n"
    )
    return Reading({module: None}, line)


def _pyg(source: str) -> tuple[str, str]:
    """The data set class with the arguments that the form stands for."""
    from techniques.remote.source.pyg_dataset import dataset_arguments

    name, arguments = dataset_arguments(source)
    given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return f"from torch_geometric.datasets import {name}\n\n\ndef read():\n", f"{name}({given})"
