"""A run's winner as one script of plain PyG: trains the same model with the same settings, without gnnfit."""

from __future__ import annotations

from tuner.export.run import export_run

__all__ = ["export_run"]
