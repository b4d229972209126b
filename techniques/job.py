"""A run as a plan (``JobSpec``) and as live objects (``Job``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from techniques.base import Settings, SettingValue, Slot
from techniques.errors import OptionError
from techniques.facts import Facts
from techniques.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from techniques.architecture.network import Batch, Network
    from techniques.remote.graphs import TargetScale
    from techniques.remote.links import LinkSplit
    from techniques.remote.rows import RowStore
    from techniques.remote.source.stored import StoredGraph
    from techniques.sampling.structure import Structure


class Training(Record):
    """How the model is fitted, whatever the seven rooms hold."""

    optimizer: Literal["adam"] = "adam"
    learning_rate: Annotated[float, Field(gt=0, le=100)] = 0.01
    weight_decay: Annotated[float, Field(ge=0, le=100)] = 5e-4
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    max_epochs: Annotated[int, Field(ge=1)] = 500
    patience_evaluations: Annotated[int, Field(ge=1)] = 20
    """Stop after this many evaluations without a better validation metric."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: dense products of a training step under ``torch.autocast``; sums over neighbours, the loss, the weights and
    evaluation stay in float32."""
    accumulate_batches: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Batches whose gradients one optimiser step takes together; what is left at the end of an epoch takes a step too."""
    checkpoint_layers: bool = False
    """Keep only the inputs of convolutions and compute them again in the backward pass (Chen et al., 2016)."""


class JobSpec(Record):
    """One option per slot, its settings and one training record: everything a worker needs beside the facts."""

    options: dict[Slot, str]
    settings: dict[str, SettingValue]
    training: Training = Training()


@dataclass
class Job:
    """Live objects of a run, filled stage by stage.

    Shapes: ``labels`` [N] int64, or [N, C] float for multi-label; masks [N] bool.
    """

    spec: JobSpec
    facts: Facts
    stored: StoredGraph
    scratch: Path
    """A folder for what an option must put on disk."""
    structure: Structure | None = None
    features: RowStore | None = None
    labels: torch.Tensor | None = None
    masks: dict[str, torch.Tensor] = field(default_factory=dict)
    device: torch.device | None = None
    seed_order: Callable[[], torch.Tensor] | None = None
    """Positions in the list of training nodes, or edges, in the order of a new epoch."""
    batches: Callable[[], Iterable[Batch]] | None = None
    """One epoch of batches, on the host."""
    transfer: Callable[[Batch], Batch] | None = None
    """Moves a batch to where the model lives."""
    model: Network | None = None
    optimizer: torch.optim.Optimizer | None = None
    predict: Callable[..., torch.Tensor] | None = None
    """``predict(nodes=None)``: logits of these nodes (all by default), [B, C], without gradients; embeddings for links."""
    ego_batches: Callable[[torch.Tensor], Iterable[Batch]] | None = None
    """Batches of these nodes' ego graphs, in their order and without labels (ShaDow)."""
    graph_ptr: NDArray[np.int64] | None = None
    """Where the nodes of each graph of a set begin, [G + 1]; ``labels`` and ``masks`` are then [G]."""
    graph_batches: Callable[[torch.Tensor], Iterable[Batch]] | None = None
    """Batches of these graphs, in their order, bounded by their nodes."""
    targets: TargetScale | None = None
    """How a regression's targets were standardised."""
    links: LinkSplit | None = None
    """Splits of the edges, for link prediction; ``labels`` and ``masks`` are then unused."""
    wait_seconds: Callable[[], float] = lambda: 0.0
    """Seconds that the trainer has waited for batches so far."""
    transfer_seconds: float = 0.0
    """Seconds that it has moved them to the device, as the host sees it."""
    node_order: NDArray[np.int64] | None = None
    """[N] each node's id in the stored graph, where nodes are renumbered."""

    whole: Job | None = None
    """The job before its graph was coarsened: from then on, until evaluation, the job is one on the coarse graph."""
    soft_labels: bool = False
    """Whether floating point labels are shares of classes, not several labels a node."""

    @property
    def num_train(self) -> int:
        """Training nodes, or edges where links are predicted."""
        return int(self.links.train.shape[1]) if self.links is not None else int(self.masks["train"].sum())

    def need(self, name: str) -> Any:
        """An attribute that an earlier stage must have filled.

        Raises:
            OptionError: no option of this job fills it.
        """
        value = getattr(self, name)
        if value is None:
            raise OptionError(f"this combination of options provides no {name}", "Choose an option that does")
        return value

    def as_given(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows [N, ...] of all nodes, in the order of the stored graph."""
        if self.node_order is None:
            return rows
        import torch

        back = torch.empty_like(rows)
        back[torch.from_numpy(self.node_order).to(rows.device)] = rows
        return back

    def moved_batches(self) -> Iterator[Batch]:
        """One epoch of batches where the model lives."""
        transfer = self.need("transfer")
        for batch in self.need("batches")():
            start = time.perf_counter()
            moved = transfer(batch)
            self.transfer_seconds += time.perf_counter() - start
            yield moved


def setting_int(settings: Settings, name: str) -> int:
    """A setting that must be a whole number."""
    return int(_number(settings, name))


def setting_float(settings: Settings, name: str) -> float:
    """A setting that must be a number."""
    return float(_number(settings, name))


def setting_ints(settings: Settings, name: str) -> tuple[int, ...]:
    """A setting that must be a list of whole numbers; one number is a list of one."""
    value = settings[name]
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, tuple):
        return value
    raise OptionError(f"{name} must be a list of whole numbers, got {value!r}", f"Write --set {name}=10,5")


def _number(settings: Settings, name: str) -> int | float:
    value = settings[name]
    if isinstance(value, (int, float)):
        return value
    raise OptionError(f"{name} must be a number, got {value!r}", f"Write --set {name}=NUMBER")


def merge_settings(*groups: Iterable[tuple[str, SettingValue]]) -> dict[str, SettingValue]:
    """Later groups win."""
    return {name: value for group in groups for name, value in group}
