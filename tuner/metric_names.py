"""Quality metrics by key, as people write them."""

from __future__ import annotations

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
