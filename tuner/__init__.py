"""What happens: measures the plan's candidates, keeps the best and runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.api import join, measure, run, tune

__all__ = ["join", "measure", "run", "tune"]


def __getattr__(name: str) -> Any:
    """Loaded on first use: ``gnnfit plan`` lives behind this package and must not pay for numpy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tuner import api

    return getattr(api, name)
