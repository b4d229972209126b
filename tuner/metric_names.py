"""Which metric training is judged by, and every metric as people write it."""

from __future__ import annotations

from techniques.facts import Facts, Task

NAMES = {
    "accuracy": "accuracy",
    "micro_f1": "micro-F1",
    "macro_f1": "macro-F1",
    "auroc": "AUROC",
    "average_precision": "AP",
    "mrr": "MRR",
    "r2": "R2",
    "mae": "MAE",
    "rmse": "RMSE",
}
DOMINATED = 0.75
"""A class that holds this share of the labels makes accuracy useless: always guessing it scores as much."""


def metric_of(facts: Facts) -> str:
    """The metric that training is judged by: a key of ``NAMES``.

    AUROC for links (Hamilton et al.; PyG's link examples) and for two classes of which one dominates (Platonov et al.,
    ICLR 2023), unless only one of them is there to validate on, and nothing to rank; R2 for targets: larger is better as for
    all others, it ranks models as RMSE does, and differences of it mean the same whatever the targets' unit; macro-F1 where
    one of several classes dominates; micro-F1 for several labels a node; else accuracy.
    """
    labels = facts.graph.labels
    if facts.task is Task.LINK:
        return "auroc"
    if labels.num_targets:
        return "r2"
    if labels.multi_label:
        return "micro_f1"
    if labels.majority_share is None or labels.majority_share < DOMINATED:
        return "accuracy"
    if labels.num_classes != 2:
        return "macro_f1"
    return "accuracy" if labels.val_classes == 1 else "auroc"
