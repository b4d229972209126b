"""A job put together from the parts of its options: as numbers, and as live objects."""

from __future__ import annotations

from collections.abc import Callable

from techniques import option
from techniques.base import Part, Slot, Stage
from techniques.coarsening.sizes import trained_facts
from techniques.facts import Facts
from techniques.forecast import Forecast
from techniques.hardware.rates import rates
from techniques.hardware.reclaim import refilled
from techniques.job import Job, JobSpec
from techniques.step_shape import Draw

COARSE_STAGES = (Stage.SEEDS, Stage.BATCH, Stage.TRANSFER, Stage.STEP)
"""Stages that work on the coarse graph where there is one."""


def compose(spec: JobSpec, facts: Facts) -> tuple[Part, ...]:
    """Gather the parts of a spec's options in order of execution.

    Where the graph is coarsened, what trains is told of the coarse graph, and what reads, prepares and evaluates of the
    graph itself.
    """
    trained = trained_facts(facts, spec)
    parts: list[Part] = []
    for slot, name in spec.options.items():
        here = option(slot, name).parts(facts, spec)
        if trained is not facts and slot is not Slot.COARSENING:
            there = option(slot, name).parts(trained, spec)
            here = tuple(part for part in here if part.stage not in COARSE_STAGES)
            here += tuple(part for part in there if part.stage in COARSE_STAGES)
        parts += here
    return tuple(sorted(parts, key=lambda part: part.stage))


def same_job(one: JobSpec, other: JobSpec, facts: Facts, parts: tuple[Part, ...] | None = None) -> bool:
    """Whether two specs run alike: what changes nothing, such as the width of hidden layers where there is none, does not reach
    the parts; dropout reaches them where it is used. ``parts`` are those of ``other``, where they are known."""
    same_dropout = one.training.model_copy(update={"dropout": other.training.dropout})
    alike = one.training == other.training or same_dropout == other.training
    return alike and compose(one, facts) == (compose(other, facts) if parts is None else parts)


def forecast(spec: JobSpec, facts: Facts, draw: Draw | None = None) -> Forecast:
    """Walk the parts with numbers."""
    so_far = Forecast(facts=facts, draw=draw)
    for part in compose(spec, facts):
        so_far = part.forecast(so_far)
    return so_far if facts.hardware.calibration is None else refilled(so_far, rates(facts, spec))


def build(job: Job, announce: Callable[[Part], None] = lambda part: None) -> Job:
    """Walk the same parts with live objects; ``announce`` is told each part before it is built."""
    for part in compose(job.spec, job.facts):
        announce(part)
        job = part.build(job)
    return job
