"""Which node types and relations each layer of a typed network computes: what reaches the target type, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from techniques.architecture.hetero.typed import Relation


@dataclass(frozen=True)
class LayerUse:
    """One layer: node types read, relations along which messages pass, node types written."""

    inputs: tuple[int, ...]
    relations: tuple[int, ...]
    outputs: tuple[int, ...]

    def into(self, relations: Sequence[Relation], target: int) -> tuple[int, ...]:
        """The layer's relations that lead to one node type."""
        return tuple(place for place in self.relations if relations[place].target == target)


def layer_uses(relations: Sequence[Relation], num_types: int, target: int, layers: int) -> tuple[LayerUse, ...]:
    """Uses of every layer, input side first; empty where nothing reaches the target.

    A type that no relation leads to has no output, as in PyG's ``HeteroConv`` and ``HGTConv``; what later layers do not
    need is left out, which PyG's layers compute in vain.
    """
    alive = [set(range(num_types))]
    for _ in range(layers):
        alive.append({one.target for one in relations if {one.source, one.target} <= alive[-1]})
    if target not in alive[-1]:
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
        outputs = {relations[place].target for place in used}
        read = outputs | {relations[place].source for place in used}
        uses.append(LayerUse(tuple(sorted(read)), tuple(used), tuple(sorted(outputs))))
        needed = read
    return tuple(reversed(uses))
