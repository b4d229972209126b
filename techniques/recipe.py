"""A spec as one script of plain PyG code: what its options write, in the order in which it runs.

The script reads ``graph.pt``, a ``torch_geometric.data.Data``, trains one epoch and prints its mean loss.
"""

from __future__ import annotations

from itertools import pairwise

from techniques.base import Slot
from techniques.facts import Facts, Task
from techniques.job import JobSpec
from techniques.sampling.seeds import draws_balanced

BEFORE_FEATURES = (Slot.PARALLEL, Slot.HARDWARE, Slot.REMOTE, Slot.COARSENING, Slot.REMOTE_FEATURES)
BEFORE_OPTIMIZER = (Slot.REPRESENTATION_FEATURES, Slot.REPRESENTATION, Slot.ARCHITECTURE)
PRECOMPUTED = ("sgc", "sign")
"""Architectures whose features are propagated before training."""
ROW_SAMPLERS = ("full_batch", "rows")
"""Samplers that serve them: plain rows."""
IMPORTS = "import torch\nimport torch.nn.functional as F"
GENERATED = """\
from torch_geometric.utils import degree
in_degree = degree(data.edge_index[1], data.num_nodes)
data.x = torch.stack([in_degree.log1p(), torch.ones_like(in_degree)], dim=1)  # the graph has no features"""
UNCHECKED = """\
torch.sparse.check_sparse_tensor_invariants.disable()  # the default, but PyTorch warns where it is not written
"""
DEGREES = """\
from torch_geometric.utils import degree
data.in_degree = degree(data.edge_index[1], data.num_nodes)  # in the whole graph
"""
SUM_ADJACENCY = f'''\
{UNCHECKED}

def adjacency(batch):
    """Edges count edge_norm times: sums are those over all neighbours, on average."""
    size = (batch.num_nodes, batch.num_nodes)
    return torch.sparse_coo_tensor(batch.edge_index.flip(0), batch.edge_norm, size).to_sparse_csr()


'''
MEAN_ADJACENCY = f'''\
{UNCHECKED}{DEGREES}

def adjacency(batch):
    """Edges count edge_norm times: sums over whole-graph degrees are means over all neighbours, on average."""
    weight = batch.edge_norm / batch.in_degree[batch.edge_index[1]]
    size = (batch.num_nodes, batch.num_nodes)
    return torch.sparse_coo_tensor(batch.edge_index.flip(0), weight, size).to_sparse_csr()


'''
GCN_ADJACENCY = f'''\
from torch_geometric.utils import add_self_loops
{UNCHECKED}{DEGREES}

def adjacency(batch):
    """Edges count edge_norm times, loops once; both are normalised by whole-graph degrees."""
    edge_index, weight = add_self_loops(batch.edge_index, batch.edge_norm, 1.0, batch.num_nodes)
    root = (batch.in_degree + 1).rsqrt()
    weight = weight * root[edge_index[0]] * root[edge_index[1]]
    size = (batch.num_nodes, batch.num_nodes)
    return torch.sparse_coo_tensor(edge_index.flip(0), weight, size).to_sparse_csr()


'''
EPOCH = '''\
def epoch():
    """One pass over the training data; the mean loss."""
    model.train()
    total = count = 0
    for batch in loader:
        loss, rows = loss_of(batch.to(device))
        if rows == 0:
            continue  # a subgraph without training nodes teaches nothing
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + float(loss.detach()) * rows, count + rows
    return total / max(count, 1)


print(epoch())
'''


def recipe(spec: JobSpec, facts: Facts) -> str:
    """The script of a spec for the graph that the facts describe, ready to paste.

    ``graph.pt`` must hold ``x`` (unless the graph has no features), ``edge_index``, class ids ``y`` from 0 on or
    multi-label rows, and ``train_mask``; for links ``edge_index`` is what messages may use and ``train_edge_index``
    [2, M] the positives.

    Raises:
        OptionError: an option or setting of the spec that does not exist.
    """
    fragments = [*_recipes(spec, BEFORE_FEATURES), *_about(facts), *_recipes(spec, BEFORE_OPTIMIZER)]
    fragments += [_optimizer(spec), *_steps(spec, facts), *_recipes(spec, (Slot.SAMPLING,)), EPOCH]
    parts = [_split(fragment) for fragment in (IMPORTS, *fragments)]
    imports = {line for lines, _ in parts for line in lines}
    return "\n".join(_merged(imports)) + "\n\n" + _joined([body for _, body in parts if body])


def inputs(spec: JobSpec) -> str:
    """What the model is called with for one ``batch``."""
    # A memory map keeps the type of its file.
    x = "batch.x.float()" if spec.options[Slot.REMOTE_FEATURES] == "memmap" else "batch.x"
    if trims(spec):
        return (
            f"\n        {x},\n        batch.edge_index,\n"
            "        num_sampled_nodes_per_hop=batch.num_sampled_nodes,\n"
            "        num_sampled_edges_per_hop=batch.num_sampled_edges,\n    "
        )
    sparse = weighs_edges(spec) or spec.options[Slot.REPRESENTATION] == "csr"
    return f"{x}, adjacency(batch)" if sparse else f"{x}, batch.edge_index"


def seed_order(spec: JobSpec) -> tuple[str, str]:
    """An import line, and the argument of a loader that orders its seed nodes."""
    if not draws_balanced(spec):
        return "", "shuffle=True"
    imported = "from torch_geometric.loader import ImbalancedSampler"
    return imported, "sampler=ImbalancedSampler(data, input_nodes=data.train_mask)"


def masked_loss(arguments: str) -> str:
    """``loss_of`` for batches whose training nodes are found by their mask."""
    return (
        "def loss_of(batch):\n"
        f"    out = model({arguments})[batch.train_mask]\n"
        "    return criterion(out, batch.y[batch.train_mask]), len(out)"
    )


def saint_loss(arguments: str) -> str:
    """``loss_of`` with GraphSAINT's weights of nodes (Zeng et al., ICLR 2020, section 3.2)."""
    return (
        "def loss_of(batch):\n"
        f"    out = model({arguments})[batch.train_mask]\n"
        '    rows = criterion(out, batch.y[batch.train_mask], reduction="none")\n'
        "    rows = rows.mean(1) if rows.dim() == 2 else rows  # several labels a node\n"
        "    weight = batch.node_norm[batch.train_mask]\n"
        "    return (rows * weight).sum() / weight.sum(), len(out)"
    )


def saint_adjacency(architecture: str) -> str:
    """A sparse matrix with GraphSAINT's weights of edges, normalised by the degrees of the whole graph."""
    return {"gcn": GCN_ADJACENCY, "appnp": GCN_ADJACENCY, "sage": MEAN_ADJACENCY}.get(architecture, SUM_ADJACENCY)


def trims(spec: JobSpec) -> bool:
    """Whether layers leave out what later ones do not need; PyG does that for ``edge_index`` alone."""
    return bool(spec.settings.get("trim"))


def weighs_edges(spec: JobSpec) -> bool:
    """Whether messages carry GraphSAINT's weights; attention and a maximum have no place for them."""
    return bool(spec.settings.get("sample_coverage")) and sums_neighbors(spec)


def precomputes(spec: JobSpec) -> bool:
    """Whether features are propagated before training, so that a step needs rows alone."""
    return spec.options[Slot.ARCHITECTURE] in PRECOMPUTED


def sums_neighbors(spec: JobSpec) -> bool:
    """Whether a weight per edge means anything to the layers."""
    attends = spec.options[Slot.ARCHITECTURE] in ("gat", "gatv2")
    return not attends and spec.settings.get("aggregator") != "max"


def _recipes(spec: JobSpec, slots: tuple[Slot, ...]) -> list[str]:
    from techniques import option

    return [option(slot, spec.options[slot]).recipe(spec) for slot in slots]


def _about(facts: Facts) -> list[str]:
    """What only the facts tell: stand-in features, the number of classes, the loss."""
    fragments = [GENERATED] if facts.graph.features.generated else []
    labels = facts.graph.labels
    if facts.task is Task.LINK:
        return [*fragments, "criterion = F.binary_cross_entropy_with_logits"]
    lines = [f"num_classes = {max(labels.num_classes, 2)}", "criterion = F.cross_entropy"]
    if labels.multi_label:
        lines[1:] = ["data.y = data.y.float()", "criterion = F.binary_cross_entropy_with_logits"]
    return [*fragments, "\n".join(lines)]


def _optimizer(spec: JobSpec) -> str:
    training = spec.training
    return (
        "model = model.to(device)\n"
        f"optimizer = torch.optim.Adam(model.parameters(), lr={training.learning_rate}, weight_decay={training.weight_decay})"
    )


def _steps(spec: JobSpec, facts: Facts) -> list[str]:
    """Steps of an epoch where batches are drawn without end."""
    from techniques import option
    from techniques.sampling.graph_saint import SaintBatches

    parts = option(Slot.SAMPLING, spec.options[Slot.SAMPLING]).parts(facts, spec)
    steps = [part.num_steps for part in parts if isinstance(part, SaintBatches)]
    return [f"num_steps = {count}  # as many as it takes to draw the number of nodes in the graph" for count in steps]


def _split(fragment: str) -> tuple[set[str], str]:
    """Import lines, and the rest."""
    lines = fragment.strip("\n").split("\n")
    imports = {line for line in lines if line.startswith(("import ", "from "))}
    return imports, "\n".join(line for line in lines if line not in imports).strip("\n")


def _merged(imports: set[str]) -> list[str]:
    """Import lines, one per module."""
    names: dict[str, set[str]] = {}
    for line in imports:
        if line.startswith("from "):
            module, _, wanted = line.removeprefix("from ").partition(" import ")
            names.setdefault(module, set()).update(wanted.split(", "))
    whole = sorted(line for line in imports if line.startswith("import "))
    return whole + [f"from {module} import {', '.join(sorted(names[module]))}" for module in sorted(names)]


def _joined(bodies: list[str]) -> str:
    """Two empty lines around functions, one elsewhere."""
    script = bodies[0]
    for before, body in pairwise(bodies):
        wide = "\ndef " in "\n" + before or body.startswith("def ")
        script += ("\n\n\n" if wide else "\n\n") + body
    return script + "\n"
