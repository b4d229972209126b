"""Modules of a user, right and wrong, and specs that train them."""

from __future__ import annotations

from typing import Any

from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques.base import Slot
from techniques.facts import ModelFacts

MODULE = """
import torch
from torch_geometric.nn import GCNConv

class Net(torch.nn.Module):
    def __init__(self, width, hidden, classes, dropout=0.0):
        super().__init__()
        self.first, self.second = GCNConv(width, hidden), GCNConv(hidden, classes)
        self.dropout = dropout

    def forward(self, x, edge_index, edge_weight=None):
        x = torch.nn.functional.dropout(self.first(x, edge_index, edge_weight).relu(), self.dropout, self.training)
        return self.second(x, edge_index, edge_weight)

class Seeds(Net):
    def forward(self, x, edge_index, batch_size):
        return super().forward(x, edge_index)[:batch_size]

class Inferring(Net):
    def inference(self, x, edge_index):
        return 2 * self.forward(x, edge_index)

class Widths(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.only = GCNConv(-1, classes)

    def forward(self, x, edge_index):
        return self.only(x, edge_index)

def sizes(facts):
    return facts.graph.features.width, 8, max(facts.graph.labels.num_classes, 2)

def build(facts, hidden=8, dropout=0.0, deep=False, kind="gcn"):
    width, _, classes = sizes(facts)
    return Net(width, hidden, classes, dropout)

build.knobs = {"hidden": (16, 32), "kind": ("gcn",)}

def seeds(facts): return Seeds(*sizes(facts))
def inferring(facts): return Inferring(*sizes(facts))
def widths(facts): return Widths(sizes(facts)[-1])
def wide(facts, hidden=256): return Net(sizes(facts)[0], hidden, sizes(facts)[-1])

# What is wrong with these is in their names.
value = 3
def nothing(facts): return None
def a_class(facts): return Net
def fails(facts): raise ValueError("no good")
def no_edges(facts): return torch.nn.Linear(3, 4)
def three_columns(facts): return Net(sizes(facts)[0], 8, 17)
def no_argument(): return None
def no_default(facts, hidden): return None
def taken(facts, batch_size=3): return None
def training(facts, learning_rate=0.1): return None

class Breaks(Net):
    def forward(self, x, edge_index): raise RuntimeError("inside")

class Tuple(Net):
    def forward(self, x, edge_index): return x, x

class Asks(Net):
    def forward(self, x, edge_index, colour): return x

def breaks(facts): return Breaks(*sizes(facts))
def a_tuple(facts): return Tuple(*sizes(facts))
class OfTypes(torch.nn.Module):
    def forward(self, x_dict, edge_index_dict): return x_dict

def of_types(facts): return OfTypes()

def asks(facts): return Asks(*sizes(facts))

def sleeps(facts):
    import time
    time.sleep(600)

def ends(facts):
    import os
    os._exit(3)
"""


LOOKED_AT: dict[tuple[str, str, str], Any] = {}


def with_model(facts: Any, model: ModelFacts) -> Any:
    return facts.model_copy(update={"model": model})


def spec_of(facts: Any, sampling: str, **settings: Any) -> Any:
    pinned = {Slot.SAMPLING: sampling, Slot.REPRESENTATION: "coo", Slot.HARDWARE: "cpu"}
    pinned |= {Slot.ARCHITECTURE: "custom", Slot.REPRESENTATION_FEATURES: "dense"}
    spec = make_spec(facts, Pins(pinned, {"threads": 1, "prefetch": 0, **settings}), {})
    verdict = check(facts, spec)
    assert verdict.usable, verdict
    return spec
