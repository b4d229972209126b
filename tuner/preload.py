"""Imports that every measurement needs, paid for once by the server."""

from __future__ import annotations

import numpy
import torch
import torch_geometric.loader
import torch_geometric.nn

import techniques.architecture.convs
import techniques.architecture.convs_gatv2
import techniques.architecture.network
import techniques.architecture.propagated
import techniques.architecture.propagation
import techniques.sampling.loading
import tuner.worker

__all__ = ["numpy", "techniques", "torch", "torch_geometric", "tuner"]
