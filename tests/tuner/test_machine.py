"""The machine's lock and fingerprint."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tuner.machine import machine_lock


def test_timed_trials_of_two_tuners_take_turns(tmp_path: Path) -> None:
    file, order = tmp_path / "lock", list[str]()

    def other() -> None:
        with machine_lock(10.0, file) as held:
            order.append(f"other {held}")

    with machine_lock(1.0, file) as held:
        assert held
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "other True"]


def test_who_has_no_time_to_wait_goes_on_without(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with machine_lock(1.0, file), machine_lock(0.05, file) as held:
        assert not held


def test_the_lock_of_another_user_can_be_held(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    file.touch()
    file.chmod(0o444)
    with machine_lock(0.1, file) as held:
        assert held
