"""How much of the machine other work took meanwhile: a calibration is as good as the machine is idle."""

from __future__ import annotations

import time
from typing import NamedTuple


class Spent(NamedTuple):
    """Seconds so far: processor time of everything, processor time of this process, and of the clock."""

    all_seconds: float
    own_seconds: float
    clock_seconds: float

    @classmethod
    def so_far(cls) -> Spent:
        """As the operating system counts them; time that a hypervisor gave to others is everyone's."""
        import psutil

        times = psutil.cpu_times()._asdict()
        busy = sum(times.get(name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "steal"))
        return cls(busy, time.process_time(), time.perf_counter())


def others_share(before: Spent, after: Spent, cores: int) -> float:
    """Share of all cores' time that was not this process's, 0 to 1."""
    others = (after.all_seconds - before.all_seconds) - (after.own_seconds - before.own_seconds)
    return min(max(others / max(cores * (after.clock_seconds - before.clock_seconds), 1e-9), 0.0), 1.0)
