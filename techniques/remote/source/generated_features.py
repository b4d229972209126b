"""Features for generated graphs: weak on their own, telling once averaged over neighbours."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from techniques.remote.source.arrays import Array

SPARSE_BELOW = 0.1
CHUNK_VALUES = 1 << 22
ALONE_ABOVE_CHANCE = 0.5
"""What a perfect reader of a node's own features gains over guessing, as a share of what there is to gain."""
VOCABULARY_SHARE = 0.1
"""Share of the columns of sparse features that belong to a class's vocabulary."""
SPARSE_GAIN = 1.4
"""Many columns with few training rows are learned badly: a clearer signal makes up for it."""

Floats = NDArray[np.float32]


def add_features(
    arrays: dict[str, Array], label: NDArray[np.int64], width: int, density: float, rng: np.random.Generator
) -> None:
    """Put ``x`` [N, F], or its CSR parts where ``density`` is below 0.1, into ``arrays``; nothing where F is 0."""
    if not width:
        return
    signal = _signal(int(label.max()) + 1)
    if density < SPARSE_BELOW:
        arrays |= _bags_of_words(label, width, density, signal, rng)
    else:
        arrays["x"] = _dense(label, width, density, signal, rng)


def _signal(classes: int) -> float:
    """Length of a class centroid, in noise standard deviations, that gives the wanted accuracy alone."""
    goal = 1 / max(2, classes) + ALONE_ABOVE_CHANCE * (1 - 1 / max(2, classes))
    low, high = 0.0, 10.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if _accuracy(middle, classes) < goal else (low, middle)
    return high


def _accuracy(signal: float, classes: int) -> float:
    """Share of draws in which the right one of orthogonal centroids scores highest."""
    score = np.linspace(-6.0, 16.0, 441)
    density = np.exp(-0.5 * (score - signal) ** 2) / math.sqrt(2 * math.pi)
    below = np.array([0.5 * (1 + math.erf(value / math.sqrt(2))) for value in score])
    return float(np.sum(density * below ** max(1, classes - 1)) * (score[1] - score[0]))


def _dense(label: NDArray[np.int64], width: int, density: float, signal: float, rng: np.random.Generator) -> Floats:
    classes = int(label.max()) + 1
    centroids = rng.standard_normal((classes, width), dtype=np.float32)
    # Zeroing entries costs signal, which is given back here.
    centroids *= signal / math.sqrt(density) / np.linalg.norm(centroids, axis=1, keepdims=True)
    x = np.empty((len(label), width), dtype=np.float32)
    step = max(1, CHUNK_VALUES // width)
    for low in range(0, len(label), step):
        rows = x[low : low + step]
        rng.standard_normal(out=rows, dtype=np.float32)
        rows += centroids[label[low : low + step]]
        if density < 1:
            rows *= rng.random(rows.shape, dtype=np.float32) < density
    return x


def _bags_of_words(
    label: NDArray[np.int64], width: int, density: float, signal: float, rng: np.random.Generator
) -> dict[str, Array]:
    """Rows of ones: words of the class's vocabulary with some probability, else any word."""
    words = max(1.0, density * width)
    vocabulary = max(1, round(VOCABULARY_SHARE * width))
    topical = min(0.9, SPARSE_GAIN * signal * math.sqrt(VOCABULARY_SHARE / words))
    classes = int(label.max()) + 1
    vocabularies = np.stack([rng.choice(width, vocabulary, replace=False) for _ in range(classes)]).astype(np.int64)
    lengths, columns = [], []
    step = max(1, int(CHUNK_VALUES / words))
    for low in range(0, len(label), step):
        part = label[low : low + step]
        counts = 1 + rng.poisson(words - 1, len(part))
        row = np.repeat(np.arange(len(part)), counts)
        column = rng.integers(0, width, len(row))
        own = np.flatnonzero(rng.random(len(row), dtype=np.float32) < topical)
        column[own] = vocabularies[part[row[own]], rng.integers(0, vocabulary, len(own))]
        keys = np.unique(row * width + column)
        lengths.append(np.bincount(keys // width, minlength=len(part)))
        columns.append((keys % width).astype(np.int32))
    indices = np.concatenate(columns)
    return {
        "x_data": np.ones(len(indices), dtype=np.float32),
        "x_indices": indices,
        "x_indptr": np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64),
        "x_shape": np.array([len(label), width], dtype=np.int64),
    }
