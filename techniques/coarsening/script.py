"""Coarsening as plain PyG code: ``P^T A P``, pooled features, labels of training members."""

from __future__ import annotations

from techniques.base import Slot
from techniques.job import JobSpec
from techniques.recipe_parts import EDGE_COLUMNS, EDGE_WEIGHTED, FINE_WEIGHTED, HIERARCHY, SEVERAL_LABELS

CLUSTERS = """\
from torch_geometric.data import Data
from torch_geometric.utils import coalesce, remove_self_loops, scatter
from techniques.coarsening.clusters_of import clusters_of
graph = data  # what to evaluate on; from here on, data is the coarse graph
cluster = clusters_of(graph, {arguments})
size = cluster.bincount()
x = graph.x.to_dense().float()
data = Data(x=scatter(x, cluster, reduce="{pooling}"), num_nodes=len(size))"""
EDGES = {
    "": """\
data.edge_index = coalesce(remove_self_loops(cluster[graph.edge_index])[0])""",
    "edge_weight": """\
weight = {weight}
edges, weight = coalesce(*remove_self_loops(cluster[graph.edge_index], weight))
data.edge_index = edges
data.edge_weight = weight / (size[edges[0]] * size[edges[1]]).sqrt()  # columns of P have length 1""",
    "edge_attr": """\
attributes = graph.edge_attr.float().reshape(graph.num_edges, -1)
edges, attributes = remove_self_loops(cluster[graph.edge_index], attributes)
data.edge_index, data.edge_attr = coalesce(edges, attributes, reduce="mean")""",
}
OWNERS = """\
# Only training nodes have a say in the labels of super-nodes.
owner, label = cluster[graph.train_mask], graph.y[graph.train_mask]
members = owner.bincount(minlength=len(size))
data.train_mask = members > 0"""
VOTES = """\
votes = scatter({label}, owner, dim_size=len(size), reduce="sum")"""
LABELS = {
    "mode": "data.y = votes.argmax(1)",
    "soft": "data.y = votes / members.clamp(min=1).unsqueeze(1)",
}
MEAN_CLASS = """\
data.y = (scatter(label.double(), owner, dim_size=len(size), reduce="sum") / members.clamp(min=1)).round().long()"""


def coarsening_recipe(spec: JobSpec, size: str, agrees: bool) -> str:
    """The fragment of one spec; ``size`` is the argument that says how much is kept."""
    settings, name = spec.settings, spec.options[Slot.COARSENING]
    arguments = [repr(name), size, f"seed={spec.training.seed}"]
    arguments += ["weighted=True"] if settings.get(FINE_WEIGHTED) else []
    arguments += ["agree=True"] if agrees else []
    hierarchy = settings.get(HIERARCHY)
    arguments += [f"hierarchy={tuple(str(hierarchy).rsplit(':', 1))!r}"] if hierarchy else []
    parts = [CLUSTERS.format(arguments=", ".join(arguments), pooling=settings["coarsen_pooling"])]
    read = "edge_weight" if settings.get(EDGE_WEIGHTED) else "edge_attr" if settings.get(EDGE_COLUMNS) else ""
    weight = "graph.edge_weight" if settings.get(FINE_WEIGHTED) else "torch.ones(graph.num_edges)"
    parts += [EDGES[read].replace("{weight}", weight), OWNERS, _labels(spec)]
    return "\n".join(parts)


def _labels(spec: JobSpec) -> str:
    how, several = str(spec.settings["coarsen_labels"]), spec.settings.get(SEVERAL_LABELS)
    if several:
        share = f"{VOTES.format(label='label.float()')}\n{LABELS['soft']}"
        return share if how != "mode" else f"{share}\ndata.y = (data.y >= 0.5).float()"
    if how == "mean":
        return MEAN_CLASS
    return f"{VOTES.format(label='F.one_hot(label, num_classes).float()')}\n{LABELS[how]}"
