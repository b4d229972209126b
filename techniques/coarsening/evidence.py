"""What was measured of coarsening: how much accuracy is left at which share of the nodes."""

from __future__ import annotations

from dataclasses import dataclass

MACHINE = "2 cores, GCN 2 x 64, three seeds (tests/benchmarks/coarsening.py)"


@dataclass(frozen=True)
class Kept:
    """Test accuracy on the graph after training on ``ratio`` of its nodes, over that of training on the graph itself."""

    ratio: float
    joined_along_edges: dict[str, float]
    joined_at_random: dict[str, float]

    def words(self) -> str:
        """Such as ``cora 101 %, coauthor_cs 99 % of the full graph's accuracy (joined at random 88 %, 95 %)``."""
        ours = ", ".join(f"{name} {share:.0%}" for name, share in self.joined_along_edges.items())
        random = ", ".join(f"{share:.0%}" for share in self.joined_at_random.values())
        return f"{ours} of the full graph's accuracy (joined at random {random})"


EVIDENCE: tuple[Kept, ...] = (
    Kept(
        0.1,
        {"cora": 1.009, "coauthor_cs": 0.983, "citeseer": 0.968, "amazon_photo": 0.981},
        {"cora": 0.527, "coauthor_cs": 0.578, "citeseer": 0.488, "amazon_photo": 0.281},
    ),
    Kept(
        0.3,
        {"cora": 0.993, "coauthor_cs": 0.993, "citeseer": 0.992, "amazon_photo": 0.991},
        {"cora": 0.765, "coauthor_cs": 0.765, "citeseer": 0.642, "amazon_photo": 0.391},
    ),
    Kept(
        0.5,
        {"cora": 1.003, "coauthor_cs": 0.995, "citeseer": 1.003, "amazon_photo": 0.995},
        {"cora": 0.878, "coauthor_cs": 0.978, "citeseer": 0.821, "amazon_photo": 0.685},
    ),
    Kept(
        0.7,
        {"cora": 0.993, "coauthor_cs": 0.996, "citeseer": 1.005, "amazon_photo": 0.998},
        {"cora": 0.941, "coauthor_cs": 0.995, "citeseer": 0.869, "amazon_photo": 0.945},
    ),
)
"""Of heavy_edge; graclus at its own ratios lost as little (README)."""


def evidence_near(ratio: float) -> Kept:
    """What was measured nearest to a ratio."""
    return min(EVIDENCE, key=lambda one: abs(one.ratio - ratio))
