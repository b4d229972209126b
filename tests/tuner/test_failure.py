"""Exceptions and exit statuses as trial states."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from tuner.failure import failure_of, state_of
from tuner.records import TrialState


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("std::bad_alloc"),
        OSError("[Errno 12] Cannot allocate memory"),
    ],
)
def test_out_of_memory_in_all_its_words(error: BaseException) -> None:
    state, reason = state_of(error)
    assert state is TrialState.OUT_OF_MEMORY
    assert type(error).__name__ in reason


def test_what_torch_and_numpy_really_raise() -> None:
    with pytest.raises(RuntimeError) as torch_error:
        torch.empty(2**60)
    with pytest.raises(MemoryError) as numpy_error:
        np.empty(2**58)
    assert state_of(torch_error.value)[0] is TrialState.OUT_OF_MEMORY
    assert state_of(numpy_error.value)[0] is TrialState.OUT_OF_MEMORY


def test_any_other_exception_failed_with_its_first_line() -> None:
    state, reason = state_of(ValueError("bad\nsecond line"))
    assert (state, reason) == (TrialState.FAILED, "ValueError: bad")


def test_exit_statuses(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("first\nthe last words\n")
    assert failure_of(-signal.SIGKILL, log)[0] is TrialState.KILLED
    state, reason = failure_of(-signal.SIGSEGV, log)
    assert state is TrialState.FAILED
    assert "SIGSEGV" in reason
    state, reason = failure_of(3, log)
    assert state is TrialState.FAILED
    assert "status 3" in reason
    assert "the last words" in reason
    assert failure_of(-40, log)[0] is TrialState.FAILED, "real-time signals have no name"
    assert "printed nothing" in failure_of(1, tmp_path / "absent")[1]
    assert str(log) in failure_of(-signal.SIGBUS, log)[1]
    assert "see" not in failure_of(-signal.SIGBUS, tmp_path / "absent")[1], "no log: nothing to look at"


def test_only_faults_of_the_program_are_not_infeasible() -> None:
    infeasible = {state for state in TrialState if state.infeasible}
    assert infeasible == {TrialState.OUT_OF_MEMORY, TrialState.TIMED_OUT, TrialState.KILLED}
