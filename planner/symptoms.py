"""What people see when training goes wrong."""

from __future__ import annotations

from enum import StrEnum


class Symptom(StrEnum):
    """Names for the command line."""

    OOM_TRAIN = "oom-train"
    OOM_EVALUATE = "oom-evaluate"
    OOM_LOAD = "oom-load"
    SLOW_EPOCH = "slow-epoch"
    GPU_IDLE = "gpu-idle"
    NO_CONVERGENCE = "no-convergence"
    GROWTH = "growth"


SYMPTOM_TEXTS = {
    Symptom.OOM_TRAIN: "out of memory in training",
    Symptom.OOM_EVALUATE: "out of memory in evaluation",
    Symptom.OOM_LOAD: "out of memory while loading",
    Symptom.SLOW_EPOCH: "an epoch takes too long",
    Symptom.GPU_IDLE: "the GPU is idle",
    Symptom.NO_CONVERGENCE: "training does not converge",
    Symptom.GROWTH: "the data grows",
}
