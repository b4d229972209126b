"""Imports that every measurement needs, paid for once by the server."""

from __future__ import annotations

import contextlib
import warnings

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

with contextlib.suppress(ImportError), warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it compares versions with distutils
    import thop  # noqa: F401 - what it takes is no candidate's

__all__ = ["numpy", "techniques", "torch", "torch_geometric", "tuner"]
