"""Walks of a few sizes to figures for any size.

Every storage of a step grows with nodes, edges and seeds, so the live bytes after each operator do too: a few walks give
them exactly, and the peak at any size is the largest of them (``own_model.largest``), wherever in the step it lies. Walks
over fake tensors are taken at the size of the whole graph. They are believed where a real step of a small size has the
same peak and the same dense products; else small real steps take their place, and the trace says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from techniques.architecture.own_steps import OwnSteps, StepSize
from techniques.architecture.trace import Walk
from techniques.own_model import KnobValue, OperatorFacts, PerSize, Trace, largest

SMALL = StepSize(600, 4800, 240)
"""A real step, in the small; wide inputs take fewer nodes."""
SMALL_FEATURE_BYTES = 16 * 2**20
BELIEVED, LINEAR = 0.01, 0.02
"""Relative errors up to which a fake trace is believed, and figures are called linear in nodes and edges."""
MOST_BLOCKS = 24
FEWEST_NODES = 64

Grid = NDArray[np.float64]


def trace_steps(steps: OwnSteps, values: dict[str, KnobValue], precision: str, whole: StepSize) -> Trace:
    """Trace the steps of one module for sizes up to ``whole``.

    Raises:
        InputError: the module cannot take a real step; what is wrong.
    """
    small = _small(steps)
    real = steps.train(small)
    why_not, fake = _why_not_fake(steps, small, real), True
    if not why_not:
        try:
            return _fitted(steps, _sizes(_at_least(whole)), values, precision, fake=True)
        except Exception as error:
            why_not = _words(error)
    fake = False
    found = _fitted(steps, _sizes(StepSize(2 * small.nodes, 2 * small.edges, 2 * small.seeds)), values, precision, fake)
    return found.model_copy(update={"why_not_fake": why_not})


def _small(steps: OwnSteps) -> StepSize:
    width = max(steps.facts.graph.features.width, 1)
    nodes = min(SMALL.nodes, max(SMALL_FEATURE_BYTES // (4 * width), 2 * FEWEST_NODES))
    share = nodes / SMALL.nodes
    return StepSize(nodes, int(SMALL.edges * share), int(SMALL.seeds * share))


def _at_least(whole: StepSize) -> StepSize:
    """Sizes are halved and quartered: tiny graphs are traced as if they were larger."""
    return StepSize(max(whole.nodes, 16 * FEWEST_NODES), max(whole.edges, 1024), max(min(whole.seeds, whole.nodes), 64))


def _sizes(whole: StepSize) -> list[StepSize]:
    """Five sizes in general position, then one to check them at."""
    nodes, edges, seeds = whole
    return [
        whole,
        StepSize(nodes // 2, edges, min(seeds, nodes // 2)),
        StepSize(nodes, edges // 2, seeds),
        StepSize(nodes, edges, seeds // 2),
        StepSize(nodes // 4, edges // 3, min(seeds // 2, nodes // 4)),
        StepSize(nodes // 3, edges // 5, min(seeds // 3, nodes // 3)),
    ]


def _why_not_fake(steps: OwnSteps, size: StepSize, real: Walk) -> str:
    """Why fake tensors cannot be believed; empty where they can."""
    try:
        fake = steps.train(size, fake=True)
    except Exception as error:
        return _words(error)
    off = abs(fake.peak_bytes - real.peak_bytes) / max(real.peak_bytes, 1)
    if off > BELIEVED or fake.gemm_flops != real.gemm_flops:
        return f"its shapes depend on values: fake tensors need {fake.peak_bytes / 1e6:.2f} MB, real ones {real.peak_bytes / 1e6:.2f}"
    return ""


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def _fitted(
    steps: OwnSteps, sizes: Sequence[StepSize], values: dict[str, KnobValue], precision: str, fake: bool
) -> Trace:
    """Figures from walks of all sizes but the last, checked at the last one."""
    trained = [steps.train(size, fake=fake) for size in sizes]
    inferred = _inferred(steps, sizes[:-1], fake)
    fit, train, error = _checked_fit(sizes, trained)
    return Trace(
        values=values,
        precision=precision,
        method="fake tensors" if fake else "small steps",
        checked_error=error,
        parameters=sum(one.numel() for one in steps.network.parameters()),
        train=train,
        kernels=fit.moments(trained, _in_kernels, lambda walk: max(_in_kernels(walk), default=0)),
        infer=fit.moments(inferred, lambda walk: walk.live_bytes, lambda walk: walk.peak_bytes),
        kept_bytes=fit.one([walk.kept_bytes for walk in trained]),
        blocks=_blocks(fit, trained),
        operators=_operators(fit, trained),
    )


def _inferred(steps: OwnSteps, sizes: Sequence[StepSize], fake: bool) -> list[Walk]:
    """Forward passes know of no seeds: sizes that differ in nothing else share one."""
    found: dict[tuple[int, int], Walk] = {}
    for size in sizes:
        if (size.nodes, size.edges) not in found:
            found[size.nodes, size.edges] = steps.infer(size, fake=fake)
    return [found[size.nodes, size.edges] for size in sizes]


def _checked_fit(sizes: Sequence[StepSize], walks: Sequence[Walk]) -> tuple[_Fit, tuple[PerSize, ...], float]:
    """Linear in nodes, edges and seeds where that holds at the last size, else with the square of the nodes where that
    does; with the error there."""
    found = []
    for squares in (False, True):
        fit = _Fit(sizes[:-1], squares=squares)
        train = fit.moments(walks, lambda walk: walk.live_bytes, lambda walk: walk.peak_bytes)
        error = abs(largest(train, *sizes[-1]) / max(walks[-1].peak_bytes, 1) - 1)
        found.append((fit, train, error))
        if error <= LINEAR:
            return found[-1]
    return found[0]


def _in_kernels(walk: Walk) -> list[int]:
    both = zip(walk.live_bytes, walk.kernel_bytes, strict=True)
    return [live + own if own else 0 for live, own in both]


class _Fit:
    """Polynomials through the figures of a few sizes."""

    def __init__(self, sizes: Sequence[StepSize], *, squares: bool = False) -> None:
        self.sizes = sizes
        self.scale = np.array([1.0, *(float(part) for part in sizes[0]), float(sizes[0].nodes) ** 2])
        self.terms = 5 if squares else 4
        self.table = np.array([self._row(*size) for size in sizes])[:, : self.terms]

    def _row(self, nodes: float, edges: float, seeds: float) -> Grid:
        terms: Grid = np.array([1.0, nodes, edges, seeds, nodes * nodes]) / self.scale
        return terms

    def all(self, figures: Any) -> Grid:
        """[sizes, k] figures to [k, 5] coefficients; figures of further sizes are left out."""
        given = np.asarray(figures, dtype=np.float64)[: len(self.sizes)].reshape(len(self.sizes), -1)
        found = np.zeros((given.shape[1], 5))
        found[:, : self.terms] = np.linalg.lstsq(self.table, given, rcond=None)[0].T
        found[np.abs(found) < 1e-9 * np.abs(given).max(axis=0, initial=1.0)[:, None]] = 0.0
        coefficients: Grid = found / self.scale
        return coefficients

    def one(self, figures: Sequence[float]) -> PerSize:
        return _per_size(self.all(figures)[0])

    def moments(
        self, walks: Sequence[Walk], of: Callable[[Walk], list[int]], peak: Callable[[Walk], int]
    ) -> tuple[PerSize, ...]:
        """Those moments that are the largest of a step of some size; the peaks alone where steps differ in operators."""
        walks = walks[: len(self.sizes)]
        if any(walk.names != walks[0].names for walk in walks):
            return (self.one([float(peak(walk)) for walk in walks]),)
        found = self.all([of(walk) for walk in walks])
        worst = sorted({int(one) for one in np.argmax(self._many() @ found.T, axis=1)})
        return tuple(_per_size(found[one]) for one in worst)

    def _many(self) -> Grid:
        """Sizes small and large, sparse and dense, with few seeds and many, [k, 5]."""
        whole = self.sizes[0]
        rows = [
            [1.0, nodes, degree * nodes, share * nodes, nodes * nodes]
            for nodes in np.geomspace(FEWEST_NODES, max(whole.nodes, 2 * FEWEST_NODES), 12)
            for degree in np.geomspace(0.2, max(4 * whole.edges / whole.nodes, 50.0), 12)
            for share in (0.0, 0.01, 0.1, 0.5, 1.0)
        ]
        return np.array([*rows, *([1.0, *size, size.nodes**2] for size in self.sizes)], dtype=np.float64)


def _per_size(terms: Grid) -> PerSize:
    fixed, per_node, per_edge, per_seed, per_pair = (float(one) for one in terms)
    return PerSize(fixed=fixed, per_node=per_node, per_edge=per_edge, per_seed=per_seed, per_pair=per_pair)


def _blocks(fit: _Fit, walks: Sequence[Walk]) -> tuple[PerSize, ...]:
    walks = walks[: len(fit.sizes)]
    count = min(MOST_BLOCKS, *(len(walk.peak_blocks) for walk in walks))
    return tuple(_per_size(one) for one in fit.all([walk.peak_blocks[:count] for walk in walks]))


def _operators(fit: _Fit, walks: Sequence[Walk]) -> tuple[OperatorFacts, ...]:
    walks = walks[: len(fit.sizes)]
    names = [name for name in walks[0].operators if all(name in walk.operators for walk in walks)]
    moved = fit.all([[walk.operators[name].moved_bytes for name in names] for walk in walks])
    flops = fit.all([[walk.operators[name].gemm_flops for name in names] for walk in walks])
    return tuple(
        OperatorFacts(
            name=name,
            calls=walks[0].operators[name].calls,
            moved_bytes=_per_size(moved[index]),
            gemm_flops=_per_size(flops[index]),
        )
        for index, name in enumerate(names)
    )
