"""Which node types and relations each layer of a typed network computes: what reaches the target type, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from techniques.architecture.hetero.relation import Relation


@dataclass(frozen=True)
class LayerUse:
    """One layer: node types read, relations along which messages pass, node types written."""

    inputs: tuple[int, ...]
    relations: tuple[int, ...]
    outputs: tuple[int, ...]

    def into(self, relations: Sequence[Relation], target: int) -> tuple[int, ...]:
        """The layer's relations that lead to one node type."""
        return tuple(place for place in self.relations if relations[place].target == target)


def layer_uses(
    relations: Sequence[Relation], num_types: int, target: int, layers: int, keeps_unreached: bool = False
) -> tuple[LayerUse, ...]:
    """Uses of every layer, input side first; empty where no message reaches the target.

    A type that no relation leads to has no output, as in PyG's ``HeteroConv`` and ``HGTConv``, unless
    ``keeps_unreached``: ``RGCNConv`` has a root for every node. What later layers do not need is left out, which PyG's
    layers compute in vain.
    """
    alive = [set(range(num_types))]
    for _ in range(layers):
        reached = {one.target for one in relations if {one.source, one.target} <= alive[-1]}
        alive.append(alive[0] if keeps_unreached else reached)
    if not any(one.target == target and one.source in alive[-2] for one in relations) or target not in alive[-1]:
        return ()
    uses: list[LayerUse] = []
    needed = {target}
    for depth in reversed(range(layers)):
        ends = alive[depth]
        used = [
            place
            for place, one in enumerate(relations)
            if one.target in needed and one.source in ends and one.target in ends
        ]
        outputs = needed if keeps_unreached else {relations[place].target for place in used}
        read = outputs | {relations[place].source for place in used}
        uses.append(LayerUse(tuple(sorted(read)), tuple(used), tuple(sorted(outputs))))
        needed = read
    return tuple(reversed(uses))
