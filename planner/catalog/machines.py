"""Named machines and accelerators."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from planner.catalog.rates import RULE, host_bandwidth, host_gemm_flops
from planner.catalog.tables import load, section, spelled, unknown
from techniques.facts import GpuFacts, HardwareFacts, Origin

FILE = "machines.toml"
GIB = 1024**3
USABLE_SHARE = 0.97


def machine_names() -> tuple[str, ...]:
    """Every machine that ``--on`` knows, in catalog order."""
    return tuple(load(FILE)["machines"])


def machine(name: str) -> HardwareFacts:
    """Facts about a named machine; memory available = total - the stated reserve of the operating system.

    Raises:
        OptionError: no machine has this name.
    """
    entry = section(FILE, "machines", spelled(name))
    if entry is None:
        raise unknown("machine", name, machine_names())
    gpus = tuple(_gpu(key) for key in entry.get("gpus", ()))
    total = round(entry["memory_gb"] * 1e9)
    reserve = round(entry["reserve_gb"] * 1e9)
    cores = entry["cores"]
    return HardwareFacts(
        name=spelled(name),
        origin=Origin.ESTIMATED,
        cores=cores,
        memory_total_bytes=total,
        memory_available_bytes=total - reserve,
        disk_free_bytes=round(entry["disk_gb"] * 1e9) if "disk_gb" in entry else None,
        gpus=gpus,
        memory_bandwidth_bytes_per_second=host_bandwidth(cores),
        gemm_flops_per_second=host_gemm_flops(cores),
        host_link_bytes_per_second=gpus[0].host_link_bytes_per_second if gpus else None,
        notes=_notes(entry),
    )


def find_gpu(reported_name: str) -> GpuFacts | None:
    """The catalog's accelerator for a name as the driver reports it ("NVIDIA A100-SXM4-80GB"); ``None`` if unknown."""
    words = set(re.split(r"[^a-z0-9]+", reported_name.lower()))
    matching = [key for key, entry in load(FILE)["gpus"].items() if words.issuperset(entry["words"])]
    return _gpu(matching[0]) if matching else None


@cache
def _gpu(key: str) -> GpuFacts:
    entry = _gpu_entry(key)
    usable = round(entry.get("usable_gib", entry["nominal_gib"] * USABLE_SHARE) * GIB)
    return GpuFacts(
        name=entry["name"],
        memory_total_bytes=usable,
        memory_free_bytes=usable,
        compute_capability=entry["compute_capability"],
        memory_bandwidth_bytes_per_second=entry["bandwidth_gbs"] * 1e9,
        float32_flops_per_second=entry["tflops"] * 1e12,
        host_link_bytes_per_second=entry["host_link_gbs"] * 1e9,
    )


def _gpu_entry(key: str) -> dict[str, Any]:
    entry = section(FILE, "gpus", key)
    assert entry is not None, f"machines.toml has no [gpus.{key}]"
    return entry


def _notes(entry: dict[str, Any]) -> tuple[str, ...]:
    gpus = [_gpu_entry(key) for key in dict.fromkeys(entry.get("gpus", ()))]
    sources = tuple(f"{gpu['name']}: {gpu['source']}" for gpu in gpus)
    missing = () if sources else ("no GPU: this machine has none",)
    reserve = f"{entry['reserve_gb']:g} GB of {entry['memory_gb']:g} GB kept for the operating system (assumed)"
    return (entry["source"], reserve, *sources, *missing, RULE)
