"""Sampling kernels on plain numpy arrays: no torch, no PyG, no Python per node.

Every kernel releases the GIL, so threads sample side by side, and takes read-only and memory-mapped arrays as they are.
"""

from techniques.sampling.kernels.csc import build_csc, transpose_csr
from techniques.sampling.kernels.csr_rows import gather_csr_rows, gather_dense_rows
from techniques.sampling.kernels.neighbor import NeighborKernel, SampledHops

__all__ = [
    "NeighborKernel",
    "SampledHops",
    "build_csc",
    "gather_csr_rows",
    "gather_dense_rows",
    "transpose_csr",
]
