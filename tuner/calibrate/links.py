"""Storage and the way to a GPU."""

from __future__ import annotations

import os
import tempfile

import numpy as np
import torch

from tuner.calibrate.timing import seconds_of

FILE_BYTES = 2**26


def measure_storage() -> float | None:
    """Bytes a second of a file that the kernel does not hold in memory; ``None`` where it cannot be told to drop it."""
    if not hasattr(os, "posix_fadvise"):
        return None
    with tempfile.NamedTemporaryFile(dir="." if os.access(".", os.W_OK) else None) as file:
        file.write(np.random.default_rng(0).bytes(FILE_BYTES))
        file.flush()
        os.fsync(file.fileno())

        def read() -> None:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            while os.read(file.fileno(), 2**22):
                pass

        return FILE_BYTES / seconds_of(read, 0.2)


def measure_device_link() -> float | None:
    """Bytes a second from pinned memory to the first GPU; ``None`` without one."""
    if not torch.cuda.is_available():
        return None
    there, here = torch.empty(2**24, device="cuda"), torch.rand(2**24).pin_memory()

    def copy() -> None:
        there.copy_(here, non_blocking=True)
        torch.cuda.synchronize()

    return 4 * 2**24 / seconds_of(copy, 0.2)
