"""The machine's lock and fingerprint."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from tuner.machine import hardware_fingerprint, machine_lock


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


def test_like_machines_have_one_fingerprint(make_machine: Any) -> None:
    assert hardware_fingerprint(make_machine()) == hardware_fingerprint(make_machine())
    assert "2 cores" in hardware_fingerprint(make_machine())
    assert "no GPU" in hardware_fingerprint(make_machine())
    prints = {hardware_fingerprint(one) for one in (make_machine(), make_machine(cores=4), make_machine(device=2**34))}
    assert len(prints) == 3
