"""A dense matrix holds the graph's own weights; parallel edges add up."""

from __future__ import annotations

import numpy as np
import torch

from techniques.architecture.convs import inverse_roots
from techniques.representation.block import gcn_sum
from techniques.sampling.edge_data import EdgeData
from techniques.sampling.structure import Structure

EDGES = np.array([[0, 0, 2, 1, 3], [1, 1, 1, 2, 0]])
"""0 to 1 twice; node 3 has no in-edge."""
WEIGHTS = np.array([0.5, 2.0, 1.5, 0.25, 4.0], np.float32)


def test_sums_and_gradients_are_those_of_a_sparse_adjacency() -> None:
    found = []
    for dense in (True, False):
        structure = Structure.build(EDGES, 4, False, False, EdgeData(WEIGHTS))
        structure.fused, structure.dense = True, dense
        block = structure.whole()
        h = torch.arange(8.0).view(4, 2).requires_grad_()
        out = gcn_sum(block, h, inverse_roots(block))
        (out * torch.tensor([[1.0], [2.0], [3.0], [4.0]])).sum().backward()
        found.append((out, h.grad))
        if dense:
            assert block.dense is not None and block.dense.values[1].tolist() == [2.5, 0, 1.5, 0]
            assert block.num_edges == 5 and inverse_roots(block)[1] == (2.5 + 1.5 + 1) ** -0.5
    torch.testing.assert_close(found[0], found[1])
