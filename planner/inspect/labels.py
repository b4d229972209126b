"""Labels and splits of a stored graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planner.inspect.class_counts import class_sizes
from planner.inspect.split import UNVALIDATED, node_split
from planner.inspect.structure import CHUNK, both_directions, chunks, homophily
from techniques.errors import GraphError, UnsupportedTaskError
from techniques.facts import Task
from techniques.graph_figures import LabelFacts
from techniques.remote.link_counts import HIDDEN_NOTE, link_counts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph

    Ints = NDArray[np.integer[Any]]

SEEDED_SHARES = (0.6, 0.2, 0.2)
MAX_ENTRIES_SORTED = 1 << 26
"""Up to here parallel edges are found by sorting, in 8 bytes an entry (half a GiB) and a copy where there are any."""


def seeded_counts(labelled: int, shares: tuple[float, float, float] = SEEDED_SHARES) -> tuple[int, int, int]:
    """Training, validation and test counts of a split by shares; stratification may move a few."""
    train, val = round(shares[0] * labelled), round(shares[1] * labelled)
    if sum(shares) > 0.999:
        return train, val, labelled - train - val
    return train, val, round(shares[2] * labelled)


def read_labels(
    stored: StoredGraph, edge_index: Ints, num_nodes: int, task: Task, learned: NDArray[np.bool_] | None = None
) -> tuple[LabelFacts, list[str]]:
    """Label facts and what is worth a note. Counts are in nodes, in graphs for a graph-level task, in edges for links.

    Args:
        learned: [N], the nodes of the type whose labels are learned; by default all.

    Raises:
        UnsupportedTaskError: the labels are not class ids; GraphError: ``edge_split`` does not fit the edges.
    """
    import numpy as np

    if task is Task.LINK:
        return _link_split(stored, edge_index, num_nodes)
    if "y" not in stored.headers:
        return LabelFacts(num_classes=0), []
    labels = stored.read("y")
    classes: Ints | None = None
    known = np.ones(len(labels), dtype=bool) if learned is None else learned
    if labels.ndim == 2 and labels.shape[1] > 1:
        facts = LabelFacts(num_classes=labels.shape[1], multi_label=True, labelled=int(known.sum()))
        notes = ["several labels per item: imbalance, majority share and homophily do not apply"]
    else:
        classes = _ids(labels)
        facts, notes = single_label(classes)
        known = known & (classes >= 0)
        if len(classes) == num_nodes and task is not Task.GRAPH:
            facts = facts.model_copy(update={"homophily": homophily(edge_index, classes)})
    split, split_notes = node_split(stored, known, classes)
    return facts.model_copy(update=split), notes + split_notes


def _link_split(stored: StoredGraph, edge_index: Ints, num_nodes: int) -> tuple[LabelFacts, list[str]]:
    """Edges to train on and hidden ones; labels of nodes play no part."""
    seeded = "edge_split" not in stored.headers
    undirected = both_directions(edge_index[0], edge_index[1], num_nodes)
    notes = [f"no edge_split stored: {HIDDEN_NOTE}"] if seeded else []
    if edge_index.shape[1] <= MAX_ENTRIES_SORTED:
        from techniques.remote.links import count_links

        train, val, test = count_links(stored, undirected)
    else:
        train, val, test = _links_with_copies(stored, edge_index, undirected)
        notes.append("so many edges that parallel ones were not looked for: each stored copy counts")
    if not seeded and not train:
        raise GraphError(
            f"edge_split must leave edges to train on (0), got {val:,} to validate on, {test:,} to test on and none else",
            "Store 0 for training, 1 for validation and 2 for test, or leave edge_split out",
        )
    if not seeded and not val:
        notes.append("edge_split must mark edges to validate on (1), got none: every score is 0; mark some")
    if seeded and train and not val:
        notes.append(f"{UNVALIDATED}: fewer than three edges are all trained on; give more")
    return LabelFacts(num_classes=0, train=train, val=val, test=test, split_is_seeded=seeded), notes


def _links_with_copies(stored: StoredGraph, edge_index: Ints, undirected: bool) -> tuple[int, int, int]:
    """Like ``count_links``, in constant memory."""
    import numpy as np

    loops, split = 0, np.zeros(3, np.int64)
    codes: Any = stored.read("edge_split") if "edge_split" in stored.headers else None
    for part in chunks(edge_index.shape[1], CHUNK):
        pairs = edge_index[0, part] != edge_index[1, part]
        loops += int(np.count_nonzero(~pairs))
        if codes is not None:
            split += np.bincount(codes[part][pairs], minlength=3)
    if codes is None:
        return link_counts(edge_index.shape[1], undirected, loops)
    train, val, test = (split // (2 if undirected else 1)).tolist()
    return train, val, test


def _ids(labels: NDArray[np.generic]) -> Ints:
    """Class ids [N]; labels stored as floats use NaN for unlabelled (ogbn-papers100M does).

    Raises:
        UnsupportedTaskError: fractions, so a regression.
    """
    import numpy as np

    flat: Any = labels.reshape(-1)
    if flat.dtype.kind == "f":
        flat = np.nan_to_num(flat, nan=-1.0)
        if np.any(flat != np.floor(flat)):
            raise UnsupportedTaskError(
                "labels y must be whole class ids, got fractions",
                "Numbers are predicted for whole graphs only: store class ids",
            )
    ids: Ints = flat if flat.dtype.kind == "i" else flat.astype(np.int64)
    return ids


def single_label(classes: Ints) -> tuple[LabelFacts, list[str]]:
    """Facts about class ids, below 0 where unknown; the split is not among them."""
    ids, sizes = class_sizes(classes[classes >= 0])
    if not len(sizes):
        return LabelFacts(num_classes=0, labelled=0), ["no node has a label"]
    facts = LabelFacts(
        num_classes=len(sizes),
        labelled=int(sizes.sum()),
        imbalance=float(sizes.max() / sizes.min()),
        majority_share=float(sizes.max() / sizes.sum()),
    )
    largest = int(ids[-1])
    gaps = largest + 1 > len(sizes)
    return facts, [f"class ids have gaps: {len(sizes)} classes, largest id {largest}"] if gaps else []
