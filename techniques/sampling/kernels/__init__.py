"""Sampling kernels on plain numpy arrays: no torch, no PyG, no Python per node.

Every kernel releases the GIL, so threads sample side by side, and takes read-only and memory-mapped arrays as they are.
"""

from techniques.sampling.kernels.csc import build_csc, transpose_csr, transpose_weighted_csr
from techniques.sampling.kernels.csr_rows import gather_csr_rows, gather_dense_rows
from techniques.sampling.kernels.dense import fill_dense
from techniques.sampling.kernels.graph_runs import GatheredGraphs, GraphSetKernel
from techniques.sampling.kernels.neighbor import NeighborKernel, SampledHops
from techniques.sampling.kernels.random_walk import random_walks
from techniques.sampling.kernels.saint import SaintCounts, saint_edges, saint_nodes, saint_walks
from techniques.sampling.kernels.shadow import EgoGraphs, ShadowKernel
from techniques.sampling.kernels.subgraph import Subgraph, SubgraphKernel

__all__ = [
    "EgoGraphs",
    "GatheredGraphs",
    "GraphSetKernel",
    "NeighborKernel",
    "SaintCounts",
    "SampledHops",
    "ShadowKernel",
    "Subgraph",
    "SubgraphKernel",
    "build_csc",
    "fill_dense",
    "gather_csr_rows",
    "gather_dense_rows",
    "random_walks",
    "saint_edges",
    "saint_nodes",
    "saint_walks",
    "transpose_csr",
    "transpose_weighted_csr",
]
