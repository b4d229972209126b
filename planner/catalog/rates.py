"""What a host processor is assumed to do before anyone has measured it."""

from __future__ import annotations

CORE_BANDWIDTH = 10e9
SMALL_BANDWIDTH = 25e9
SERVER_BANDWIDTH = 100e9
SERVER_CORES = 24
CORE_GEMM_FLOPS = 50e9

RULE = (
    "host rates are estimated from the cores: 10 GB/s per core in one direction, at most 25 GB/s below 24 cores and "
    "100 GB/s from there on; 50 GFLOP/s per core in float32 matrix products"
)


def host_bandwidth(cores: int) -> float:
    """Bytes per second in one direction, all cores together.

    One core cannot saturate the memory controller and a few can: two-channel desktops level off near 25 GB/s, servers
    with many channels near 100 GB/s (measured on a 2-core cloud machine: 17 GB/s, by the rule 20).
    """
    ceiling = SERVER_BANDWIDTH if cores >= SERVER_CORES else SMALL_BANDWIDTH
    return min(cores * CORE_BANDWIDTH, ceiling)


def host_gemm_flops(cores: int) -> float:
    """float32 operations per second in matrix products, 2 per multiply-add, all cores together."""
    return cores * CORE_GEMM_FLOPS
