"""The seven techniques of the source, one folder each, one file per option; ``techniques.listing`` lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from techniques.listing import OPTIONS, option, options

__all__ = ["OPTIONS", "option", "options"]


def __getattr__(name: str) -> Any:
    """Loaded on first use: facts and errors live behind this package and need no option."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from techniques import listing

    return getattr(listing, name)
