"""What happens: measures the plan's candidates, keeps the best and runs it."""

from __future__ import annotations

from tuner.api import measure, run, tune

__all__ = ["measure", "run", "tune"]
