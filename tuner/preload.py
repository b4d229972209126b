"""Imports that every measurement needs, and what libraries do once in a process, paid for once by the server."""

from __future__ import annotations

import contextlib
import warnings

import numpy
import torch
import torch_geometric.loader
import torch_geometric.nn

import techniques.architecture.convs
import techniques.architecture.convs_gatv2
import techniques.architecture.graph_readout
import techniques.architecture.network
import techniques.architecture.propagated
import techniques.architecture.propagation
import techniques.listing
import techniques.remote.labels
import techniques.remote.rows
import techniques.remote.source.arrays
import techniques.remote.splits
import techniques.sampling.loading
import techniques.sampling.subgraphs
import tuner.training
import tuner.worker
from techniques.architecture.convs import GAT, GCN, GIN, SAGE
from techniques.architecture.convs_gatv2 import GATv2

with contextlib.suppress(ImportError), warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it compares versions with distutils
    import thop  # noqa: F401 - what it takes is no candidate's


def _prepare() -> None:
    """Let numba load what its compiled kernels need, and PyG write and import a module for each kind of layer.

    A fifth of a second of each trial otherwise. No thread is started: a fork would lose it.
    """
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    GCN(1, 1), SAGE(1, 1, False), GIN(1, 1, 1, False), GAT(1, 1, 1, True), GATv2(1, 1, 1, True)


_prepare()
__all__ = ["numpy", "techniques", "torch", "torch_geometric", "tuner"]
