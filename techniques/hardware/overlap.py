"""Steps and the making of batches, side by side: what an epoch takes of either."""

from __future__ import annotations

from dataclasses import replace

from techniques.forecast import Forecast, Phase, Place, Range
from techniques.hardware.rates import Rates


def spend_steps(so_far: Forecast, speed: Rates, step_seconds: float, factor: float = 1.0) -> Forecast:
    """An epoch of full steps of ``step_seconds``, and the batches that a thread makes for them.

    ``factor`` widens the range beyond that of the rates.
    """
    host = speed.place is Place.HOST
    computing = step_seconds * so_far.full_steps_per_epoch + (
        speed.step_seconds * so_far.steps_per_epoch if host else 0.0
    )
    seconds = epoch_seconds(
        computing, so_far.making_seconds, so_far.steps_per_epoch, making_share(so_far, speed), so_far.made_ahead
    )
    if so_far.made_ahead and (found := so_far.facts.hardware.calibration) is not None:
        seconds += found.epoch_start_seconds
    if so_far.loader is not None:
        waited = Range.factor(max(seconds - computing, 0.0), factor * speed.time_factor)
        so_far = so_far.changed(loader=replace(so_far.loader, wait_seconds=waited))
    spent = Range.factor(seconds, factor * speed.time_factor)
    if host and so_far.made_ahead and spare_cores(so_far, speed) == 1:
        # Whatever else the machine does takes the one core that is to spare, and a batch takes its turn with the steps: epochs of
        # GraphSAGE and GAT on amazon_computers, a thread, took 6.5 and 4.5 ms a step alone, 9.7 and 6.7 beside other work.
        in_turn = factor * speed.time_factor * (computing + so_far.making_seconds)
        spent = Range(spent.low, spent.expected, max(spent.high, in_turn))
    return so_far.spend(Phase.TRAIN, spent)


def spare_cores(so_far: Forecast, speed: Rates) -> int:
    """Cores that no step computes on."""
    return so_far.facts.hardware.cores - (speed.threads if speed.place is Place.HOST else 1)


def making_share(so_far: Forecast, speed: Rates) -> float:
    """By which share of the seconds of making a batch a step beside it is slowed: none where a core is to spare, else what was
    measured, or one turn in as many as there are cores."""
    hardware = so_far.facts.hardware
    if spare_cores(so_far, speed) >= 1:
        return 0.0
    measured = hardware.calibration.making_shares if hardware.calibration else {}
    kind = "csr" if so_far.fused or so_far.dense else "coo"
    return measured.get(kind, 1.0 / max(hardware.cores, 1))


def epoch_seconds(computing: float, making: float, steps: int, share: float, ahead: bool) -> float:
    """Wall clock of an epoch whose steps take ``computing`` seconds in all, and its batches ``making`` of one core.

    Batches made ahead hide behind the steps, but for the first one; steps are slowed by ``share`` of what a batch takes.
    """
    if not ahead or steps < 2:
        return computing + making
    step, batch = computing / steps, making / steps
    return batch + (steps - 1) * max(batch, step + share * batch) + step


def share_from(seconds: float, computing: float, making: float, steps: int) -> float:
    """The share with which ``epoch_seconds`` says ``seconds``, where steps take longer than batches."""
    return ((seconds - computing) * steps / making - 1.0) / (steps - 1)
