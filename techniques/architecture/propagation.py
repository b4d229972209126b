"""Dense layers before propagation over neighbours: the live side of APPNP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from techniques.architecture.convs import inverse_roots
from techniques.architecture.layerwise import InPieces, rows_of
from techniques.architecture.mixed import linear
from techniques.architecture.network import HALF_ROWS_PER_CHUNK, Network, target_chunks
from techniques.architecture.pieces import joined_block
from techniques.representation.block import Block, gcn_sum, neighbor_sum

if TYPE_CHECKING:
    from techniques.architecture.layerwise import LayerWise, Rows
    from techniques.sampling.structure import Structure


class Dense(nn.Linear):
    """A linear layer of rows, dense or sparse CSR, that is called like a convolution."""

    def forward(self, x: Tensor, block: Block | None = None) -> Tensor:
        # The bias is added in place: torch has no fused product with a bias for sparse rows. A bias of another type would
        # have the whole result copied.
        out = linear(x, self.weight)
        return out.add_(self.bias.to(out.dtype))

    def dense_products(self) -> tuple[int, int]:
        """Elements of the weight that every source row, and every target row, is multiplied with."""
        return self.weight.numel(), 0


class PropagationNetwork(Network):
    """APPNP: K steps of Z <- (1 - alpha) D^-1/2 (A + I) D^-1/2 Z + alpha H (Gasteiger et al., ICLR 2019, equation 4).

    All blocks of a batch must be one square block: what a step says of a node is the next step's source.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        dropout: float,
        steps: int,
        alpha: float,
        embedding: nn.Embedding | None = None,
        *,
        bf16: bool = False,
        checkpoint_layers: bool = False,
    ) -> None:
        super().__init__(layers, dropout, None, embedding, bf16=bf16, checkpoint_layers=checkpoint_layers)
        self.steps, self.alpha = steps, alpha

    def forward(self, x: Tensor, blocks: Sequence[Block]) -> Tensor:
        """Logits [T, C] or embeddings [T, hidden] of all nodes of the block."""
        block = blocks[0]
        assert block.num_sources == block.num_targets, "propagation needs untrimmed blocks"
        predicted = super().forward(x, blocks)
        roots, z = inverse_roots(block), predicted
        for _ in range(self.steps):
            z = gcn_sum(block, z, roots).mul_(1 - self.alpha).add_(predicted, alpha=self.alpha)
        return z

    @torch.no_grad()
    def inference(self, x: Tensor, structure: Structure, device: torch.device) -> Tensor:
        """The same for every node, [N, C], exact: each step is finished for all nodes before the next begins."""
        was_training = self.training
        self.eval()
        if self.embedding is not None:
            x = self.embedding.weight
        parts = x.split(HALF_ROWS_PER_CHUNK) if x.dtype is torch.float16 else (x,)  # type: ignore[no-untyped-call]
        made = [self._predicted(part.to(device)) for part in parts]
        predicted = made[0] if len(made) == 1 else torch.cat(made)
        self.train(was_training)
        roots, z = (structure.degrees().to(device) + 1.0).rsqrt_(), predicted
        for _ in range(self.steps):
            after = torch.empty_like(z)
            for start, block in target_chunks(structure, z.size(1), device):
                rows = gcn_sum(block, z, roots, start).mul_(1 - self.alpha)
                own = predicted[start : start + rows.size(0)]
                after[start : start + rows.size(0)] = rows.add_(own, alpha=self.alpha)
            z = after
        return z

    def over_chunks(self, walk: LayerWise, rows: Rows) -> Tensor:
        predicted = z = walk.by_row(self._predicted, rows)

        def step(gathered: Tensor, block: Block, start: int) -> Tensor:
            own = predicted[start : start + block.num_targets].to(gathered.device)
            return gcn_sum(block, gathered, inverse_roots(block)).mul_(1 - self.alpha).add_(own, alpha=self.alpha)

        def piece(gathered: Tensor, block: Block) -> Tensor:
            return neighbor_sum(block, gathered * inverse_roots(block).unsqueeze(1))

        def finish(summed: Tensor, target: Tensor, block: Block, start: int) -> Tensor:
            return step(torch.cat([target, summed]), joined_block(block), start)

        for _ in range(self.steps):
            z = walk.by_neighborhood(step, rows_of(z), InPieces(piece, torch.add, finish))
        return z

    def _predicted(self, x: Tensor) -> Tensor:
        """Before propagation, without dropout."""
        x = x.float() if x.dtype is torch.float16 else x
        for index, layer in enumerate(self.convs):
            x = layer(x)
            x = x.relu_() if index < len(self.convs) - 1 else x
        return x
