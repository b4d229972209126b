"""The user's model as facts."""

from __future__ import annotations

from techniques.architecture.hetero.typed import TYPED
from techniques.errors import OptionError
from techniques.facts import ModelFacts

ARCHITECTURES = ("gcn", "sage", "gat", "gatv2", "gin", "appnp", "sgc", "sign", *TYPED)
ALIASES = {"graphsage": "sage"}


def inspect_model(text: str | None, layers: int | None = None, hidden: int | None = None) -> ModelFacts:
    """Facts about a built-in architecture; ``None`` leaves a choice to the planner.

    Args:
        text: one of ``ARCHITECTURES``, or ``graphsage``, in any case.
        layers: message-passing layers.
        hidden: channels of the hidden layers.

    Raises:
        OptionError: unknown architecture, ``module:factory`` (``inspect_own_model`` is for that), or a count below 1.
    """
    for name, count in (("layers", layers), ("hidden", hidden)):
        if count is not None and count < 1:
            raise OptionError(
                f"{name} must be at least 1, got {count}", f"Leave --{name} out, or give a positive number"
            )
    architecture = None if text is None else _architecture(text)
    return ModelFacts(architecture=architecture, layers=layers, hidden=hidden)


def _architecture(text: str) -> str:
    known = ", ".join(ARCHITECTURES)
    if ":" in text:
        raise OptionError(
            f"a module of your own is looked at together with its graph, got {text!r} alone",
            "Give it to plan, measure or tune",
        )
    name = text.strip().lower()
    name = ALIASES.get(name, name)
    if name not in ARCHITECTURES:
        raise OptionError(f"model must be a known architecture, got {text!r}", f"{_suggestion(name)}Use one of {known}")
    return name


def _suggestion(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, (*ARCHITECTURES, *ALIASES), n=1)
    return f"Did you mean {close[0]!r}? " if close else ""
