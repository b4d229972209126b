"""A spec as one script of PyG code: what its options write, in the order in which it runs.

The script reads the graph that was planned for (``graph.pt``, a ``torch_geometric.data.Data``, where there is none), trains
one epoch and prints its mean loss. Loaders that PyG offers only with pyg-lib or torch-sparse are gnnfit's own.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from techniques.architecture.edge_inputs import read_columns, reads_weights
from techniques.architecture.hetero.typed import is_typed
from techniques.base import SettingValue, Slot
from techniques.coarsening.sizes import trained_facts
from techniques.facts import Facts, Task
from techniques.job import JobSpec
from techniques.representation.unit_rows import has_unit_rows
from techniques.sampling.seeds import draws_balanced

BEFORE_FEATURES = (Slot.PARALLEL, Slot.HARDWARE, Slot.REMOTE, Slot.REMOTE_FEATURES)
BEFORE_OPTIMIZER = (Slot.REPRESENTATION_FEATURES, Slot.REPRESENTATION, Slot.ARCHITECTURE)
PRECOMPUTED = ("sgc", "sign")
"""Architectures whose features are propagated before training."""
ROW_SAMPLERS = ("full_batch", "rows")
"""Samplers that serve them: plain rows."""
LOAD = 'data = torch.load("graph.pt", weights_only=False)  # runs code in the file: load your own only'
"""How a recipe reads a graph of which no name is known."""
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
WEIGHTED_DEGREES = """\
from torch_geometric.utils import scatter
data.in_degree = scatter(data.edge_weight, data.edge_index[1], dim_size=data.num_nodes)  # weighted, in the whole graph
"""
FACTORY = "factory"
"""The user's ``module:factory``, there too."""
EDGE_WEIGHTED, EDGE_COLUMNS = "edge_weighted", "edge_columns"
"""What the facts say of edges, among the settings while a script is written: options are told a spec alone."""
SUMMING = {"appnp": "[model.propagate]"}
"""Where a script keeps what sums over neighbours, if not in ``model.convs``."""
LAYERS = {"appnp": "model.lins", "sgc": "model[::3]", "sign": "model[::3]"}
"""Where it keeps the layers."""
FINE_WEIGHTED, SEVERAL_LABELS, HIERARCHY = "fine_weighted", "several_labels", "coarsen_hierarchy"
"""The same for coarsening: whether the graph's own weights are read, nodes have several labels, and FILE:LEVEL."""
CHECKPOINTED = """\
from functools import partial
from torch.utils.checkpoint import checkpoint
for conv in model.convs:  # compute again in the backward pass what a layer would keep for it
    conv.forward = partial(checkpoint, conv.forward, use_reentrant=False)
"""
SUMS_IN_FLOAT32 = '''\
def widened(value):
    """bfloat16 as float32, inside tuples too."""
    if isinstance(value, tuple):
        return tuple(map(widened, value))
    return value.float() if getattr(value, "dtype", None) is torch.bfloat16 else value


def in_float32(propagate):
    """Sums over neighbours lose small terms in bfloat16, and sparse products lack it."""

    def wrapped(edge_index, **arguments):
        with torch.autocast(device.type, enabled=False):
            return propagate(edge_index, **{name: widened(value) for name, value in arguments.items()})

    return wrapped


for conv in model.convs:
    conv.propagate = in_float32(conv.propagate)
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


# How long to train, and evaluation on data.val_mask, are up to you.
print(epoch())
'''

ONE_STEP = """\
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
MANY_STEPS = """\
        (loss * rows).backward()
        waiting, seeds = waiting + 1, seeds + rows
        if waiting == {count}:
            step(seeds)
            waiting = seeds = 0
"""
STEP_LEFT = """\
    if waiting:
        step(seeds)
"""
STEP = '''\
def step(seeds):
    """One step with the gradient of the mean loss of all seeds since the last one."""
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad /= seeds
    optimizer.step()
    optimizer.zero_grad()


'''
LAST_LINES = "    return total / max(count, 1)\n"


def recipe(spec: JobSpec, facts: Facts) -> str:
    """The script of a spec for the graph that the facts describe, ready to paste.

    ``graph.pt`` must hold ``x`` (unless the graph has no features), ``edge_index``, class ids ``y`` from 0 on or
    multi-label rows, and ``train_mask``; for links ``edge_index`` is what messages may use and ``train_edge_index``
    [2, M] the positives. What the model reads of ``edge_weight`` [E] and ``edge_attr`` [E, D] must be there, too.

    Raises:
        OptionError: an option or setting of the spec that does not exist.
    """
    if is_typed(spec):
        from techniques.hetero_recipe import typed_fragments, typed_loader

        fragments = [*typed_fragments(spec, facts), _optimizer(spec), typed_loader(spec)]
        fragments.append(_epoch(spec).replace("data.val_mask", "data[target].val_mask"))
        return _script(fragments)
    fine, whole = _told(spec, facts), facts
    facts = trained_facts(facts, spec)
    spec = _told(spec, facts, **_coarsening_facts(whole, spec))
    reading = [fragment.replace(LOAD, _reading(whole)) for fragment in _recipes(fine, BEFORE_FEATURES)]
    fragments = [*reading, *_unread(fine, whole), *_about(whole), *_scaled(fine), *_recipes(spec, (Slot.COARSENING,))]
    fragments += _recipes(spec, BEFORE_OPTIMIZER)
    fragments += [
        _optimizer(spec),
        *_saving(spec),
        *_steps(spec, facts),
        *_recipes(spec, (Slot.SAMPLING,)),
        _epoch(spec),
    ]
    return _script(fragments)


def _script(fragments: list[str]) -> str:
    """Imports first and once, then the rest in order."""
    parts = [_split(fragment) for fragment in (IMPORTS, *fragments)]
    imports = {line for lines, _ in parts for line in lines}
    return "\n".join(_merged(imports)) + "\n\n" + _joined([body for _, body in parts if body])


def _scaled(spec: JobSpec) -> list[str]:
    """Rows of features are scaled once; those of a memory map as batches read them."""
    mapped = spec.options[Slot.REMOTE_FEATURES] == "memmap"
    return ["data.x = F.normalize(data.x.to_dense().float())  # rows of length 1"] * (
        has_unit_rows(spec) and not mapped
    )


def _told(spec: JobSpec, facts: Facts, **more: SettingValue) -> JobSpec:
    """The spec with what the facts say of edges among its settings."""
    read: dict[str, Any] = {EDGE_WEIGHTED: reads_weights(facts, spec), EDGE_COLUMNS: read_columns(facts, spec)}
    own = facts.model.custom
    if own is not None and spec.options[Slot.ARCHITECTURE] == "custom":
        names = [knob.name for knob in own.knobs] + ["dropout"] * own.takes_dropout
        read |= {FACTORY: own.factory, "factory_knobs": " ".join(names), "forward": " ".join(own.forward)}
    return spec.model_copy(update={"settings": {**spec.settings, **read, **more}})


def _coarsening_facts(facts: Facts, spec: JobSpec) -> dict[str, SettingValue]:
    from techniques.coarsening.option import hierarchy_of

    hierarchy = hierarchy_of(facts, spec)
    found: dict[str, SettingValue] = {
        FINE_WEIGHTED: reads_weights(facts, spec),
        SEVERAL_LABELS: facts.graph.labels.multi_label,
    }
    return found if hierarchy is None else {**found, HIERARCHY: ":".join(hierarchy)}


def _reading(facts: Facts) -> str:
    """Reads the graph by the name that the user gave it; generated graphs and counts alone have no file."""
    source = facts.graph.source
    if source is None or source.startswith("like:"):
        return LOAD
    if Path(source).expanduser().exists():
        source = str(Path(source).expanduser().resolve())  # the script may run elsewhere
    more = f', task="link", undirected={facts.graph.undirected}' if facts.task is Task.LINK else ""
    more = ', task="graph"' if facts.task is Task.GRAPH else more
    return f"from techniques.remote.read_data import read_data\ndata = read_data({source!r}{more})  # or your own Data"


def inputs(spec: JobSpec, more: str = "") -> str:
    """What the model is called with for one ``batch``; ``more`` stands behind the edges."""
    # A memory map keeps the type of its file.
    half = spec.options[Slot.REPRESENTATION_FEATURES] == "half"
    x = "batch.x.float()" if half or spec.options[Slot.REMOTE_FEATURES] == "memmap" else "batch.x"
    if has_unit_rows(spec) and spec.options[Slot.REMOTE_FEATURES] == "memmap":
        x = "F.normalize(batch.x.float())"
    if spec.options[Slot.REPRESENTATION_FEATURES] == "embedding":
        x = "model.embedding(batch.x)"
    name = edge_input(spec)
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


def _recipes(spec: JobSpec, slots: tuple[Slot, ...]) -> list[str]:
    from techniques import option

    return [option(slot, spec.options[slot]).recipe(spec) for slot in slots]


def _unread(spec: JobSpec, facts: Facts) -> list[str]:
    """Without what the model does not read, no loader cuts it; its rows would be those of before self-loops went."""
    stored = {"edge_weight": facts.graph.edge_weighted, "edge_attr": facts.graph.edge_features > 0}
    read = {edge_input(spec), "edge_attr" if FACTORY in spec.settings and spec.settings.get(EDGE_COLUMNS) else ""}
    unread = [name for name, there in stored.items() if there and name not in read]
    return [f"data.{name} = None  # {spec.options[Slot.ARCHITECTURE]} does not read it" for name in unread]


def _about(facts: Facts) -> list[str]:
    """What only the facts tell: stand-in features, the number of classes, the loss."""
    fragments = [GENERATED] if facts.graph.features.generated else []
    labels = facts.graph.labels
    if facts.task is Task.LINK:
        return [*fragments, "criterion = F.binary_cross_entropy_with_logits"]
    if facts.task is Task.GRAPH:
        return [*fragments, _outputs(facts)]
    lines = [f"num_classes = {max(labels.num_classes, 2)}", "criterion = F.cross_entropy"]
    if labels.multi_label:
        lines[1:] = ["data.y = data.y.float()", "criterion = F.binary_cross_entropy_with_logits"]
    return [*fragments, "\n".join(lines)]


def _outputs(facts: Facts) -> str:
    """What the network says of a graph, and its loss."""
    labels = facts.graph.labels
    if labels.num_targets:
        return (
            "known = data.y[data.train_mask]  # standardised: mean 0, deviation 1 over the training graphs\n"
            "data.y = (data.y - known.mean(0)) / known.std(0, unbiased=False)\n"
            f"num_outputs = {labels.num_targets}\ncriterion = F.mse_loss"
        )
    if labels.multi_label:
        rows = "data.y = data.y.float()\ncriterion = F.binary_cross_entropy_with_logits"
        return f"num_outputs = {labels.num_classes}\n{rows}"
    return f"num_outputs = {max(labels.num_classes, 2)}\ncriterion = F.cross_entropy"


def _optimizer(spec: JobSpec) -> str:
    training = spec.training
    return (
        "model = model.to(device)\n"
        f"optimizer = torch.optim.Adam(model.parameters(), lr={training.learning_rate}, weight_decay={training.weight_decay})"
    )


def _saving(spec: JobSpec) -> list[str]:
    """What saves memory in training: narrow products, layers computed again."""
    architecture = spec.options[Slot.ARCHITECTURE]
    alone = precomputes(spec) or architecture == "custom"
    sums = SUMS_IN_FLOAT32.replace("model.convs", SUMMING.get(architecture, "model.convs"))
    fragments = [sums] if spec.training.precision == "bf16" and not alone else []
    again = CHECKPOINTED.replace("model.convs", LAYERS.get(architecture, "model.convs"))
    return [*fragments, again] if spec.training.checkpoint_layers else fragments


def _epoch(spec: JobSpec) -> str:
    """The loop of one epoch with the precision and the steps of the spec."""
    epoch, count = EPOCH, spec.training.accumulate_batches
    if spec.training.precision == "bf16":
        narrow = """\
        with torch.autocast(device.type, torch.bfloat16):
            loss, rows = loss_of(batch.to(device))
"""
        epoch = epoch.replace("        loss, rows = loss_of(batch.to(device))\n", narrow)
    if count > 1:
        epoch = epoch.replace(ONE_STEP, MANY_STEPS.format(count=count)).replace(LAST_LINES, STEP_LEFT + LAST_LINES)
        epoch = epoch.replace("    total = count = 0\n", "    total = count = waiting = seeds = 0\n")
    if spec.options[Slot.COARSENING] != "none":
        epoch = epoch.replace("evaluation on data.val_mask", "evaluation on graph.val_mask of the graph itself")
    return (STEP if count > 1 else "") + epoch


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
        wide = any(f"\n{word} " in "\n" + before or body.startswith(f"{word} ") for word in ("def", "class"))
        script += ("\n\n\n" if wide else "\n\n") + body
    return script + "\n"
