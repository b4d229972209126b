"""Train on the host's cores."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict
from techniques.errors import OptionError
from techniques.facts import Facts
from techniques.forecast import Forecast
from techniques.job import Job, JobSpec, setting_int


@dataclass(frozen=True)
class UseThreads:
    """Set the number of compute threads before anything runs."""

    threads: int
    stage: Stage = Stage.SOURCE

    def forecast(self, so_far: Forecast) -> Forecast:
        return so_far

    def build(self, job: Job) -> Job:
        import torch

        torch.set_num_threads(self.threads)
        return replace(job, device=torch.device("cpu"))


@dataclass(frozen=True)
class StayOnHost:
    """Batches are where the model is already."""

    stage: Stage = Stage.TRANSFER

    def forecast(self, so_far: Forecast) -> Forecast:
        return so_far

    def build(self, job: Job) -> Job:
        return job if job.transfer else replace(job, transfer=lambda batch: batch)


class Cpu:
    """Slower than a GPU at training, but its memory is larger and it is always there (source, technique 1)."""

    __slots__ = ()
    slot = Slot.HARDWARE
    name = "cpu"
    text = "the host's cores: most memory, least speed"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        cores = facts.hardware.cores
        return (Knob(name="threads", text="compute threads", default=cores, low=1, high=cores, tuned=cores > 1),)

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        threads = setting_int(spec.settings, "threads")
        if threads < 1:
            raise OptionError(f"threads must be at least 1, got {threads}", "Write --set threads=1 or more")
        return (UseThreads(threads), StayOnHost())

    def recipe(self, spec: JobSpec) -> str:
        return f'torch.set_num_threads({spec.settings["threads"]})\ndevice = torch.device("cpu")'


CPU = Cpu()
