"""How kernels become machine code: compiler settings, one instruction it does not offer, array views for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import event
from numba.extending import intrinsic
from numpy.typing import NDArray

from techniques import compiled

IntArray = NDArray[np.integer[Any]]
F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile ``function`` on its first call for each kind of argument; cached on disk, runs without the GIL."""
    return cast(F, njit(cache=True, nogil=True, error_model="numpy")(function))


class _Watch(event.Listener):  # type: ignore[misc]
    """Adds up what compiling takes; kernels that others call are compiled within theirs."""

    def __init__(self) -> None:
        self._depth, self._began = 0, 0.0

    def on_start(self, event: Any) -> None:
        if not self._depth:
            self._began = time.perf_counter()
            compiled.begins()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        if not self._depth:
            compiled.seconds += time.perf_counter() - self._began


event.register("numba:compile", _Watch())  # type: ignore[no-untyped-call]


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A plain, read-only view, without copying.

    Memory maps opened with mode ``r`` are read-only and numba compiles for them apart. Showing every input as read-only
    leaves one kind to compile, and takes ``np.memmap`` down to the array it wraps.
    """
    view = np.asarray(array).view(np.ndarray)
    view.flags.writeable = False
    return view


def _prefetch_intrinsic(_context: Any, array: Any, index: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer_type, int32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), pointer_type)
        kind = ir.FunctionType(ir.VoidType(), [pointer_type, int32, int32, int32])
        instruction = builder.module.declare_intrinsic("llvm.prefetch", [pointer_type], kind)
        builder.call(instruction, [address, int32(0), int32(3), int32(1)])  # read, keep in all levels, data
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


# prefetch(array, index): asks for the cache line of array[index] (1-d, contiguous) and does not wait for it.
prefetch = cast(Callable[[Any, Any], None], intrinsic(_prefetch_intrinsic))
