"""Every error gnnfit raises on purpose: a rule, the value that broke it, and a remedy."""

from __future__ import annotations

from errno import EDQUOT, ENOSPC

FULL_DISK = (ENOSPC, EDQUOT)
"""What the system says where a disk, or a share of it, is full."""


class GnnfitError(Exception):
    """Base of all errors that gnnfit raises on purpose.

    Args:
        problem: the rule and the value that broke it, as one sentence without a full stop.
        remedy: what the user can do about it, as one sentence without a full stop.
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}."


class InputError(GnnfitError, ValueError):
    """Something the user gave cannot be used."""

    exit_code = 2


class GraphError(InputError):
    """The graph given is missing, damaged or makes no sense."""


class OptionError(InputError):
    """An unknown option, knob, machine or value, or two that exclude each other."""


class UnsupportedTaskError(InputError):
    """The task is known but cannot be trained yet."""


class NothingFitsError(GnnfitError):
    """No candidate fits the memory at hand."""

    exit_code = 3


class NoTrialSucceededError(GnnfitError):
    """The search ended without one measured candidate."""

    exit_code = 4


class MissingDependencyError(GnnfitError):
    """A package is needed that is not installed."""

    exit_code = 5


class RunLockedError(GnnfitError):
    """Another process works on this run folder."""

    exit_code = 75


class TrialFailedError(GnnfitError):
    """A measurement that had to succeed did not."""


class DiskFullError(GnnfitError):
    """There is no room left to write to."""
