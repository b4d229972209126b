"""The header of the ``.npy`` format: what an array is, without reading it."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from techniques.errors import GraphError
from techniques.remote.source.arrays import dtype_name
from techniques.remote.source.stored import ArrayHeader

READ_HEADER = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_header(stream: IO[bytes], label: str) -> tuple[ArrayHeader, int]:
    """Read a ``.npy`` header.

    Args:
        stream: positioned at the first byte of the ``.npy`` data.
        label: names the array in errors, such as ``cora.npz:x``.

    Returns:
        The header, and the bytes that the whole ``.npy`` data must have.

    Raises:
        GraphError: not ``.npy`` data, or a dtype that holds Python objects or records.
    """
    try:
        shape, _, dtype = READ_HEADER[npy.read_magic(stream)](stream)
    except Exception as error:  # damaged headers make numpy's parser raise nearly anything
        raise damaged(label, error) from error
    _check_dtype(label, dtype)
    if any(size < 0 for size in shape):
        raise damaged(label, ValueError(f"negative size in shape {shape}"))
    header = ArrayHeader(tuple(int(size) for size in shape), dtype_name(dtype))
    return header, stream.tell() + header.num_bytes


def _check_dtype(label: str, dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise GraphError(
            f"{label} must hold plain numbers, got dtype object",
            "Save it with a number dtype; object arrays are pickles, which may hold code, and are never opened",
        )
    if dtype.kind not in "biufcSUmM":
        raise GraphError(f"{label} must hold plain numbers, got dtype {dtype}", "Save it as a plain array of numbers")


def damaged(label: str, error: BaseException) -> GraphError:
    """The error for bytes that are not what their name says."""
    words = " ".join(str(error).split())[:200]
    return GraphError(
        f"{label} must be readable NumPy data, got {type(error).__name__}: {words or 'no message'}",
        "Write it again with numpy.savez or numpy.save, or copy it again if the copy was cut short",
    )
