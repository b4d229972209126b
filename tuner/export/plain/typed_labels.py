"""Labels and splits of the node type that is learnt."""

from typing import Any

import numpy as np
from torch_geometric.data import HeteroData

from tuner.export.plain.labels import splits_of
from tuner.export.plain.splits import labels_of

MASKS = ("train_mask", "val_mask", "test_mask")


def with_splits(found: Any, target: str) -> Any:
    """A ``HeteroData``, or the one in a data set, with class places or 0/1 rows as labels, and its own splits or seeded ones."""
    data = found if isinstance(found, HeteroData) else found[0]
    nodes = data[target]
    y = nodes.y.numpy()
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    nodes.y = labels_of(y if y.ndim == 2 else np.nan_to_num(y, nan=-1).astype(np.int64))
    stored = {name: nodes[name].numpy() for name in MASKS if nodes.get(name) is not None}
    for split, mask in splits_of(stored, nodes.y).items():
        nodes[f"{split}_mask"] = mask
    return data
