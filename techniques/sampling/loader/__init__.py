"""PyG's loaders for homogeneous graphs on a bare install: change the import line, keep the training loop.

``from techniques.sampling.loader import NeighborLoader`` takes the place of ``from torch_geometric.loader import
NeighborLoader``, and neither pyg-lib nor torch-sparse is needed. Importing this package imports torch and PyG.
"""

from techniques.sampling.loader.cluster import ClusterData, ClusterLoader
from techniques.sampling.loader.graph_saint import (
    GraphSAINTEdgeSampler,
    GraphSAINTNodeSampler,
    GraphSAINTRandomWalkSampler,
    GraphSAINTSampler,
)
from techniques.sampling.loader.graph_set import GraphLoader
from techniques.sampling.loader.link_neighbor import LinkNeighborLoader
from techniques.sampling.loader.neighbor import NeighborLoader
from techniques.sampling.loader.random_node import RandomNodeLoader
from techniques.sampling.loader.shadow import ShaDowKHopSampler

__all__ = [
    "ClusterData",
    "ClusterLoader",
    "GraphLoader",
    "GraphSAINTEdgeSampler",
    "GraphSAINTNodeSampler",
    "GraphSAINTRandomWalkSampler",
    "GraphSAINTSampler",
    "LinkNeighborLoader",
    "NeighborLoader",
    "RandomNodeLoader",
    "ShaDowKHopSampler",
]
