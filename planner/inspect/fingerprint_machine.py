"""What two machines must share for times to be compared: processor, cores, memory, GPUs; and what they should: packages."""

from __future__ import annotations

from pathlib import Path

from techniques.facts import HardwareFacts

PACKAGES = ("torch", "torch_geometric", "numba", "numpy")


def machine_fingerprint(hardware: HardwareFacts, root: Path = Path("/")) -> str:
    """Such as ``AMD EPYC, 2 cores, 24 GiB, no GPU``."""
    memory = f"{round(hardware.memory_total_bytes / 2**30)} GiB"
    gpus = [f"{gpu.name} {round(gpu.memory_total_bytes / 2**30)} GiB" for gpu in hardware.gpus]
    return ", ".join([_processor(root), f"{hardware.cores} cores", memory, *(gpus or ["no GPU"])])


def packages() -> dict[str, str]:
    """Versions of what does the work, without importing it."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor(root: Path) -> str:
    """Its name as the kernel gives it."""
    try:
        for line in (root / "proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return " ".join(value.split())
    except OSError:
        pass
    import platform

    return platform.processor() or platform.machine()
