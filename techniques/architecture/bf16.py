"""Where training in bf16 pays, from facts alone: imports no torch."""

from __future__ import annotations

from techniques.base import Slot
from techniques.facts import Facts, GpuFacts
from techniques.job import JobSpec

BF16_CAPABILITY = (8, 0)
"""NVIDIA's Ampere is the first with bfloat16 tensor cores (CUDA C++ programming guide, compute capabilities)."""


def has_bf16(gpu: GpuFacts) -> bool:
    """Whether a GPU multiplies bfloat16 itself; unknown counts as no."""
    major, _, minor = (gpu.compute_capability or "0.0").partition(".")
    return (int(major), int(minor or 0)) >= BF16_CAPABILITY


def precision_warnings(facts: Facts, spec: JobSpec) -> tuple[str, ...]:
    """What a user who pins bf16 should know."""
    if spec.training.precision == "fp32":
        return ()
    found = []
    if spec.options[Slot.HARDWARE] == "cpu":
        found.append("bf16 saves memory; no gain in time is counted, and a CPU without bf16 units can be slower")
    elif facts.hardware.gpus and not has_bf16(facts.hardware.gpus[0]):
        found.append("this GPU is not known to multiply bf16 itself (compute capability 8.0 and up): no gain in time")
    if spec.options[Slot.REPRESENTATION] == "csr" or spec.options[Slot.REPRESENTATION_FEATURES] == "csr":
        found.append("sparse products have no bf16: their operands are cast to float32 for the moment, as is forecast")
    return tuple(found)
