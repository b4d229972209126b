"""Coarsening kernels on plain numpy arrays: matching, contraction, pooling; no torch, no PyG, no Python per node.

Every kernel releases the GIL and takes read-only and memory-mapped arrays as they are.
"""

from techniques.coarsening.kernels.contraction import contract, contract_attributes, members_of, normalised
from techniques.coarsening.kernels.matching import match, merged_pairs, pair_at_random, relabelled
from techniques.coarsening.kernels.pooling import pool_sparse_rows, pooled_nonzeros
from techniques.coarsening.kernels.refinement import refined_parts

__all__ = [
    "contract",
    "contract_attributes",
    "match",
    "members_of",
    "merged_pairs",
    "normalised",
    "pair_at_random",
    "pool_sparse_rows",
    "pooled_nonzeros",
    "refined_parts",
    "relabelled",
]
