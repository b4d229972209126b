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
    Kept(0.1, {"cora": 1.01}, {"cora": 0.53}),
    Kept(0.3, {"cora": 0.99}, {"cora": 0.77}),
    Kept(0.5, {"cora": 1.00}, {"cora": 0.88}),
    Kept(0.7, {"cora": 0.99}, {"cora": 0.94}),
)


def evidence_near(ratio: float) -> Kept:
    """What was measured nearest to a ratio."""
    return min(EVIDENCE, key=lambda one: abs(one.ratio - ratio))
