"""What every kind of layer answers: its costs, its operations, and the network that is built of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from techniques.architecture.costs import LayerCost
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.operations.passes import Passes
from techniques.architecture.readout import Readout

if TYPE_CHECKING:
    from torch import nn


class LayerKind(ABC):
    """One kind of convolution, of which a network is a stack."""

    __slots__ = ()
    name: ClassVar[str]
    norms_per_layer: ClassVar[int] = 1
    """Batch normalisations where layers are normalised: behind every layer, and inside it."""
    always_transforms: ClassVar[bool] = False
    """Whether rows are multiplied with the weight before they are summed, whatever their width."""

    @property
    def step_kind(self) -> str:
        """What calibrations call its training steps."""
        return self.name

    @abstractmethod
    def layer_cost(self, size: LayerSize) -> LayerCost:
        """What one layer costs."""

    @abstractmethod
    def layer_operations(self, size: LayerSize) -> Passes:
        """What one layer asks of the processor, forward and back."""

    @abstractmethod
    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        """One live layer."""

    def build_network(self, plan: NetworkPlan) -> nn.Module:
        """The live network."""
        from torch import nn
        from torch_geometric.nn import BatchNorm

        from techniques.architecture.network import Network

        convs, readout = self._convs(plan), _readout(plan)
        norms = [BatchNorm(width, allow_single_element=True) for width in plan.widths[1:]] if plan.norm else None
        if plan.norm:
            _normalise_perceptrons(convs)
        table = nn.Embedding(plan.embedded_nodes, plan.widths[0]) if plan.embedded_nodes else None
        return Network(
            convs,
            plan.dropout,
            readout,
            table,
            bf16=plan.bf16,
            checkpoint_layers=plan.checkpoint_layers,
            norms=norms,
        )

    def _convs(self, plan: NetworkPlan) -> list[nn.Module]:
        last = len(plan.widths) - 2
        return [
            self.conv(
                plan.widths[index],
                plan.widths[index + 1],
                last=index == last and not plan.readout.follows,
                transform_first=plan.transform_first and index == 0,
                heads=plan.heads,
            )
            for index in range(last + 1)
        ]


def _readout(plan: NetworkPlan) -> nn.Module | None:
    """What follows the convolutions, if anything."""
    from torch import nn

    from techniques.architecture.graph_readout import GraphReadout

    if plan.readout is Readout.EGO:
        return nn.Linear(2 * plan.widths[-1], plan.num_classes)
    return GraphReadout(plan.widths[-1], plan.num_classes, plan.pool) if plan.readout is Readout.GRAPHS else None


def _normalise_perceptrons(convs: list[nn.Module]) -> None:
    """Every hidden layer is normalised, the perceptrons' too (Xu et al., section 7)."""
    from torch_geometric.nn import BatchNorm

    from techniques.architecture.convs import GIN

    for conv in convs:
        if isinstance(conv, GIN):
            conv.normalise(BatchNorm(conv.nn[0].out_features, allow_single_element=True))
