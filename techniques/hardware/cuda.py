"""Train on one NVIDIA GPU; the host holds the graph and prepares batches."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict, refuse
from techniques.errors import OptionError
from techniques.facts import FLOAT_BYTES, Facts
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.hardware.rates import GPU_STEP_SECONDS, UNKNOWN_LINK
from techniques.job import Job, JobSpec

CONTEXT_BYTES = Range(0.3e9, 0.45e9, 0.7e9)
"""CUDA context and kernels (0.3 GB with lazy loading, PyTorch issue 107667; 0.55 GiB, stas00/ml-engineering)."""
HOST_RUNTIME_BYTES = Range(0.1e9, 0.3e9, 0.8e9)
"""Host side of the CUDA runtime above the imports; not measured by us yet."""


@dataclass(frozen=True)
class UseDevice:
    """Choose the first GPU."""

    stage: Stage = Stage.SOURCE

    def forecast(self, so_far: Forecast) -> Forecast:
        so_far = so_far.hold(Phase.LOAD, Place.DEVICE, "context", CONTEXT_BYTES)
        return so_far.hold(Phase.LOAD, Place.HOST, "CUDA runtime", HOST_RUNTIME_BYTES)

    def build(self, job: Job) -> Job:
        import torch

        if not torch.cuda.is_available():
            raise OptionError("hardware cuda needs a GPU that torch can use, it sees none", "Use --fix hardware=cpu")
        return replace(job, device=torch.device("cuda", 0))


@dataclass(frozen=True)
class MoveBatches:
    """Copy every batch to the GPU; a whole graph is copied once."""

    once: bool
    stage: Stage = Stage.TRANSFER

    def forecast(self, so_far: Forecast) -> Forecast:
        assert so_far.largest_shape is not None
        graph = so_far.facts.graph
        features = FLOAT_BYTES * graph.features.width * so_far.largest_shape.input_nodes
        unique = so_far.largest_shape.layers[:1] if self.once else so_far.largest_shape.layers
        edges = sum(so_far.block_bytes(layer) for layer in unique)
        batch = Range.within(features + edges, 0.05 if self.once else 0.2)
        so_far = so_far.hold(Phase.TRAIN, Place.DEVICE, "batch", batch * (1 if self.once else 2))
        if so_far.loader is not None and not self.once:
            so_far = so_far.changed(loader=replace(so_far.loader, device_bytes=batch * 2))
        gpus = so_far.facts.hardware.gpus
        link = (gpus[0].host_link_bytes_per_second if gpus else None) or UNKNOWN_LINK
        copies = 0 if self.once else so_far.steps_per_epoch
        seconds = copies * (features + edges) / (0.6 * link) + GPU_STEP_SECONDS * so_far.steps_per_epoch
        return so_far.spend(Phase.TRAIN, Range.factor(seconds, 2))

    def build(self, job: Job) -> Job:
        device = job.need("device")
        return job if job.transfer else replace(job, transfer=lambda batch: batch.to(device))


class Cuda:
    """Best fit for training: massively parallel, with less memory than the host (source, technique 1)."""

    __slots__ = ()
    slot = Slot.HARDWARE
    name = "cuda"
    text = "one NVIDIA GPU: fastest training, least memory"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        if not facts.hardware.gpus:
            note = next((note for note in facts.hardware.notes if note.startswith("no GPU")), "no GPU")
            return refuse("GPUs", 0, "cuda needs an NVIDIA GPU", "source, technique 1", note)
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return ()

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        return (UseDevice(), MoveBatches(once=spec.options[Slot.SAMPLING] == "full_batch"))

    def recipe(self, spec: JobSpec) -> str:
        return 'device = torch.device("cuda")'


CUDA = Cuda()
