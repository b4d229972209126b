"""Batches of even cost from graphs of uneven size, for ``DataLoader(batch_sampler=...)``."""

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler


class EvenBatches(Sampler[list[int]]):
    """A new order in every epoch, cut into ``steps`` batches at equal shares of its cost."""

    def __init__(self, costs: list[int], steps: int) -> None:
        self.costs, self.steps = torch.tensor(costs, dtype=torch.double), min(steps, len(costs))

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        order, place = torch.randperm(len(self.costs)), torch.arange(1, self.steps)
        costs = self.costs[order]
        middle = costs.cumsum(0) - costs / 2  # a graph belongs to the share that its middle lies in
        cuts = torch.searchsorted(middle, costs.sum() * place / self.steps, right=True)
        cuts = place + (cuts - place).clamp(min=0).cummax(0).values  # every batch has a graph
        cuts = torch.minimum(cuts, len(order) - self.steps + place)
        yield from (part.tolist() for part in order.tensor_split(cuts))
