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
    spare = so_far.facts.hardware.cores - (speed.threads if host else 1)
    seconds = epoch_seconds(
        computing, so_far.making_seconds, so_far.steps_per_epoch, so_far.facts.hardware.cores, spare, so_far.made_ahead
    )
    if so_far.loader is not None:
        waited = Range.factor(max(seconds - computing, 0.0), factor * speed.time_factor)
        so_far = so_far.changed(loader=replace(so_far.loader, wait_seconds=waited))
    return so_far.spend(Phase.TRAIN, Range.factor(seconds, factor * speed.time_factor))


def epoch_seconds(computing: float, making: float, steps: int, cores: int, spare: int, ahead: bool) -> float:
    """Wall clock of an epoch whose steps take ``computing`` seconds in all, and its batches ``making`` of one core.

    Batches made ahead hide behind the steps, but for the first one. Where no core is to spare, the thread that makes
    them takes its turns from those that compute.
    """
    if not ahead or steps < 2:
        return computing + making
    step, batch = computing / steps, making / steps
    slowed = step if spare >= 1 else step + batch / max(cores, 1)
    return batch + (steps - 1) * max(batch, slowed) + step
