"""Negative edges from a seed of their own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techniques.sampling.negative import negative_edges, negative_nodes


@given(st.integers(1, 50), st.integers(0, 40), st.integers(0, 2**63 - 1))
def test_pairs_are_nodes_and_repeat(num_nodes, count, seed):
    edges = negative_edges(num_nodes, count, seed)
    assert edges.shape == (2, count) and edges.dtype == np.int64
    assert count == 0 or (edges.min() >= 0 and edges.max() < num_nodes)
    assert np.array_equal(edges, negative_edges(num_nodes, count, seed))


def test_ends_are_independent_and_uniform():
    edges = negative_edges(4, 40_000, 1)
    counts = np.bincount(edges[0] * 4 + edges[1], minlength=16)
    assert abs(counts / 2500 - 1).max() < 0.1
    state = np.random.get_state()[1]
    negative_edges(4, 10, 1)
    assert np.array_equal(np.random.get_state()[1], state)


def test_weights():
    edges = negative_edges(4, 40_000, 1, src_weight=[0, 1, 3, 0], dst_weight=[2.0, 0, 0, 2.0])
    assert np.allclose(np.bincount(edges[0], minlength=4) / 40_000, [0, 0.25, 0.75, 0], atol=0.01)
    assert np.allclose(np.bincount(edges[1], minlength=4) / 40_000, [0.5, 0, 0, 0.5], atol=0.01)


@pytest.mark.parametrize("weight", [[1, 1], [1, -1, 1], [0, 0, 0], [1, np.nan, 1], [1, np.inf, 1]])
def test_unusable_weights_are_refused(weight):
    with pytest.raises(ValueError, match="weight"):
        negative_nodes(3, 5, 0, weight=weight)


def test_no_nodes():
    assert negative_nodes(0, 0, 0).size == 0
    with pytest.raises(ValueError, match="num_nodes must be at least 1"):
        negative_edges(0, 1, 0)
