"""What a trace on fake tensors assumes of values that it does not have.

Fake tensors know shapes, not values; where a shape depends on values, something must be assumed: comparisons of node ids
keep every edge (no self-loops), their complement keeps none, the largest node id is the last one. What is assumed is
checked: ``probe.py`` compares every fake trace with a real step of the same size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

aten: Any = torch.ops.aten
COMPARED = {aten.ne: True, aten.eq: False, aten.lt: True, aten.le: True, aten.gt: True, aten.ge: True}
"""Whether a mask made by this comparison keeps everything or nothing."""


class AssumedValues:
    """Answers the operators whose result has a shape, or is a number, that only values could tell."""

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        self._keeps: Any = WeakIdKeyDictionary()

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of one operator."""
        packet = func.overloadpacket
        answer: Callable[..., Any] | None = _ANSWERS.get(packet)
        out = func(*args, **kwargs) if answer is None else answer(self, func, args, kwargs)
        if packet in COMPARED:
            self._learn(out, COMPARED[packet])
        elif packet in (aten.bitwise_not, aten.logical_not):
            self._learn(out, not self.keeps(args[0]))
        elif packet is aten.all:
            self._learn(out, True)
        elif packet is aten.any:
            self._learn(out, False)
        elif isinstance(out, Tensor) and out.dtype is torch.bool and args and isinstance(args[0], Tensor):
            self._learn(out, self.keeps(args[0]))
        return out

    def keeps(self, mask: Tensor) -> bool:
        """Whether a mask is assumed to be true everywhere, or else nowhere."""
        return bool(self._keeps.get(mask.untyped_storage(), True))

    def kept(self, mask: Tensor) -> int:
        return mask.numel() if self.keeps(mask) else 0

    def _learn(self, mask: Any, keeps: bool) -> None:
        if isinstance(mask, Tensor) and mask.dtype is torch.bool:
            self._keeps[mask.untyped_storage()] = keeps

    def nonzero(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        (mask,) = args
        return mask.new_empty((self.kept(mask), mask.dim()), dtype=torch.long)  # type: ignore[no-any-return]

    def masked_select(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        x, mask = args
        return x.new_empty(self.kept(mask))  # type: ignore[no-any-return]

    def index(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Masks become positions: one tensor of them for each dimension of the mask."""
        positions: list[Any] = []
        for one in args[1]:
            if isinstance(one, Tensor) and one.dtype in (torch.bool, torch.uint8):
                positions += [one.new_empty(self.kept(one), dtype=torch.long) for _ in range(one.dim())]
            else:
                positions.append(one)
        return func(args[0], positions, *args[2:], **kwargs)

    def number(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool | int | float:
        """A whole number is taken for the last node's id, a truth for what its mask keeps."""
        (value,) = args
        if value.dtype is torch.bool:
            return self.keeps(value)
        return 1.0 if value.is_floating_point() else self.nodes - 1

    def equal(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        return bool(args[0].shape == args[1].shape)

    def bincount(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        least = kwargs.get("minlength", args[2] if len(args) > 2 else 0)
        weights = kwargs.get("weights", args[1] if len(args) > 1 else None)
        kind = torch.long if weights is None else weights.dtype
        return args[0].new_empty(max(least, self.nodes), dtype=kind)  # type: ignore[no-any-return]


_ANSWERS: dict[Any, Callable[..., Any]] = {
    aten.nonzero: AssumedValues.nonzero,
    aten.masked_select: AssumedValues.masked_select,
    aten.index: AssumedValues.index,
    aten.index_put: AssumedValues.index,
    aten.index_put_: AssumedValues.index,
    aten._local_scalar_dense: AssumedValues.number,
    aten.equal: AssumedValues.equal,
    aten.bincount: AssumedValues.bincount,
}
