"""Draws batches from a graph at hand, and coarsens it, so that forecasts rest on the graph itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from techniques.facts import GraphFacts, Task
from techniques.step_shape import Drawable, DrawnHops

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.coarsening.clusters import CoarseGraph, FineGraph
    from techniques.coarsening.plan import CoarseningPlan
    from techniques.remote.source.stored import StoredGraph
    from techniques.sampling.drawn import DrawnGraph

FEWEST_BATCHES, DRAWN_BATCHES, DRAWN_EDGES = 6, 50, 3_000_000
"""Batches drawn to see their sizes, and the edges after which six must do."""
LEAST_BATCHES, MOST_EDGES = 2, 12_000_000
"""Of huge batches (ego graphs of many hops) two must do after so many edges, or a plan would draw for half a minute: the larger a
batch, the less it differs from the next."""
MOST_COARSENED_EDGES = 30_000_000
"""Stored edges up to which a plan coarsens the graph itself to see what is left: some seconds. METIS takes several times as long."""


class Drawer:
    """Batches of one graph; its edges are sorted once, equal batches drawn once, equal coarsenings made once."""

    def __init__(self, stored: StoredGraph, facts: GraphFacts, open_graph: Callable[[], DrawnGraph]) -> None:
        self._stored, self._facts, self._open = stored, facts, open_graph
        self._drawn: dict[Drawable, tuple[DrawnHops, ...]] = {}
        self._coarse: dict[CoarseningPlan, tuple[GraphFacts, Drawer]] = {}
        self._without_loops: Drawer | None = None

    def __call__(self, batches: Drawable) -> tuple[DrawnHops, ...]:
        if batches not in self._drawn:
            self._drawn[batches] = self._draw(batches)
        return self._drawn[batches]

    @cached_property
    def graph(self) -> DrawnGraph:
        return self._open()

    def _draw(self, batches: Drawable) -> tuple[DrawnHops, ...]:
        """Fifty batches; six large ones or two huge ones where each takes its time."""
        if batches.quick_to_draw:
            return tuple(batches.draw(self.graph, index) for index in range(DRAWN_BATCHES))
        found: list[DrawnHops] = []
        edges, enough = 0, DRAWN_BATCHES
        while len(found) < enough:
            found.append(batches.draw(self.graph, len(found)))
            edges += sum(found[-1].edges)
            enough = LEAST_BATCHES if edges >= MOST_EDGES else FEWEST_BATCHES if edges >= DRAWN_EDGES else DRAWN_BATCHES
        return tuple(found)

    def without_loops(self, facts: GraphFacts) -> Drawer:
        """Batches of the same graph without its self-loops, which ``facts`` has none of: layers that add their own drop them."""
        if self._without_loops is None:
            self._without_loops = Drawer(self._stored, facts, lambda: self.graph.without_loops())
        return self._without_loops

    def coarsened(self, plan: CoarseningPlan) -> tuple[GraphFacts, Drawer] | None:
        """Facts of the coarse graph that a job of this plan will train on, and a way to draw batches from it; ``None`` where
        the graph is too large to coarsen while planning."""
        most = MOST_COARSENED_EDGES // (10 if plan.method == "metis" else 1)
        if self._facts.num_edges > most or self._facts.task is not Task.NODE:
            return None
        if plan not in self._coarse:
            self._coarse[plan] = self._coarsened(plan)
        return self._coarse[plan]

    def _coarsened(self, plan: CoarseningPlan) -> tuple[GraphFacts, Drawer]:
        import numpy as np

        from planner.inspect.degrees import measured_degrees
        from techniques.coarsening.clusters import coarsen
        from techniques.coarsening.sizes import with_coarse_sizes
        from techniques.sampling.drawn import DrawnGraph

        nodes, classes = self._train
        coarse = coarsen(self._fine(plan, nodes, classes), plan)
        owners, kept = np.unique(coarse.cluster[nodes], return_index=True)
        drawn = DrawnGraph(
            coarse.colptr, coarse.row, owners.astype(np.int64), None if classes is None else classes[kept]
        )
        nonzeros = self._nonzeros(coarse)
        facts = with_coarse_sizes(
            self._facts,
            coarse.num_nodes,
            int(coarse.row.size),
            round(nonzeros.sum()),
            int(owners.size),
            measured_degrees(np.diff(coarse.colptr)),
            float(nonzeros[coarse.row].mean()) if coarse.row.size else None,
        )
        return facts, Drawer(self._stored, facts, lambda: drawn)

    @cached_property
    def _train(self) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """Training nodes, as a job finds them, and their classes."""
        from planner.inspect.train_nodes import trained_nodes

        return trained_nodes(self._stored, self._facts)

    def _fine(self, plan: CoarseningPlan, nodes: NDArray[np.int64], classes: NDArray[np.int64] | None) -> FineGraph:
        import numpy as np

        from techniques.coarsening.clusters import FineGraph
        from techniques.coarsening.hierarchy import groups_of
        from techniques.sampling.kernels import build_csc

        colptr, row, weight = self.graph.colptr, self.graph.row, None
        if plan.weighted:
            stored: Any = self._stored.read("edge_index")
            colptr, row, position = build_csc(stored, self._facts.num_nodes, with_permutation=True)
            weight = np.asarray(self._stored.read("edge_weight"), dtype=np.float32).reshape(-1)[position]
        label = None
        if plan.agree and classes is not None:
            label = np.full(self._facts.num_nodes, -1, np.int32)
            label[nodes] = classes
        pos: Any = self._stored.read("pos") if plan.method == "voxel_grid" else None
        return FineGraph(colptr, row, weight, pos, label, groups_of(plan, self._facts.num_nodes))

    def _nonzeros(self, coarse: CoarseGraph) -> NDArray[Any]:
        """Non-zeros of the features of every super-node."""
        import numpy as np

        from techniques.coarsening.kernels import members_of, pooled_nonzeros

        if not self._facts.features.sparse_at_rest:
            share = min(1.0, self._facts.features.density(self._facts.num_nodes))
            return np.full(coarse.num_nodes, share * self._facts.features.width)
        indptr: Any = np.asarray(self._stored.read("x_indptr"))
        indices: Any = np.asarray(self._stored.read("x_indices"))
        members = members_of(coarse.cluster, coarse.num_nodes)
        return pooled_nonzeros(indptr, indices, self._facts.features.width, *members)
