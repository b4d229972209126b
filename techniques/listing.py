"""Every option of the seven techniques, in order of preference: what exists."""

from __future__ import annotations

from techniques.architecture.appnp import APPNP
from techniques.architecture.custom import CUSTOM
from techniques.architecture.gat import GAT
from techniques.architecture.gatv2 import GATV2
from techniques.architecture.gcn import GCN
from techniques.architecture.gin import GIN
from techniques.architecture.hetero.hetero_sage import HETERO_SAGE
from techniques.architecture.hetero.hgt import HGT
from techniques.architecture.hetero.rgcn import RGCN
from techniques.architecture.sage import SAGE
from techniques.architecture.sgc import SGC
from techniques.architecture.sign import SIGN
from techniques.base import Option, Slot
from techniques.coarsening.graclus import GRACLUS
from techniques.coarsening.heavy_edge import HEAVY_EDGE
from techniques.coarsening.metis import METIS
from techniques.coarsening.none import NO_COARSENING
from techniques.coarsening.voxel_grid import VOXEL_GRID
from techniques.errors import OptionError
from techniques.hardware.cpu import CPU
from techniques.hardware.cuda import CUDA
from techniques.parallel.single import SINGLE
from techniques.remote.memmap import FEATURES_MAPPED
from techniques.remote.memory import FEATURES_IN_MEMORY, STRUCTURE_IN_MEMORY
from techniques.representation.coo import COO
from techniques.representation.csr import CSR
from techniques.representation.dense import DENSE
from techniques.representation.features_csr import FEATURES_CSR
from techniques.representation.features_dense import FEATURES_DENSE
from techniques.representation.features_embedding import FEATURES_EMBEDDING
from techniques.representation.features_half import FEATURES_HALF
from techniques.sampling.cluster import CLUSTER
from techniques.sampling.dynamic_batch import DYNAMIC_BATCH
from techniques.sampling.full_batch import FULL_BATCH
from techniques.sampling.graph_batch import GRAPH_BATCH
from techniques.sampling.graph_saint import GRAPH_SAINT
from techniques.sampling.link_neighbor import LINK_NEIGHBOR
from techniques.sampling.neighbor import NEIGHBOR
from techniques.sampling.random_node import RANDOM_NODE
from techniques.sampling.rows import ROWS
from techniques.sampling.shadow_k_hop import SHADOW_K_HOP

OPTIONS: tuple[Option, ...] = (
    NO_COARSENING,
    HEAVY_EDGE,
    GRACLUS,
    METIS,
    VOXEL_GRID,
    STRUCTURE_IN_MEMORY,
    FEATURES_IN_MEMORY,
    FEATURES_MAPPED,
    FULL_BATCH,
    NEIGHBOR,
    LINK_NEIGHBOR,
    SHADOW_K_HOP,
    CLUSTER,
    GRAPH_SAINT,
    RANDOM_NODE,
    ROWS,
    GRAPH_BATCH,
    DYNAMIC_BATCH,
    CSR,
    COO,
    DENSE,
    FEATURES_DENSE,
    FEATURES_CSR,
    FEATURES_HALF,
    FEATURES_EMBEDDING,
    SAGE,
    GCN,
    GAT,
    GATV2,
    GIN,
    APPNP,
    SIGN,
    SGC,
    HETERO_SAGE,
    RGCN,
    HGT,
    CUSTOM,
    CPU,
    CUDA,
    SINGLE,
)


_BY_SLOT = {slot: tuple(one for one in OPTIONS if one.slot is slot) for slot in Slot}
_BY_NAME = {(one.slot, one.name): one for one in OPTIONS}


def options(slot: Slot) -> tuple[Option, ...]:
    """Every option that can fill a slot, in order of preference."""
    return _BY_SLOT[slot]


def option(slot: Slot, name: str) -> Option:
    """One option by name.

    Raises:
        OptionError: the slot has no such option.
    """
    found = _BY_NAME.get((slot, name))
    if found is not None:
        return found
    names = ", ".join(candidate.name for candidate in options(slot))
    raise OptionError(f"{slot.value} has no option {name!r}", f"Choose one of: {names}")
