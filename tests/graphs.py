"""Tiny graphs with every oddity: isolated nodes, self-loops, parallel edges, gaps, types, sets of graphs."""

from __future__ import annotations

from typing import Any

import numpy as np

from techniques.remote.source.arrays import ArrayGraph


def tiny(
    num_nodes: int = 60,
    features: str = "dense",
    undirected: bool = True,
    labels: str = "classes",
    self_loops: bool = True,
    width: int = 24,
    seed: int = 0,
    weights: str = "none",
    edge_columns: int = 0,
    positions: bool = False,
) -> ArrayGraph:
    """60 nodes, the last five isolated, some with a self-loop."""
    rng = np.random.default_rng(seed)
    edges = _edges(num_nodes, undirected, self_loops, rng)
    arrays: dict[str, Any] = {"num_nodes": np.array(num_nodes), "edge_index": edges.astype(np.int32)}
    arrays |= _labels(labels, num_nodes, rng)
    arrays |= _features(features, num_nodes, width, rng)
    arrays |= _edge_data(edges, weights, edge_columns)
    arrays |= {"pos": np.random.default_rng(2).random((num_nodes, 2))} if positions else {}
    return ArrayGraph("tiny", arrays)


def _edges(num_nodes: int, undirected: bool, self_loops: bool, rng: np.random.Generator) -> Any:
    edges = rng.integers(0, num_nodes - 5, (2, 4 * num_nodes))
    edges = edges[:, edges[0] != edges[1]]
    if undirected:
        edges = np.unique(np.concatenate([edges, edges[::-1]], axis=1), axis=1)
    if self_loops:
        edges = np.concatenate([edges, np.stack([np.arange(7), np.arange(7)])], axis=1)
    return edges


def _labels(kind: str, num_nodes: int, rng: np.random.Generator) -> dict[str, Any]:
    if kind == "none":
        return {}
    if kind == "multi":
        return {"y": (rng.random((num_nodes, 4)) < 0.4).astype(np.uint8)}
    return {"y": rng.permutation(np.arange(num_nodes) % 3)}


def _features(kind: str, num_nodes: int, width: int, rng: np.random.Generator) -> dict[str, Any]:
    x = rng.normal(size=(num_nodes, width)).astype(np.float32)
    if kind == "none":
        return {}
    if kind == "dense":
        return {"x": x}
    if kind == "float16":
        return {"x": x.astype(np.float16)}
    return _sparse(x * (rng.random(x.shape) < 0.08))


def _sparse(x: Any) -> dict[str, Any]:
    rows, columns = np.nonzero(x)
    return {
        "x_data": x[rows, columns].astype(np.float32),
        "x_indices": columns.astype(np.int32),
        "x_indptr": np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(x)))]).astype(np.int64),
        "x_shape": np.array(x.shape),
    }


def _edge_data(edges: Any, weights: str, columns: int) -> dict[str, Any]:
    """Weights from 0.5 to 2, ``symmetric``, ``random`` or all ``ones``; draws of their own keep the rest as it is."""
    rng = np.random.default_rng(1)
    found: dict[str, Any] = {}
    if weights != "none":
        drawn = rng.uniform(0.5, 2.0, (edges.max() + 1, edges.max() + 1)).astype(np.float32)
        drawn = drawn + drawn.T if weights == "symmetric" else np.ones_like(drawn) if weights == "ones" else drawn
        found["edge_weight"] = drawn[edges[0], edges[1]]
    if columns:
        found["edge_attr"] = rng.normal(size=(edges.shape[1], columns)).astype(np.float32)
    return found


def tiny_set(
    num_graphs: int = 40,
    labels: str = "classes",
    features: str = "dense",
    undirected: bool = True,
    width: int = 5,
    seed: int = 0,
    weights: bool = False,
    edge_columns: int = 0,
    sizes: Any = None,
) -> ArrayGraph:
    """40 graphs of 0 to 12 nodes, one of them without edges."""
    rng = np.random.default_rng(seed)
    nodes = rng.integers(1, 13, num_graphs) if sizes is None else np.asarray(sizes)
    if sizes is None:
        nodes[3], nodes[5] = 0, 1
    pointer = np.concatenate([[0], np.cumsum(nodes)])
    edges = _edges_within(pointer, undirected, rng)
    arrays: dict[str, Any] = {"num_nodes": np.array(pointer[-1]), "edge_index": edges, "graph_ptr": pointer}
    if features == "sparse":
        arrays |= _sparse(rng.normal(size=(pointer[-1], 24)) * (rng.random((pointer[-1], 24)) < 0.08))
    elif features != "none":
        arrays["x"] = rng.normal(size=(pointer[-1], width)).astype(features.replace("dense", "float32"))
    arrays["y"] = {
        "classes": rng.permutation(np.arange(num_graphs) % 3),
        "multi": (rng.random((num_graphs, 4)) < 0.4).astype(np.uint8),
        "target": rng.normal(3.0, 2.0, num_graphs),
        "targets": rng.normal(3.0, 2.0, (num_graphs, 2)),
    }[labels]
    if weights:
        arrays["edge_weight"] = (1.0 + (edges[0] + edges[1]) % 3).astype(np.float32)
    if edge_columns:
        arrays["edge_attr"] = rng.normal(size=(edges.shape[1], edge_columns)).astype(np.float32)
    return ArrayGraph("tiny-set", arrays)


def _edges_within(pointer: Any, undirected: bool, rng: np.random.Generator) -> Any:
    """Two edges a node, few of them self-loops; graph 7 has none."""
    nodes = np.diff(pointer)
    graph = np.repeat(np.arange(nodes.size), 2 * nodes)
    ends = pointer[graph] + rng.integers(0, np.maximum(nodes[graph], 1), (2, graph.size))
    ends = ends[:, (ends[0] != ends[1]) | (rng.random(graph.size) < 0.3)]
    ends = ends[:, ~np.isin(ends[0], np.arange(pointer[7], pointer[8]))]
    edges = np.concatenate([ends, ends[::-1]], axis=1) if undirected else ends
    return np.unique(edges, axis=1).astype(np.int32)


def films(scale: int = 1, sparse: bool = False, labels: str = "classes", masks: bool = False, seed: int = 0) -> Any:
    """A ``HeteroData`` with every oddity.

    Movies have 24 feature columns and the labels, people 5 columns, tags none; "knows" holds both directions of its
    edges, "likes" is no reverse of "by"; the last movie, person and tag have no edges.
    """
    import torch
    from torch_geometric.data import HeteroData

    rng = np.random.default_rng(seed)
    sizes = {"movie": 40 * scale, "person": 30 * scale, "tag": 12 * scale}
    data = HeteroData()
    x = rng.normal(size=(sizes["movie"], 24)) * (rng.random((sizes["movie"], 24)) < (0.06 if sparse else 1.0))
    data["movie"].x = torch.from_numpy(x.astype(np.float32))
    data["person"].x = torch.from_numpy(rng.normal(size=(sizes["person"], 5)).astype(np.float32))
    if sparse:
        data["person"].x[:, 1:] = 0.0
        data["person"].x[5:] = 0.0
    data["tag"].num_nodes = sizes["tag"]
    if labels != "none":
        several = torch.from_numpy((rng.random((sizes["movie"], 4)) < 0.4).astype(np.uint8))
        classes = torch.from_numpy(rng.permutation(np.arange(sizes["movie"]) % 3))
        data["movie"].y = several if labels == "multi" else classes
    if masks:
        for index, name in enumerate(("train_mask", "val_mask", "test_mask")):
            data["movie"][name] = torch.arange(sizes["movie"]) % 3 == index
    _add_relations(data, sizes, scale, rng)
    return data


def _add_relations(data: Any, sizes: dict[str, int], scale: int, rng: np.random.Generator) -> None:
    import torch

    for source, relation, target, count in (
        ("movie", "by", "person", 90),
        ("movie", "has", "tag", 70),
        ("person", "likes", "movie", 60),
        ("person", "knows", "person", 40),
    ):
        edges = np.stack([rng.integers(0, sizes[kind] - 1, count * scale) for kind in (source, target)])
        edges = np.concatenate([edges, edges[::-1]], axis=1) if relation == "knows" else edges
        data[source, relation, target].edge_index = torch.from_numpy(edges)
