"""What options write into a recipe, and what they ask of its spec while they do."""

from __future__ import annotations

from itertools import pairwise

from techniques.base import Slot
from techniques.job import JobSpec
from techniques.representation.unit_rows import has_unit_rows
from techniques.sampling.seeds import draws_balanced

PRECOMPUTED = ("sgc", "sign")
"""Architectures whose features are propagated before training."""
ROW_SAMPLERS = ("full_batch", "rows")
"""Samplers that serve them: plain rows."""
IMPORTS = "import torch\nimport torch.nn.functional as F"
LOAD = 'data = torch.load("graph.pt", weights_only=False)  # runs code in the file: load your own only'
"""How a recipe reads a graph of which no name is known."""
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
WEIGHTED_DEGREES = """\
from torch_geometric.utils import scatter
data.in_degree = scatter(data.edge_weight, data.edge_index[1], dim_size=data.num_nodes)  # weighted, in the whole graph
"""
FACTORY = "factory"
"""The user's ``module:factory``, there too."""
EDGE_WEIGHTED, EDGE_COLUMNS = "edge_weighted", "edge_columns"
"""What the facts say of edges, among the settings while a script is written: options are told a spec alone."""
FINE_WEIGHTED, SEVERAL_LABELS, HIERARCHY = "fine_weighted", "several_labels", "coarsen_hierarchy"
"""The same for coarsening: whether the graph's own weights are read, nodes have several labels, and FILE:LEVEL."""


def inputs(spec: JobSpec, more: str = "") -> str:
    """What the model is called with for one ``batch``; ``more`` stands behind the edges."""
    x, name = input_rows(spec, "batch.x"), edge_input(spec)
    if trims(spec):
        given = f"        {name}=batch.{name},\n" if name else ""
        return (
            f"\n        {x},\n        batch.edge_index,\n{given}"
            "        num_sampled_nodes_per_hop=batch.num_sampled_nodes,\n"
            "        num_sampled_edges_per_hop=batch.num_sampled_edges,\n    "
        )
    if FACTORY in spec.settings:
        return _own_inputs(spec, x)
    if spec.options[Slot.REPRESENTATION] == "dense":
        return f"{x}, adjacency(batch)" + (".to_dense()" if weighs_edges(spec) else "")
    sparse = weighs_edges(spec) or spec.options[Slot.REPRESENTATION] == "csr"
    given = f", {more}" if more else ""
    sparse_given = given
    given += f", {name}=batch.{name}" if name else ""
    return f"{x}, adjacency(batch){sparse_given}" if sparse else f"{x}, batch.edge_index{given}"


def input_rows(spec: JobSpec, x: str) -> str:
    """What becomes of rows ``x`` as they are held before the first layer."""
    if spec.options[Slot.REPRESENTATION_FEATURES] == "embedding":
        return f"model.embedding({x})"
    mapped = spec.options[Slot.REMOTE_FEATURES] == "memmap"  # which keeps the type of its file
    if has_unit_rows(spec) and mapped:
        return f"F.normalize({x}.float())"
    return f"{x}.float()" if mapped or spec.options[Slot.REPRESENTATION_FEATURES] == "half" else x


def _own_inputs(spec: JobSpec, x: str) -> str:
    """What the user's own ``forward`` takes and the batch has."""
    takes, given = str(spec.settings["forward"]).split(), [x, "edge_index=batch.edge_index"]
    for name, there in (("edge_weight", EDGE_WEIGHTED), ("edge_attr", EDGE_COLUMNS)):
        given += [f"{name}=batch.{name}"] if spec.settings.get(there) else []
    seeds = "batch.batch_size" if spec.options[Slot.SAMPLING] == "neighbor" else "batch.num_nodes"
    return ", ".join(given + [f"batch_size={seeds}"] * ("batch_size" in takes))


def edge_input(spec: JobSpec) -> str:
    """Which array beside ``edge_index`` the model reads; empty for none."""
    if spec.settings.get(EDGE_WEIGHTED):
        return "edge_weight"
    return "edge_attr" if spec.settings.get(EDGE_COLUMNS) else ""


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


def pools_graphs(spec: JobSpec) -> bool:
    """Whether labels are per graph."""
    return bool(spec.settings.get("pool"))


def graph_loss(spec: JobSpec) -> str:
    """``loss_of`` for batches of whole graphs."""
    return (
        "def loss_of(batch):\n"
        f"    out = model({inputs(spec, 'batch.batch, batch.num_graphs')})\n"
        "    return criterion(out, batch.y), len(out)"
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


def saint_adjacency(architecture: str, weighted: bool = False) -> str:
    """A sparse matrix with GraphSAINT's weights of edges, normalised by the degrees of the whole graph."""
    if weighted:
        product = GCN_ADJACENCY.replace("batch.edge_norm", "batch.edge_norm * batch.edge_weight")
        return product.replace(DEGREES, WEIGHTED_DEGREES).replace("edge_norm times", "edge_norm times their weight")
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
    attends = spec.options[Slot.ARCHITECTURE] in ("gat", "gatv2", "custom")
    return not attends and spec.settings.get("aggregator") != "max"


def script_of(fragments: list[str]) -> str:
    """Imports first and once, then the rest in order."""
    parts = [_split(fragment) for fragment in (IMPORTS, *fragments)]
    imports = {line for lines, _ in parts for line in lines}
    return "\n".join(_merged(imports)) + "\n\n" + _joined([body for _, body in parts if body])


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
        wide = any(f"\n{word} " in "\n" + before or body.startswith(f"{word} ") for word in ("def", "class"))
        script += ("\n\n\n" if wide else "\n\n") + body
    return script + "\n"
