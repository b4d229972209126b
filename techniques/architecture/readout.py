"""What becomes of the last convolution's output."""

from __future__ import annotations

from enum import StrEnum


class Readout(StrEnum):
    """What becomes of the last convolution's output."""

    NODES = "nodes"
    """Its rows are the logits."""
    PAIRS = "pairs"
    """The dot product of two rows is the logit of a link."""
    EGO = "ego"
    """The root's row beside the mean of its ego graph's rows goes through a linear layer (ShaDow)."""
    GRAPHS = "graphs"
    """The rows of a graph are pooled to one, which goes through two linear layers."""

    @property
    def follows(self) -> bool:
        """Whether the last convolution's output is a hidden one, on which a layer of its own follows."""
        return self in (Readout.EGO, Readout.GRAPHS)

    def products(self, hidden: int, outputs: int) -> int:
        """Multiply-adds that a seed's row takes beyond the convolutions."""
        if self is Readout.EGO:
            return 2 * hidden * outputs
        return hidden * (hidden + outputs) if self is Readout.GRAPHS else 0

    def parameters(self, hidden: int, outputs: int) -> int:
        """Weights and biases beyond the convolutions."""
        if self is Readout.EGO:
            return (2 * hidden + 1) * outputs
        return (hidden + 1) * (hidden + outputs) if self is Readout.GRAPHS else 0
