"""What a script of a typed graph has of its own: how it is read, and how its target's nodes are judged."""

from __future__ import annotations

from techniques.architecture.hetero.typed import relations_of
from techniques.base import Slot
from techniques.facts import Facts
from techniques.job import JobSpec, setting_int

WHOLE_ANSWERS = '''\
@torch.no_grad()
def answers(split):
    """Logits and labels of a split's nodes, with all neighbours; one pass over the whole graph."""
    model.eval()
    chosen = data[target][f"{split}_mask"]
    return model(data)[chosen].cpu(), data[target].y[chosen].cpu()
'''
SAMPLED_ANSWERS = '''\
held_out = {{
    split: NeighborLoader(data, {hops}, (target, data[target][f"{{split}}_mask"]), batch_size={batch_size})
    for split in ("val", "test")
}}


@torch.no_grad()
def answers(split):
    """Logits and labels of a split's nodes, with all neighbours, batch by batch."""
    model.eval()
    out = [model(batch.to(device))[: batch[target].batch_size].cpu() for batch in held_out[split]]
    return torch.cat([torch.empty(0, num_classes), *out]), data[target].y[data[target][f"{{split}}_mask"]]
'''


def typed_line(facts: Facts, spec: JobSpec, flat: bool) -> str:
    """The line that makes ``data`` of what is read: flat arrays, or a ``HeteroData``."""
    if not flat:
        return "data = with_splits(read(), target)\n"
    stored = len(facts.graph.edge_types)
    types = "edge_types" if stored == len(relations_of(facts.graph, spec)) else f"edge_types[:{stored}]"
    columns = {one.name: one.columns for one in facts.graph.node_types if one.columns}
    given = f"read(), node_types, {types}, columns={columns!r}"
    return f"data = with_splits(typed_graph_of({given}), target)\n".replace("'", '"')


def typed_answers(spec: JobSpec) -> str:
    """``answers``, as training sees the graph: as a whole, or around nodes."""
    if spec.options[Slot.SAMPLING] == "full_batch":
        return WHOLE_ANSWERS
    hops = [-1] * setting_int(spec.settings, "layers")
    return SAMPLED_ANSWERS.format(hops=hops, batch_size=spec.settings["batch_size"])
