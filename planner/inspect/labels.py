"""Labels and splits of a stored graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planner.inspect.structure import CHUNK, both_directions, chunks, homophily
from techniques.errors import UnsupportedTaskError
from techniques.facts import Task
from techniques.graph_figures import LabelFacts
from techniques.remote.link_counts import HIDDEN_NOTE, link_counts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph

    Ints = NDArray[np.integer[Any]]

MASKS = ("train_mask", "val_mask", "test_mask")
SEEDED_SHARES = (0.6, 0.2, 0.2)
MAX_ENTRIES_SORTED = 1 << 26
"""Up to here parallel edges are found by sorting, in 8 bytes an entry (half a GiB) and a copy where there are any."""


def seeded_counts(labelled: int, shares: tuple[float, float, float] = SEEDED_SHARES) -> tuple[int, int, int]:
    """Training, validation and test counts of a split by shares; stratification may move a few."""
    train, val = round(shares[0] * labelled), round(shares[1] * labelled)
    if sum(shares) > 0.999:
        return train, val, labelled - train - val
    return train, val, round(shares[2] * labelled)


def read_labels(stored: StoredGraph, edge_index: Ints, num_nodes: int, task: Task) -> tuple[LabelFacts, list[str]]:
    """Label facts and what is worth a note. Counts are in nodes, in graphs for a graph-level task, in edges for links.

    Raises:
        UnsupportedTaskError: the labels are not class ids; GraphError: ``edge_split`` does not fit the edges.
    """
    if task is Task.LINK:
        return _link_split(stored, edge_index, num_nodes)
    if "y" not in stored.headers:
        return LabelFacts(num_classes=0), []
    labels = stored.read("y")
    if labels.ndim == 2 and labels.shape[1] > 1:
        facts = LabelFacts(num_classes=labels.shape[1], multi_label=True, labelled=labels.shape[0])
        notes = ["several labels per item: imbalance, majority share and homophily do not apply"]
        known = None
    else:
        classes = _ids(labels)
        facts, notes = _single_label(classes)
        known = classes >= 0
        if len(classes) == num_nodes and task is not Task.GRAPH:
            facts = facts.model_copy(update={"homophily": homophily(edge_index, classes)})
        notes += _one_class_notes(stored, classes, facts.num_classes)
    split, split_notes = _split(stored, facts.labelled or 0, known)
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


def _single_label(classes: Ints) -> tuple[LabelFacts, list[str]]:
    import numpy as np

    known = classes[classes >= 0]
    # A count is ten times faster than sorting, unless one wild id makes it huge.
    dense = int(known.max(initial=0)) < max(4 * len(known), 1 << 16)
    sizes = np.bincount(known) if dense else np.unique(known, return_counts=True)[1]
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return LabelFacts(num_classes=0, labelled=0), ["no node has a label"]
    facts = LabelFacts(
        num_classes=len(sizes),
        labelled=len(known),
        imbalance=float(sizes.max() / sizes.min()),
        majority_share=float(sizes.max() / len(known)),
    )
    largest = int(known.max())
    gaps = largest + 1 > len(sizes)
    return facts, [f"class ids have gaps: {len(sizes)} classes, largest id {largest}"] if gaps else []


def _split(
    stored: StoredGraph, labelled: int, known: NDArray[np.bool_] | None
) -> tuple[dict[str, int | bool | None], list[str]]:
    """Labelled items in each mask, or a seeded split where there is no mask."""
    present = [key for key in MASKS if key in stored.headers]
    if not present:
        train, val, test = seeded_counts(labelled)
        return {"train": train, "val": val, "test": test, "split_is_seeded": True}, [
            "no split stored: a seeded, stratified 60/20/20 split of what is labelled"
        ]
    counts = {key.removesuffix("_mask"): _masked(stored, key, known) for key in present}
    return dict(counts), [
        *_missing_mask_notes(present),
        *_columns_notes(stored, present),
        *_shared_notes(stored, present),
    ]


def _missing_mask_notes(present: list[str]) -> list[str]:
    """What runs do without them (``techniques.remote.labels``)."""
    missing = [key for key in MASKS if key not in present]
    if not missing:
        return []
    rest = "what else is labelled is" if len(missing) > 1 else f"those of {present[-1]} are"
    return [f"no {', '.join(missing)} stored: {rest} halved, seeded, into validation and test"]


def _columns_notes(stored: StoredGraph, present: list[str]) -> list[str]:
    """Some collections store ten splits side by side."""
    columns = max(([*stored.headers[key].shape, 1])[1] for key in present)
    return [f"{columns} splits are stored side by side: the first one counts"] if columns > 1 else []


def _shared_notes(stored: StoredGraph, present: list[str]) -> list[str]:
    """Who is trained on should not be judged by."""
    if "train_mask" not in present:
        return []
    train = _mask(stored, "train_mask")
    shared = {key: int((train & _mask(stored, key)).sum()) for key in present if key != "train_mask"}
    return [
        f"train_mask and {key} share {count:,}: what {key} judges has been trained on"
        for key, count in shared.items()
        if count
    ]


def _one_class_notes(stored: StoredGraph, classes: Ints, num_classes: int) -> list[str]:
    if num_classes != 2 or "val_mask" not in stored.headers:
        return []
    held_out = classes[_mask(stored, "val_mask") & (classes >= 0)]
    if not held_out.size or held_out.min() != held_out.max():
        return []
    return [
        f"val_mask holds class {int(held_out[0])} only: no AUROC there, training is judged by accuracy, which says little; "
        "store a val_mask with both classes"
    ]


def _masked(stored: StoredGraph, key: str, known: NDArray[np.bool_] | None) -> int:
    import numpy as np

    first = _mask(stored, key)
    return int(np.count_nonzero(first if known is None else first & known))


def _mask(stored: StoredGraph, key: str) -> NDArray[np.bool_]:
    mask = stored.read(key)
    return (mask if mask.ndim == 1 else mask[:, 0]).astype(bool)
