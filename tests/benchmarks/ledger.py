"""How far is the closed ledger of a training step from a trace of it, operator by operator, on fake tensors?

python tests/benchmarks/ledger.py

Whole graphs over ``edge_index``: architectures, widths, depths, precision, checkpointing, at the size of a large graph. No
memory is used, as fake tensors have none. Fused products know no fake tensors; ``tests/techniques/architecture/test_ledger.py``
compares those, samplers and typed layers with small real steps.
"""

from __future__ import annotations

import statistics
import warnings
from itertools import product

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from planner.render import table
from techniques.architecture.assumed_values import AssumedValues
from techniques.architecture.built_in import BuiltIn
from techniques.architecture.gat import GAT
from techniques.architecture.gatv2 import GATV2
from techniques.architecture.gcn import GCN
from techniques.architecture.gin import GIN
from techniques.architecture.layer_size import shape_sizes
from techniques.architecture.ledger import step_cost
from techniques.architecture.loss import loss_of
from techniques.architecture.network import Batch
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.optimizer import adam
from techniques.architecture.sage import SAGE
from techniques.architecture.trace import LiveBytes, Walk, walked
from techniques.job import Training
from techniques.representation.block import Block
from techniques.step_shape import LayerShape, StepShape

NODES, EDGES, SEEDS = 200_000, 2_400_000, 120_000
COLUMNS, CLASSES, HEADS = 100, 40, 4
HIDDEN, DEPTHS = (64, 256), (2, 4)


def main() -> None:
    """One row per architecture: errors of the peak over widths, depths, precisions and checkpointing."""
    warnings.simplefilter("ignore")
    rows = []
    for architecture in (GCN, SAGE, GIN, GAT, GATV2):
        grid = list(product(HIDDEN, DEPTHS, (False, True), (False, True)))
        errors = [error_of(architecture, plan_of(architecture, *one)) for one in grid]
        worst = max(errors, key=abs)
        median = statistics.median(abs(one) for one in errors)
        rows.append(
            [architecture.name, str(len(grid)), f"{median:.2%}", f"{worst:+.2%}", str(grid[errors.index(worst)])]
        )
    header = ["architecture", "steps", "median error", "worst", "(hidden, layers, bf16, checkpointed)"]
    print("\n".join(table(header, rows)))


def plan_of(architecture: BuiltIn, hidden: int, layers: int, bf16: bool, checkpointed: bool) -> NetworkPlan:
    widths = (COLUMNS, *[hidden] * (layers - 1), CLASSES)
    first = architecture.always_transforms or (architecture.can_transform_first and hidden < COLUMNS)
    heads = HEADS if architecture in (GAT, GATV2) else 1
    return NetworkPlan(widths, heads, first, False, 0.5, num_classes=CLASSES, bf16=bf16, checkpoint_layers=checkpointed)


def error_of(architecture: BuiltIn, plan: NetworkPlan) -> float:
    """Ledger over trace, less 1; gradients are in both."""
    layers = len(plan.widths) - 1
    shape = StepShape((LayerShape.homogeneous(NODES, NODES, EDGES),) * layers, SEEDS)
    sizes = shape_sizes(shape, plan.widths, False, plan.transform_first, plan.heads, bf16=plan.bf16)
    costs = [(size, architecture.layer_cost(size)) for size in sizes]
    counted = step_cost(costs, SEEDS, checkpoint_layers=plan.checkpoint_layers)
    return max(counted.activation_bytes, counted.updating_bytes) / traced(architecture, plan).peak_bytes - 1


def traced(architecture: BuiltIn, plan: NetworkPlan) -> Walk:
    """One training step of the live network, on fake tensors."""
    with FakeTensorMode():
        network = architecture.build_network(plan).train()
        optimizer = adam(network, Training())
        block = Block(NODES, NODES, edge_index=torch.empty(2, EDGES, dtype=torch.long))
        rows, y = torch.arange(SEEDS), torch.zeros(SEEDS, dtype=torch.long)
        batch = Batch(torch.empty(NODES, COLUMNS), (block,) * (len(plan.widths) - 1), y, rows)

        def step(mode: LiveBytes) -> None:
            loss = loss_of(network.logits(batch), batch.y)  # type: ignore[operator]
            mode.enter_backward()
            loss.backward()  # type: ignore[no-untyped-call]
            mode.leave_backward()
            del loss
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        state = [value for one in optimizer.state.values() for value in one.values()]
        known = [*network.parameters(), *network.buffers(), *state, batch.x, y, rows, block.edge_index]
        return walked(step, [one for one in known if one is not None], AssumedValues(NODES))


if __name__ == "__main__":
    main()
