"""Everything that fixes a typed network's shape, and the sizes of its layers in a step."""

from __future__ import annotations

from dataclasses import dataclass

from techniques.architecture.hetero.costs import TypedSize
from techniques.architecture.hetero.inputs import TypeInput
from techniques.architecture.hetero.relation import Relation
from techniques.architecture.hetero.use import LayerUse
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.network_plan import NetworkPlan
from techniques.forecast import Forecast
from techniques.step_shape import StepShape


@dataclass(frozen=True)
class TypedPlan(NetworkPlan):
    """Everything that fixes a typed network's shape. ``widths`` are those of the encoders' output and of every layer."""

    inputs: tuple[TypeInput, ...] = ()
    relations: tuple[Relation, ...] = ()
    keys: tuple[tuple[str, str, str], ...] = ()
    names: tuple[str, ...] = ()
    uses: tuple[LayerUse, ...] = ()
    target: int = 0
    head: bool = False

    @property
    def encoded(self) -> dict[int, TypeInput]:
        """Inputs of the types that the first layer reads."""
        return {kind: self.inputs[kind] for kind in self.uses[0].inputs}

    def sizes(self, so_far: Forecast | bool, shape: StepShape) -> list[LayerSize]:
        """Sizes of encoders, layers and head of one step of ``shape``; ``so_far`` says whether products are fused."""
        fused = so_far if isinstance(so_far, bool) else so_far.fused
        found: list[LayerSize] = [self._encoder(shape)]
        last = len(self.uses) - 1
        for index, use in enumerate(self.uses):
            found.append(self._layer(fused, shape, index, use, last=index == last and not self.head))
        if self.head:
            rows = shape.layers[-1].targets[self.names[self.target]]
            found.append(TypedSize(rows, rows, 0.0, self.widths[-1], self.num_classes, False, True, fused, False))
        return found

    def _encoder(self, shape: StepShape) -> TypedSize:
        read = self._by_type(shape.layers[0].sources)
        rows = sum(read[kind] for kind in self.encoded)
        whole = all(read[kind] == one.num_nodes for kind, one in self.encoded.items())
        return TypedSize(
            rows, rows, 0.0, 0, self.widths[0], first=True, last=False, fused=True, transform_first=False,
            dropout=self.dropout > 0, read=read, inputs=self.encoded, whole=whole,
        )  # fmt: skip

    def _layer(self, fused: bool, shape: StepShape, index: int, use: LayerUse, *, last: bool) -> TypedSize:
        layer = shape.layers[index]
        read, written = self._by_type(layer.sources), self._by_type(layer.targets)
        edges = tuple(layer.edges.get("|".join(key), 0.0) for key in self.keys)
        return TypedSize(
            sum(read[kind] for kind in use.inputs),
            sum(written[kind] for kind in use.outputs),
            sum(edges[place] for place in use.relations),
            self.widths[index],
            self.widths[index + 1],
            first=False,
            last=last,
            fused=fused,
            transform_first=False,
            heads=self.heads,
            dropout=self.dropout > 0,
            read=read,
            written=written,
            by_relation=edges,
            relations=self.relations,
            use=use,
        )

    def _by_type(self, counts: object) -> tuple[float, ...]:
        return tuple(counts.get(name, 0.0) for name in self.names)  # type: ignore[attr-defined]
