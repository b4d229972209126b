"""Machines and data sets that people name, each figure with its source."""

from __future__ import annotations

from planner.catalog.datasets import DatasetEntry, dataset, dataset_names
from planner.catalog.machines import find_gpu, machine, machine_names

__all__ = ["DatasetEntry", "dataset", "dataset_names", "find_gpu", "machine", "machine_names"]
