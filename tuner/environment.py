"""The exact environment of a training: what somebody needs to know to see the same figures again."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from techniques.hardware.allocator import RUN_ENVIRONMENT

READ_BY_LIBRARIES = ("OMP_", "MKL_", "KMP_", "OPENBLAS_", "NUMBA_", "CUDA_", "TORCH_", "PYTORCH_", "CUBLAS_")
"""Environment variables with these beginnings change speed or results."""


def environment(seed: int, device: str) -> dict[str, Any]:
    """Versions of everything installed, torch's build, processor, threads, seed."""
    import torch

    found: dict[str, Any] = {
        "python": sys.version,
        "platform": platform.platform(),
        "processor": processor_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "torch_build": " ".join(torch.__config__.show().split()),
        "device": device,
        "seed": seed,
        "variables": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(READ_BY_LIBRARIES) or name in RUN_ENVIRONMENT
        },
        "packages": {one.metadata["Name"]: one.version for one in distributions() if one.metadata["Name"]},
    }
    if device.startswith("cuda"):
        found["gpu"], found["cuda"] = torch.cuda.get_device_name(), torch.version.cuda
    return found


def processor_name() -> str:
    """As the kernel calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
