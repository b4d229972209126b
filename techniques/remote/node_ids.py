"""Node ids where feature rows would be: what a network with a learned table reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass
class NodeIds:
    """[B] int64 instead of [B, F] float32."""

    num_nodes: int

    @property
    def num_features(self) -> int:
        """The table's width is the network's."""
        return 0

    def rows(self, ids: NDArray[np.int64]) -> Tensor:
        """The ids themselves, [B]."""
        return torch.from_numpy(ids).long()

    def whole(self) -> Tensor:
        """[N]."""
        return torch.arange(self.num_nodes)
