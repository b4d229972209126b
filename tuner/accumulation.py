"""Optimiser steps that take the gradients of several batches together."""

from __future__ import annotations

import torch
from torch import Tensor

from techniques.architecture.network import Network


class Steps:
    """Steps every ``every`` batches, and once more for what is left when the epoch ends.

    A batch counts by its seeds: the gradient is the one of the mean loss of all their seeds, as if the batches were one.
    """

    def __init__(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer, every: int) -> None:
        self.model, self.optimizer, self.every = model, optimizer, every
        self.batches = self.seeds = 0

    def add(self, loss: Tensor, seeds: int) -> None:
        """Walk back from the mean ``loss`` of ``seeds`` rows; step if enough batches are there."""
        # A sum over seeds now, divided by all of them in the end: how many there will be is not known yet.
        loss = loss if self.every == 1 else loss * seeds
        if isinstance(self.model, Network):
            self.model.walk_back(loss)
        else:
            loss.backward()  # type: ignore[no-untyped-call]
        self.batches, self.seeds = self.batches + 1, self.seeds + seeds
        if self.batches == self.every:
            self.finish()

    def finish(self) -> None:
        """Step with the gradients that are waiting, if there are any."""
        if self.batches == 0:
            return
        if self.every > 1:
            torch._foreach_div_([one.grad for one in self.model.parameters() if one.grad is not None], self.seeds)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)  # the next pass forward, or judging, does without gradients
        self.batches = self.seeds = 0
