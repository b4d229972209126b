"""Typed convolutions over blocks by relation. The parameters keep PyG's names and shapes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.nn import HeteroConv, HGTConv, RGCNConv, SAGEConv
from torch_geometric.utils import softmax

from techniques.architecture.hetero.network import HeteroLayer, Rows
from techniques.architecture.hetero.relation import Relation
from techniques.architecture.hetero.use import LayerUse
from techniques.representation.block import Block, neighbor_mean

Key = tuple[str, str, str]


class _ByType:
    """The walk over types that all layers share."""

    def _prepare(self, relations: Sequence[Relation], use: LayerUse) -> None:
        self.relations, self.use = tuple(relations), use

    def over(self, x: Rows, layer: HeteroLayer) -> Rows:
        """[S_t, F] by type -> [T_t, O] by type."""
        projected = self.project(x)
        found: Rows = {}
        for target in self.use.outputs:
            part = slice(0, layer.num_targets[target])
            blocks = {place: layer.blocks[place] for place in self.use.into(self.relations, target)}
            said = self.sources(projected, target)
            found[target] = self.combine(x[target][part], projected[target][part], said, blocks)
        return found

    def project(self, x: Rows) -> Rows:
        return x

    def sources(self, projected: Rows, target: int) -> dict[int, Any]:
        return {place: projected[self.relations[place].source] for place in self.use.into(self.relations, target)}

    def combine(self, x: Tensor, projected: Tensor, said: dict[int, Any], blocks: Mapping[int, Block]) -> Tensor:
        raise NotImplementedError


def _with_neighbors(
    out: Tensor, said: dict[int, Any], blocks: Mapping[int, Block], weights: Mapping[int, Tensor]
) -> Tensor:
    """Add, for every relation, the mean of the neighbours times its weight [F, O] in place."""
    for place, block in blocks.items():
        if block.num_edges:
            out = out.addmm_(neighbor_mean(block, said[place]), weights[place])
    return out


class HeteroSAGE(HeteroConv, _ByType):  # type: ignore[misc]
    """GraphSAGE by edge type (PyG's ``to_hetero``): the sum of one ``SAGEConv`` for each relation.

    The roots' weights of all relations into a type are added before they are used: one product instead of several.
    """

    def __init__(
        self, in_channels: int, out_channels: int, keys: Sequence[Key], relations: Sequence[Relation], use: LayerUse
    ) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # types that nothing leads to are left out on purpose
            convs = {keys[place]: SAGEConv((in_channels, in_channels), out_channels) for place in use.relations}
            super().__init__(convs, aggr="sum")
        self._prepare(relations, use)
        self._keys = tuple(keys)

    def forward(self, x: Rows, layer: HeteroLayer) -> Rows:
        return self.over(x, layer)

    def combine(self, x: Tensor, projected: Tensor, said: dict[int, Any], blocks: Mapping[int, Block]) -> Tensor:
        convs = {place: self.convs[self._keys[place]] for place in blocks}
        root = _total([conv.lin_r.weight for conv in convs.values()])
        bias = _total([conv.lin_l.bias for conv in convs.values()])
        out = F.linear(x, root, bias)
        return _with_neighbors(out, said, blocks, {place: conv.lin_l.weight.t() for place, conv in convs.items()})

    def dense_products(self, layer: HeteroLayer) -> int:
        """Multiply-adds of the forward pass."""
        weight = next(iter(self.convs.values())).lin_l.weight.numel()
        return int(weight) * product_rows(self.use, layer)


class RGCN(RGCNConv, _ByType):  # type: ignore[misc]
    """Relational graph convolution (Schlichtkrull et al., ESWC 2018) with mean aggregation; all types share the root."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        relations: Sequence[Relation],
        use: LayerUse,
        num_bases: int | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, len(relations), num_bases=num_bases)
        self._prepare(relations, use)

    def forward(self, x: Rows, layer: HeteroLayer) -> Rows:
        return self.over(x, layer)

    def combine(self, x: Tensor, projected: Tensor, said: dict[int, Any], blocks: Mapping[int, Block]) -> Tensor:
        out = torch.addmm(self.bias, x, self.root)
        return _with_neighbors(out, said, blocks, {place: self._weight(place) for place in blocks})

    def _weight(self, place: int) -> Tensor:
        if self.num_bases is None:
            weight: Tensor = self.weight[place]
            return weight
        mixed: Tensor = (self.comp[place] @ self.weight.flatten(1)).view(self.weight.shape[1:])
        return mixed

    def dense_products(self, layer: HeteroLayer) -> int:
        """Multiply-adds of the forward pass."""
        return int(self.root.numel()) * product_rows(self.use, layer)


def product_rows(use: LayerUse, layer: HeteroLayer) -> int:
    """Rows that a layer's weights are multiplied with: targets once for the root, and once for each relation."""
    roots = sum(layer.num_targets[kind] for kind in use.outputs)
    return roots + sum(layer.blocks[place].num_targets for place in use.relations if layer.blocks[place].num_edges)


def _total(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)


class HGT(HGTConv, _ByType):  # type: ignore[misc]
    """Heterogeneous graph transformer (Hu et al., WWW 2020): attention over all relations into a type, COO blocks only."""

    def __init__(
        self, channels: int, heads: int, names: Sequence[str], keys: Sequence[Key], relations: Sequence[Relation],
        use: LayerUse,
    ) -> None:  # fmt: skip
        super().__init__(channels, channels, (list(names), list(keys)), heads)
        self._prepare(relations, use)
        self._keys, self._names = tuple(keys), tuple(names)

    def forward(self, x: Rows, layer: HeteroLayer) -> Rows:
        return self.over(x, layer)

    def project(self, x: Rows) -> Rows:
        """Keys, queries and values side by side, [S_t, 3F]."""
        return {kind: self.kqv_lin.lins[self._names[kind]](rows) for kind, rows in x.items()}

    def sources(self, projected: Rows, target: int) -> dict[int, Any]:
        """Keys and values under each relation's weights, [S, H, D] each."""
        found: dict[int, Any] = {}
        for place in self.use.into(self.relations, target):
            key, _, value = self._heads(projected[self.relations[place].source])
            found[place] = tuple(
                torch.bmm(rows.transpose(0, 1), self._weight(weights, place)).transpose(0, 1)
                for rows, weights in ((key, self.k_rel.weight), (value, self.v_rel.weight))
            )
        return found

    def combine(self, x: Tensor, projected: Tensor, said: dict[int, Any], blocks: Mapping[int, Block]) -> Tensor:
        target, places = (
            self.relations[next(iter(blocks))].target,
            [place for place in blocks if blocks[place].num_edges],
        )
        out = x.new_zeros(x.size(0), self.out_channels)
        if places:
            query = self._heads(projected)[1]
            scores = [self._scores(query, said[place][0], blocks[place], place) for place in places]
            ends = [_ends(blocks[place])[1] for place in places]
            alpha = softmax(torch.cat(scores), torch.cat(ends), num_nodes=x.size(0))
            for place, share in zip(places, alpha.split([len(one) for one in ends]), strict=True):
                out = self._added(out, said[place][1], share, blocks[place])
        out = self.out_lin.lins[self._names[target]](F.gelu(out))
        kept = self.skip[self._names[target]].sigmoid()
        return torch.lerp(x, out, kept)

    def _scores(self, query: Tensor, key: Tensor, block: Block, place: int) -> Tensor:
        source, target = _ends(block)
        score = (query.index_select(0, target) * key.index_select(0, source)).sum(-1)
        weighed: Tensor = score * (self.p_rel["__".join(self._keys[place])] / math.sqrt(query.size(-1)))
        return weighed

    def _added(self, out: Tensor, value: Tensor, share: Tensor, block: Block) -> Tensor:
        source, target = _ends(block)
        messages = (value.index_select(0, source) * share.unsqueeze(-1)).flatten(1)
        added: Tensor = out.scatter_add_(0, target.unsqueeze(1).expand(-1, messages.size(1)), messages)
        return added

    def _heads(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        key, query, value = rows.tensor_split(3, dim=1)
        shape = (-1, self.heads, self.out_channels // self.heads)
        return key.view(shape), query.view(shape), value.view(shape)

    def _weight(self, weights: Tensor, place: int) -> Tensor:
        """One relation's weights [H, D, D]: PyG numbers them head by head."""
        mine: Tensor = weights.view(self.heads, len(self._keys), *weights.shape[1:])[:, place]
        return mine

    def dense_products(self, layer: HeteroLayer) -> int:
        """Multiply-adds of the forward pass."""
        width, head = self.out_channels, self.out_channels // self.heads
        read = sum(layer.num_sources[kind] for kind in self.use.inputs)
        related = sum(layer.num_sources[self.relations[place].source] for place in self.use.relations)
        written = sum(layer.num_targets[kind] for kind in self.use.outputs)
        return int(3 * read * width * width + 2 * related * width * head + written * width * width)


def _ends(block: Block) -> Tensor:
    assert block.edge_index is not None, "HGT needs one message per edge: use the COO representation"
    return block.edge_index
