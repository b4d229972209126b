"""The training loop: epochs, validation, the stopping rule, checkpoints."""

from __future__ import annotations

import math
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from techniques.architecture.loss import loss_of, soft_loss
from techniques.forecast import Phase
from techniques.hardware.heap import give_back_freed
from tuner.accumulation import Steps
from tuner.checkpoint import write_atomically
from tuner.environment import environment
from tuner.folder import write_json
from tuner.judge import judge
from tuner.metric_names import NAMES
from tuner.metrics import EpochShapes, epoch_shapes, flops, thop_macs
from tuner.records import (
    MAX_EPOCHS_BETWEEN_EVALUATIONS,
    Evaluation,
    Measurement,
    PhaseMeasurement,
    TrialState,
    WorkRequest,
)
from tuner.training_state import Progress, resumed, save

if TYPE_CHECKING:
    from techniques.job import Job
    from tuner.reporter import Reporter

CHECKPOINT = "checkpoint.pt"


def train(job: Job, request: WorkRequest, reporter: Reporter) -> Measurement:
    """Train until the stopping rule, the target, the epochs or the time is up.

    The rule: stop after ``patience_evaluations`` without a better validation metric; convergence is the wall clock
    from the first epoch until the rule holds, and the best weights are kept.
    """
    loop = _Loop(job, request, reporter)
    reason = loop.run()
    return loop.measurement(reason)


def train_epoch(job: Job, deadline: float = math.inf, shapes: EpochShapes | None = None) -> tuple[float, bool]:
    """One pass over the training nodes: the mean loss, and whether it was finished before the deadline.

    ``deadline`` is a value of ``time.perf_counter``; at least one step is taken. ``shapes`` is told every batch.
    """
    model = job.need("model")
    steps = Steps(model, job.need("optimizer"), job.spec.training.accumulate_batches)
    model.train()
    total, count, late, finished = 0.0, 0, False, True
    squared = job.targets is not None
    for batch in job.moved_batches():
        if late:
            finished = False
            break
        if not batch.y.size(0):
            continue  # a subgraph without training nodes teaches nothing
        if shapes is not None:
            shapes.add(batch)
        if job.soft_labels:
            loss = soft_loss(model.logits(batch), batch.y, batch.loss_weight)
        else:
            loss = loss_of(model.logits(batch), batch.y, batch.loss_weight, squared=squared)
        steps.add(loss, batch.y.size(0))
        total, count = total + float(loss.detach()) * batch.y.size(0), count + batch.y.size(0)
        late = time.perf_counter() > deadline
    steps.finish()
    return total / max(count, 1), finished


def evaluation_interval(share: float) -> int:
    """Epochs between evaluations, where one takes ``share`` times as long as an epoch: no more time for them than for
    training."""
    return min(max(1, math.ceil(share)), MAX_EPOCHS_BETWEEN_EVALUATIONS)


class _Loop:
    def __init__(self, job: Job, request: WorkRequest, reporter: Reporter) -> None:
        self.job, self.request, self.reporter = job, request, reporter
        self.model, self.judge = job.need("model"), judge(job)
        self.metric_name = NAMES[self.judge.metric]
        self.checkpoint = Path(request.folder) / CHECKPOINT
        self.progress = (
            resumed(job, self.checkpoint) if request.checkpoint and self.checkpoint.is_file() else Progress()
        )
        self.started = time.perf_counter() - self.progress.elapsed_seconds
        self.session_started = time.perf_counter()
        self.session_train_seconds = self.last_round_seconds = 0.0
        if self.progress.best_state is None:
            # There from the first step on: a trial of one epoch peaks as the run does.
            self.progress.best_state = {name: one.detach().clone() for name, one in self.model.state_dict().items()}
        self.shapes: EpochShapes | None = None

    def run(self) -> str:
        """Why training stopped."""
        reason = self._stop_reason()
        while reason is None:
            begun = time.perf_counter()
            self._epoch()
            if self.progress.epoch % self.progress.every == 0 or self.progress.epoch == self._max_epochs:
                self._evaluate()
            if self.request.checkpoint:
                save(self.progress, self.job, self.checkpoint)
            self.last_round_seconds = time.perf_counter() - begun
            reason = self._stop_reason()
        if not self.progress.history or self.progress.history[-1].epoch != self.progress.epoch:
            self._evaluate()
        return reason

    @property
    def _max_epochs(self) -> int:
        return self.request.limits.epochs or self.job.spec.training.max_epochs

    def _epoch(self) -> None:
        self.reporter.enter(Phase.TRAIN)
        start = time.perf_counter()
        shapes = epoch_shapes(self.job)
        self.progress.loss, finished = train_epoch(self.job, self.session_started + self.request.limits.seconds, shapes)
        if torch.cuda.is_available() and self.job.need("device").type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        self.progress.epoch += 1
        self.progress.train_seconds += seconds
        self.session_train_seconds += seconds
        if finished:
            self.shapes = shapes
            self.progress.epoch_seconds.append(seconds)
        if not math.isfinite(self.progress.loss):
            raise FloatingPointError(
                f"the loss became {self.progress.loss} in epoch {self.progress.epoch}: lower the learning rate"
            )

    def _enter(self, phase: Phase) -> None:
        """Change phase on a heap that has been given back: judging must not stand on top of what training has freed."""
        give_back_freed()
        self.reporter.enter(phase)

    def _evaluate(self) -> None:
        self._enter(Phase.EVALUATE)
        start = time.perf_counter()
        scores = self.judge.scores("val")
        metric = scores.get(self.judge.metric, 0.0)
        progress = self.progress
        if not math.isfinite(metric):
            raise FloatingPointError(
                f"the validation {self.metric_name} became {metric} in epoch {progress.epoch}: lower the learning rate"
            )
        if progress.epoch == 1:
            share = (time.perf_counter() - start) / max(progress.train_seconds, 1e-9)
            progress.every = self.request.evaluate_every or evaluation_interval(share)
        progress.elapsed_seconds = time.perf_counter() - self.started
        progress.history.append(
            Evaluation(epoch=progress.epoch, seconds=progress.elapsed_seconds, loss=progress.loss, metric=metric)
        )
        progress.stale += 1
        if metric > progress.best_metric:
            progress.best_metric, progress.best_epoch, progress.stale = metric, progress.epoch, 0
            progress.best_scores = scores
            assert progress.best_state is not None
            for name, value in self.model.state_dict().items():
                progress.best_state[name].copy_(value)
        target = self.request.limits.target
        if target is not None and progress.target_seconds is None and metric >= target:
            progress.target_seconds = progress.elapsed_seconds
        self.reporter.send(
            "epoch",
            epoch=progress.epoch,
            seconds=progress.elapsed_seconds,
            loss=progress.loss,
            metric=metric,
            best=progress.best_metric,
        )

    def _stop_reason(self) -> str | None:
        progress = self.progress
        if progress.target_seconds is not None and self.request.limits.target is not None:
            return "target"
        race, evaluated = self.request.limits.race, progress.history and progress.history[-1].epoch == progress.epoch
        if race is not None and evaluated and race.lost(progress.history):
            return "race"
        if progress.stale >= self.job.spec.training.patience_evaluations:
            return "patience"
        if progress.epoch >= self._max_epochs:
            return "epochs"
        ahead = self.last_round_seconds if self.request.save else 0.0  # another round would end behind the limit
        if progress.epoch and time.perf_counter() - self.session_started + ahead >= self.request.limits.seconds:
            return "time"  # after one epoch at least, or there would be nothing to show
        return None

    def measurement(self, reason: str) -> Measurement:
        """The record of a finished loop."""
        progress = self.progress
        device_peak = _device_peak_bytes(self.job.need("device"))
        if self.reporter.phase is not None:
            self.reporter.enter(self.reporter.phase)  # books the seconds of the phase that is running
            self._enter(Phase.TRAIN)  # what is counted is a batch as training makes them
        counted = flops(self.job, self.shapes) if self.shapes else None
        patience = self.job.spec.training.patience_evaluations
        measured = Measurement(
            state=TrialState.COMPLETE,
            reason=f"stopped by {reason}",
            peak_device_bytes=device_peak,
            epoch_seconds=_typical_seconds(progress.epoch_seconds),
            flops_per_epoch=counted and counted.gemm + counted.aggregation,
            gemm_flops_per_epoch=counted and counted.gemm,
            aggregation_flops_per_epoch=counted and counted.aggregation,
            thop_macs_forward=thop_macs(self.job),
            convergence_seconds=progress.elapsed_seconds if reason == "patience" else None,
            stopping_rule=f"{patience} evaluations without a better validation {self.metric_name}, evaluating every "
            f"{progress.every} epochs",
            target_seconds=progress.target_seconds,
            epochs=progress.epoch,
            wait_share=self.job.wait_seconds() / max(self.session_train_seconds, 1e-9),
            sample_seconds=self.job.wait_seconds(),
            transfer_seconds=self.job.transfer_seconds,
            metric_name=self.metric_name,
            metric=progress.best_metric,
            validation=progress.best_scores,
            phases={
                phase: PhaseMeasurement(
                    host_peak_bytes=0, device_peak_bytes=None if device_peak else 0, seconds=seconds
                )
                for phase, seconds in self.reporter.seconds.items()
            },
            history=tuple(progress.history),
        )
        return self._with_results(measured) if self.request.save else measured

    def _with_results(self, measured: Measurement) -> Measurement:
        """Test metrics of the best weights; model and predictions are written beside them."""
        assert self.progress.best_state is not None
        self.model.load_state_dict(self.progress.best_state)
        folder = Path(self.request.folder)
        state = {
            "state_dict": {name: value.cpu() for name, value in self.model.state_dict().items()},
            "spec": self.job.spec.model_dump_json(),
        }
        write_atomically(folder / "model.pt", state, lasting=True)
        self._enter(Phase.EVALUATE)
        self.judge.settle()
        write_atomically(folder / "predictions.pt", self.judge.predictions(), lasting=True)
        made_with = environment(self.job.spec.training.seed, str(self.job.need("device")))
        write_json(folder / "environment.json", made_with)
        scores = self.judge.scores("test")
        return measured.model_copy(
            update={
                "test": scores,
                "test_metric": scores.get(self.judge.metric),
                "test_macro_f1": scores.get("macro_f1"),
            }
        )


def _typical_seconds(epoch_seconds: list[float]) -> float | None:
    """Mean of the later half of the epochs, the first never among them but where it is the only one; ``None`` where not one was finished.

    What a process has not touched before is slow to get: in a virtual machine whose host takes free memory back, the first second or
    two of training take two to three times as long as any later one. And there every second epoch may meet the next time that the host
    does so: a median would leave out what training pays for (``techniques/hardware/reclaim.py``).
    """
    later = epoch_seconds[(len(epoch_seconds) + 1) // 2 :] or epoch_seconds
    return statistics.fmean(later) if later else None


def _device_peak_bytes(device: torch.device) -> int:
    """Reserved by torch's allocator, and the context that the driver counts besides."""
    if device.type != "cuda":
        return 0
    free, total = torch.cuda.mem_get_info(device)
    context = max(total - free - torch.cuda.memory_reserved(device), 0)
    return int(torch.cuda.max_memory_reserved(device)) + int(context)
