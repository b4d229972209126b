"""What a script of a set of graphs has of its own: PyG's loader over a list of graphs, and its judgement."""

from __future__ import annotations

import re

from techniques import option
from techniques.base import Slot
from techniques.facts import Facts
from techniques.job import JobSpec
from techniques.sampling.graph_batches import GraphBatches

WHOLE = """\
from torch_geometric.data import Batch
loader = [Batch.from_data_list(train).to(device)]"""
FIXED = "loader = DataLoader(train, batch_size={batch_size}, shuffle=True)"
EVEN = """\
costs = [graph.num_{cost} for graph in train]
loader = DataLoader(train, batch_sampler=EvenBatches(costs, steps={steps}))  # {batch_cost} {cost} each"""
LOADERS = {"full_batch": WHOLE, "graph_batch": FIXED, "dynamic_batch": EVEN}
ANSWERS = '''\
from torch_geometric.loader import DataLoader
size = -(-len(train) // len(loader))  # as many graphs at once as in training
held_out = {split: DataLoader(graphs_of(data, data[f"{split}_mask"]), batch_size=size) for split in ("val", "test")}


@torch.no_grad()
def answers(split):
    """Predictions and labels of a split's graphs."""
    model.eval()
    out = [predict(batch.to(device)).cpu() for batch in held_out[split]]
    return torch.cat([torch.empty(0, num_outputs), *out]), data.y[data[f"{split}_mask"]]
'''


def with_plain_loader(body: str, spec: JobSpec, facts: Facts) -> str:
    """A recipe whose batches PyG makes of a list of graphs."""
    sampling = spec.options[Slot.SAMPLING]
    batches = next(
        part for part in option(Slot.SAMPLING, sampling).parts(facts, spec) if isinstance(part, GraphBatches)
    )
    loader = LOADERS[sampling].format(steps=batches.steps(facts.graph)[0], **spec.settings)
    ours = r"(# torch_geometric\.loader\.[^\n]*\n)?loader = GraphLoader\((?s:.*?)\n\n\n"
    made = f"train = graphs_of(data, data.train_mask)\n{loader}\n\n\n"
    return re.sub(ours, lambda _: made, body)
