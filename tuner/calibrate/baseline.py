"""What a trial's process holds before it has seen its graph: libraries, and what their first step has left."""

from __future__ import annotations

import os

from planner.inspect.opened import profiled
from planner.pins import Pins
from planner.proposal import make_spec
from techniques.base import Slot
from techniques.facts import Facts, HardwareFacts, Task
from techniques.hardware.heap import give_back_freed
from tuner.calibrate.batches import TINY, graph_of
from tuner.memory import process_usage
from tuner.records import Limits, WorkRequest
from tuner.worker import warm_up


def measure_baseline(hardware: HardwareFacts) -> int:
    """Bytes of this process after the imports and the warm-up of a trial; to be called before anything else is measured."""
    import tuner.preload  # noqa: F401

    facts = Facts(graph=profiled(graph_of(*TINY), Task.NODE, None, False), hardware=hardware)
    spec = make_spec(facts, Pins({Slot.SAMPLING: "full_batch", Slot.HARDWARE: "cpu"}, {}), {})
    warm_up(WorkRequest(spec=spec, facts=facts, graph="", folder="", limits=Limits(host_bytes=2**30, seconds=1.0)))
    give_back_freed()
    usage = process_usage(os.getpid())
    assert usage is not None, "a process sees its own memory"
    return usage.held_bytes
