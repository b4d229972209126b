"""Every tensor of a training step, seen as it is made and freed: live bytes, dense products and bytes moved.

A ``TorchDispatchMode`` sees each operator below autograd and every storage that it returns. The same walk runs over real
tensors and over fake ones (``FakeTensorMode``), which have shapes but no memory, so that a step of any size
costs some tenths of a second. What kernels allocate for themselves and free before they return is not seen
(``probe.py`` measures it).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from techniques.architecture.assumed_values import AssumedValues
from techniques.architecture.ledger import SORT_FLOATS

SORT_BYTES = 4 * SORT_FLOATS
SCATTERS = (torch.ops.aten.scatter_add_, torch.ops.aten.scatter_add, torch.ops.aten.scatter_reduce_)

ARITHMETIC = (torch.ops.aten.add, torch.ops.aten.sub, torch.ops.aten.mul, torch.ops.aten.div)

SPREAD = (torch.ops.aten.index_add, torch.ops.aten.scatter_add, torch.ops.aten.index_put)
ZEROS = ("aten.new_zeros", "aten.zeros")
"""What makes the gradient of a gather (autograd's FunctionsManual.cpp, ``isTensorSubclassLike``)."""


@dataclass
class Operator:
    """All calls of one operator in a step."""

    calls: int = 0
    moved_bytes: int = 0
    """Of its inputs and outputs."""
    gemm_flops: int = 0
    """2 per multiply-add, as ``FlopCounterMode`` counts them."""


@dataclass
class Walk:
    """One step: live bytes after every operator, beyond what was there before it."""

    names: list[str] = field(default_factory=list)
    live_bytes: list[int] = field(default_factory=list)
    kernel_bytes: list[int] = field(default_factory=list)
    """What the kernel of each operator takes for itself on the host, beside the live bytes after it."""
    kept_bytes: int = 0
    """What the forward pass left for the backward pass."""
    peak_blocks: list[int] = field(default_factory=list)
    """Storages that were alive at the peak, largest first."""
    operators: dict[str, Operator] = field(default_factory=dict)

    @property
    def peak_bytes(self) -> int:
        return max(self.live_bytes, default=0)

    @property
    def gemm_flops(self) -> int:
        return sum(one.gemm_flops for one in self.operators.values())

    @property
    def moved_bytes(self) -> int:
        return sum(one.moved_bytes for one in self.operators.values())


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts storages that are made while it is entered, until they are freed.

    Args:
        known: tensors that exist already and are not counted.
        assumed: answers for values that fake tensors do not have.
    """

    def __init__(self, known: Iterable[Tensor], assumed: AssumedValues | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.walk = Walk()
        self._assumed = assumed
        self._known = {_storage(one): 0 for one in known}
        self._alive: dict[Any, int] = {}
        self._live = self._peak = 0
        self._in_backward = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.namespace == "prim":  # asks for a device, computes nothing
            return func(*args, **kwargs)
        out = func(*args, **kwargs) if self._assumed is None else self._assumed.call(func, args, kwargs)
        made = [one for one in tree_leaves(out) if isinstance(one, Tensor)]
        for one in made:
            self._see(one)
        live = self._live - self._added_in_place(func, out)
        self._count(func, args, kwargs, out, made)
        self.walk.live_bytes.append(live)
        self.walk.kernel_bytes.append(_sorting_bytes(func, args) + _promotion_bytes(func, args, out))
        if live > self._peak:
            self._peak = live
            self.walk.peak_blocks = list(self._alive.values())
        return out

    def _added_in_place(self, func: Any, out: Any) -> int:
        """Bytes of a result that autograd makes in place, except under a dispatch mode: the sum of two gradients, and rows
        that are added to zeros made for them."""
        if not self._in_backward:
            return 0
        between_nodes = func is torch.ops.aten.add.Tensor and torch._C._current_autograd_node() is None
        to_zeros = func.overloadpacket in SPREAD and self.walk.names[-1] in ZEROS
        return _num_bytes(out) if between_nodes or to_zeros else 0

    def enter_backward(self) -> None:
        """The forward pass is over."""
        self.walk.kept_bytes = self._live
        self._in_backward = True

    def leave_backward(self) -> None:
        self._in_backward = False

    def _see(self, tensor: Tensor) -> None:
        for part in _parts(tensor):
            storage = part.untyped_storage()
            if storage._cdata in self._alive or storage._cdata in self._known:
                continue
            key, size = storage._cdata, storage.nbytes()
            self._alive[key] = size
            self._live += size
            weakref.finalize(storage, self._gone, key).atexit = False

    def _gone(self, key: int) -> None:
        self._live -= self._alive.pop(key, 0)

    def _count(self, func: Any, args: Any, kwargs: Any, out: Any, made: list[Tensor]) -> None:
        name = str(func.overloadpacket)
        self.walk.names.append(name)
        one = self.walk.operators.setdefault(name, Operator())
        one.calls += 1
        if not func.is_view:
            read = [tensor for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)]
            one.moved_bytes += sum(_num_bytes(tensor) for tensor in (*read, *made))
        if func.overloadpacket in flop_registry:
            one.gemm_flops += int(flop_registry[func.overloadpacket](*args, **kwargs, out_val=out))


def walked(step: Callable[[LiveBytes], object], known: Iterable[Tensor], assumed: AssumedValues | None = None) -> Walk:
    """Run one step and say what it made; ``step`` may tell the mode where its backward pass begins and ends."""
    mode = LiveBytes(known, assumed)
    with mode:
        step(mode)
    mode.walk.peak_blocks.sort(reverse=True)
    return mode.walk


def _sorting_bytes(func: Any, args: Any) -> int:
    """A scatter along rows sorts its index where it is the same in every column."""
    if func.overloadpacket not in SCATTERS or args[2].dim() < 2 or args[2].stride(-1) != 0:
        return 0
    return int(args[2].size(0)) * SORT_BYTES


def _promotion_bytes(func: Any, args: Any, out: Any) -> int:
    """Arithmetic on tensors of two kinds copies those of the narrower kind first."""
    if func.overloadpacket not in ARITHMETIC:
        return 0
    given = [one for one in args[:2] if isinstance(one, Tensor) and one.dim() and one.dtype != out.dtype]
    return sum(one.numel() * out.element_size() for one in given)


def _parts(tensor: Tensor) -> Iterable[Tensor]:
    """Tensors with storages of their own: a sparse one has several."""
    if tensor.layout is torch.strided:
        return (tensor,)
    if tensor.layout is torch.sparse_csr:
        return (tensor.crow_indices(), tensor.col_indices(), tensor.values())
    return (tensor._indices(), tensor._values()) if tensor.layout is torch.sparse_coo else ()


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _num_bytes(tensor: Tensor) -> int:
    return sum(part.numel() * part.element_size() for part in _parts(tensor))
