"""The C library's heap: what it keeps of freed memory can be given back."""

from __future__ import annotations

import ctypes
import sys


def give_back_freed() -> None:
    """Hand free pages of the heap back to the kernel, so that what comes next does not stand on top of what has gone.

    glibc's ``malloc_trim``: a few milliseconds; nothing where the C library has no such call.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)
