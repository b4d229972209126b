"""What is trained on, validated and tested, counted as training will split it; and what a split lacks, for a note."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planner.inspect.class_counts import class_sizes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph

    Ints = NDArray[np.integer[Any]]
    Found = tuple[dict[str, Any], list[str]]
    """Fields of ``LabelFacts``, and notes."""
    Masks = dict[str, NDArray[np.bool_]]

NAMED = 5
"""So many class ids are named; of more there is the count."""
STORE, LABEL = "store masks with every class", "label more of it"
UNVALIDATED = "nothing is left to validate on, and every score is 0"


def node_split(stored: StoredGraph, known: NDArray[np.bool_], classes: Ints | None) -> Found:
    """The split of nodes: the graph's own, or the seeded one.

    Args:
        known: [N], which nodes have a label that is learned.
        classes: [N] class ids where ``known``; ``None`` where a node has several labels.
    """
    import numpy as np

    from techniques.remote.splits import stratified_counts

    if "train_mask" in stored.headers:
        return stored_split(stored, known, classes)
    everyone = np.zeros(known.size, np.int64)
    ids, sizes = class_sizes((everyone if classes is None else classes)[known])
    by_class = stratified_counts(sizes)
    train, val, test = by_class.sum(axis=1).tolist()
    facts = {"train": train, "val": val, "test": test, "split_is_seeded": True}
    notes = ["no split stored: a seeded, stratified 60/20/20 split of what is labelled"]
    if known.any() and not val:
        return facts | {"val_classes": 0}, [*notes, f"{UNVALIDATED}: a class's first is trained on; {LABEL}"]
    if classes is None:
        return facts, notes
    held_out = ids[by_class[1] > 0]
    return facts | {"val_classes": len(held_out)}, notes + _class_notes(ids, ids, held_out, LABEL)


def stored_split(stored: StoredGraph, known: NDArray[np.bool_], classes: Ints | None) -> Found:
    """The split of the masks of a graph, or of a set of graphs, as training completes them."""
    from techniques.remote.splits import completed_masks, given_masks

    masks = given_masks(stored, known)
    facts, notes = masked_split(completed_masks(masks, known), known, classes, STORE)
    given = {f"{split}_mask": mask for split, mask in masks.items()}
    held_out = facts["val"] + facts["test"]
    return facts, [*_completed_notes(stored, given, held_out), *_columns_notes(stored), *_shared_notes(given), *notes]


def masked_split(masks: Masks, known: NDArray[np.bool_], classes: Ints | None, remedy: str) -> Found:
    """The split that masks make."""
    facts: dict[str, Any] = {split: int(mask.sum()) for split, mask in masks.items()}
    if classes is None:
        return facts, []
    ids, train, val = (class_sizes(classes[mask])[0] for mask in (known, masks["train"], masks["val"]))
    return facts | {"val_classes": len(val)}, _class_notes(ids, train, val, remedy)


def _completed_notes(stored: StoredGraph, given: Masks, held_out: int) -> list[str]:
    """What happens where a mask is missing, or picks nothing that has a label."""
    lacking = [name for name in ("val_mask", "test_mask") if not given[name].any()]
    if not lacking:
        return []
    absent, empty = (
        ", ".join(name for name in lacking if (name in stored.headers) is there) for there in (False, True)
    )
    rules = [f"no {absent} stored"] if absent else []
    rules += [f"{empty} must pick something labelled, got nothing"] if empty else []
    if not held_out:
        return [f"{'; '.join(rules)}: {UNVALIDATED}; store a val_mask"]
    other = {"val_mask": "test_mask", "test_mask": "val_mask"}[lacking[0]]
    rest = f"those of {other} are" if len(lacking) == 1 else "what else is labelled is"
    return [f"{'; '.join(rules)}: {rest} halved, seeded, into validation and test"]


def _columns_notes(stored: StoredGraph) -> list[str]:
    """Some collections store ten splits side by side."""
    from techniques.remote.source.headers import MASKS

    columns = max([*stored.headers[key].shape, 1][1] for key in MASKS if key in stored.headers)
    return [f"{columns} splits are stored side by side: the first one counts"] if columns > 1 else []


def _shared_notes(given: Masks) -> list[str]:
    """Who is trained on should not be judged by."""
    shared = {name: int((given["train_mask"] & given[name]).sum()) for name in ("val_mask", "test_mask")}
    return [
        f"train_mask and {key} share {count:,}: what {key} judges has been trained on"
        for key, count in shared.items()
        if count
    ]


def _class_notes(ids: Ints, train: Ints, val: Ints, remedy: str) -> list[str]:
    """Classes that are nowhere to be learned, and those that no validation sees."""
    notes = []
    if untrained := _missing(ids, train):
        notes.append(f"training must see every class, {untrained}: never learned; {remedy}")
    if len(ids) == 2 and len(val) == 1:
        notes.append(
            f"validation must see both classes, it holds class {int(val[0])} only: no AUROC there, training is judged by "
            f"accuracy, which says little; {remedy}"
        )
    elif unseen := _missing(ids, val):
        notes.append(f"validation must see every class, {unseen}: in no score; {remedy}")
    return notes


def _missing(ids: Ints, seen: Ints) -> str:
    """Such as ``class 3 (1 of 7) is missing``; empty where every class is seen."""
    import numpy as np

    gone = np.setdiff1d(ids, seen).tolist()
    named = ", ".join(map(str, gone[:NAMED])) + ", ..." * (len(gone) > NAMED)
    kind, verb = ("class", "is") if len(gone) == 1 else ("classes", "are")
    return f"{kind} {named} ({len(gone)} of {len(ids)}) {verb} missing" if gone else ""
