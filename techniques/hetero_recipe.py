"""A typed spec as one script of PyG code: HeteroData, PyG's typed layers, our NeighborLoader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from techniques.architecture.hetero.inputs import InputKind
from techniques.base import Slot
from techniques.facts import Facts
from techniques.job import JobSpec, setting_int, setting_ints
from techniques.sampling.seeds import draws_balanced

if TYPE_CHECKING:
    from techniques.architecture.hetero.plan import TypedPlan

LOAD = 'data = torch.load("graph.pt", weights_only=False)  # runs code in the file: load your own only'
ENCODE = '''\
    def encode(self, batch):
        """Rows [n, {hidden}] of every node type: a linear layer, or an embedding where there are no features."""
        rows = {{}}
        for kind, encoder in self.encoders.items():
            if isinstance(encoder, torch.nn.Embedding):
                rows[kind] = encoder(batch[kind].n_id)
            else:
                rows[kind] = F.dropout(encoder(batch[kind].x).relu(), {dropout}, self.training)
        return rows
'''
SAGE = '''\
import warnings
from torch_geometric.nn import HeteroConv, SAGEConv
warnings.filterwarnings("ignore", "There exist node types")  # the last layer is computed for the target alone


class Model(torch.nn.Module):
    """GraphSAGE by edge type; a layer has the edge types that reach {target} through later ones."""

    def __init__(self):
        super().__init__()
        self.encoders = torch.nn.ModuleDict({encoders}){started}
        self.convs = torch.nn.ModuleList()
        for keys, width in {layers}:
            convs = {{edge_types[key]: SAGEConv(({hidden}, {hidden}), width) for key in keys}}
            self.convs.append(HeteroConv(convs, aggr="sum"))

{encode}
    def forward(self, batch):
        rows = self.encode(batch)
        for index, conv in enumerate(self.convs):
            rows = conv(rows, batch.edge_index_dict)
            if index < len(self.convs) - 1:
                rows = {{kind: F.dropout(one.relu(), {dropout}, self.training) for kind, one in rows.items()}}
        return rows[target]
'''
RGCN = '''\
from torch_geometric.nn import RGCNConv


class Model(torch.nn.Module):
    """RGCN: all types side by side, a weight for every edge type."""

    def __init__(self):
        super().__init__()
        self.encoders = torch.nn.ModuleDict({encoders}){started}
        self.convs = torch.nn.ModuleList(RGCNConv({hidden}, width, len(edge_types)) for width in {widths})

{encode}
    def forward(self, batch):
        rows = self.encode(batch)
        start, count = {{}}, 0
        for kind, one in rows.items():
            start[kind], count = count, count + len(one)
        edges, kinds = [], []
        for number, (src, rel, dst) in enumerate(edge_types):
            if src in start and dst in start:
                edge_index = batch[src, rel, dst].edge_index
                edges.append(edge_index + edge_index.new_tensor([[start[src]], [start[dst]]]))
                kinds.append(torch.full_like(edge_index[0], number))
        x, edge_index, edge_type = torch.cat(list(rows.values())), torch.cat(edges, dim=1), torch.cat(kinds)
        for index, conv in enumerate(self.convs):
            x = conv(x, edge_index, edge_type)
            if index < len(self.convs) - 1:
                x = F.dropout(x.relu(), {dropout}, self.training)
        return x[start[target] : start[target] + len(rows[target])]
'''
HGT = '''\
from torch_geometric.nn import HGTConv


class Model(torch.nn.Module):
    """Heterogeneous graph transformer."""

    def __init__(self):
        super().__init__()
        self.encoders = torch.nn.ModuleDict({encoders}){started}
        self.convs = torch.nn.ModuleList(
            HGTConv({hidden}, {hidden}, (node_types, edge_types), heads={heads}) for _ in range({depth})
        )
        self.head = torch.nn.Linear({hidden}, num_classes)

{encode}
    def forward(self, batch):
        rows = self.encode(batch)
        for conv in self.convs:
            edges = batch.edge_index_dict.items()
            found = conv(rows, {{key: one for key, one in edges if key[0] in rows and key[2] in rows}})
            rows = {{kind: F.dropout(one, {dropout}, self.training) for kind, one in found.items()}}
        return self.head(rows[target])
'''
MODELS = {"hetero_sage": SAGE, "rgcn": RGCN, "hgt": HGT}
WHOLE = """\
for kind in node_types:
    data[kind].n_id = torch.arange(data[kind].num_nodes)
loader = [data.to(device)]


def loss_of(batch):
    out = model(batch)[batch[target].train_mask]
    return criterion(out, batch[target].y[batch[target].train_mask]), len(out)"""
SAMPLED = """\
{imported}
from techniques.sampling.loader import NeighborLoader
# torch_geometric.loader has the same NeighborLoader where pyg-lib or torch-sparse is installed.
loader = NeighborLoader(
    data,
    num_neighbors={fanouts},
    input_nodes=(target, data[target].train_mask),
    batch_size={batch_size},
    {order},
)


def loss_of(batch):
    count = batch[target].batch_size
    return criterion(model(batch)[:count], batch[target].y[:count]), count"""


def typed_fragments(spec: JobSpec, facts: Facts) -> list[str]:
    """The pieces of a script, in order, up to its optimiser; then what ``loss_of`` is.

    Raises:
        OptionError: the graph has no types, or no labels on any.
    """
    from techniques import option
    from techniques.architecture.hetero.built_in import TypedBuiltIn

    architecture = option(Slot.ARCHITECTURE, spec.options[Slot.ARCHITECTURE])
    assert isinstance(architecture, TypedBuiltIn)
    plan = architecture.network_plan(facts, spec)
    hardware = option(Slot.HARDWARE, spec.options[Slot.HARDWARE]).recipe(spec)
    return [hardware, _types(plan), _reading(facts), _data(spec, facts, plan), _labels(facts), _model(spec, plan)]


def typed_loader(spec: JobSpec) -> str:
    """``loader`` and ``loss_of``."""
    if spec.options[Slot.SAMPLING] == "full_batch":
        return WHOLE
    imported, order = "", "shuffle=True"
    if draws_balanced(spec):
        imported = "from torch_geometric.loader import ImbalancedSampler"
        order = "sampler=ImbalancedSampler(data[target].y, input_nodes=data[target].train_mask)"
    fanouts, batch = list(setting_ints(spec.settings, "fanouts")), spec.settings["batch_size"]
    return SAMPLED.format(imported=imported, order=order, fanouts=fanouts, batch_size=batch)


def _types(plan: TypedPlan) -> str:
    keys = "\n".join(f"    {key!r}," for key in plan.keys)
    return (
        f"target = {plan.names[plan.target]!r}\nnode_types = {list(plan.names)!r}\nedge_types = [\n{keys}\n]".replace(
            "'", '"'
        )
    )


def _reading(facts: Facts) -> str:
    source = facts.graph.source
    if source is None:
        return f"# A torch_geometric.data.HeteroData\n{LOAD}"
    if Path(source).expanduser().exists():
        source = str(Path(source).expanduser().resolve())  # the script may run elsewhere
    imported = "from techniques.remote.read_hetero import read_hetero\n"
    return f"{imported}data = read_hetero({source!r}, target)  # or your own HeteroData"


def _data(spec: JobSpec, facts: Facts, plan: TypedPlan) -> str:
    """Edge types turned round, features in the form that the layers read."""
    lines = [
        f"data[{dst!r}, {name!r}, {src!r}].edge_index = data[{key!r}].edge_index.flip(0)"
        for (dst, name, src), key in (
            (plan.keys[place], plan.keys[one.stored]) for place, one in enumerate(plan.relations) if one.turned
        )
    ]
    sampled = spec.options[Slot.SAMPLING] != "full_batch"
    for kind, given in plan.encoded.items():
        name = plan.names[kind]
        if given.kind is InputKind.DEGREE:
            lines.append(
                f"degree = sum(one.edge_index[1].bincount(minlength=data[{name!r}].num_nodes) "
                f"for one in data.edge_stores if one._key[2] == {name!r})\n"
                f"data[{name!r}].x = torch.stack([degree.float().log1p(), torch.ones(len(degree))], dim=1)"
            )
        elif given.columns:
            sparse = ".to_sparse_csr()" if given.sparse and not sampled else ""  # PyG's loaders cut dense rows only
            lines.append(f"data[{name!r}].x = data[{name!r}].x.to_dense().float(){sparse}")
    return "\n".join(lines).replace("'", '"')


def _labels(facts: Facts) -> str:
    labels = facts.graph.labels
    lines = [f"num_classes = {max(labels.num_classes, 2)}", "criterion = F.cross_entropy"]
    if labels.multi_label:
        lines[1:] = ["data[target].y = data[target].y.float()", "criterion = F.binary_cross_entropy_with_logits"]
    return "\n".join(lines)


def _model(spec: JobSpec, plan: TypedPlan) -> str:
    hidden, dropout = setting_int(spec.settings, "hidden"), spec.training.dropout
    encoders = "".join(
        f'            "{plan.names[kind]}": '
        + (
            f"torch.nn.Embedding({one.num_nodes}, {hidden}),\n"
            if one.embedded
            else f"torch.nn.Linear({one.columns}, {hidden}),\n"
        )
        for kind, one in plan.encoded.items()
    )
    layers = [(list(use.relations), width) for use, width in zip(plan.uses, plan.widths[1:], strict=True)]
    text = MODELS[spec.options[Slot.ARCHITECTURE]].format(
        target=plan.names[plan.target],
        encoders="{\n" + encoders + "        }",
        started="".join(
            f'\n        torch.nn.init.xavier_uniform_(self.encoders["{plan.names[kind]}"].weight)'
            for kind, one in plan.encoded.items()
            if one.embedded
        ),
        layers=layers,
        widths=plan.widths[1:],
        hidden=hidden,
        heads=plan.heads,
        depth=len(plan.uses),
        dropout=dropout,
        encode=ENCODE.format(hidden=hidden, dropout=dropout),
    )
    return f"{text}\n\ntorch.manual_seed({spec.training.seed})\nmodel = Model()"
