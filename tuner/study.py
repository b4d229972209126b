"""The study in Optuna's own storage: who measures what, and what came of it; shared by processes and machines.

A trial is claimed by adding it as running, and told when it is measured. Of two processes that claim the same point the
one whose trial has the lower number keeps it: no locks but the storage's own.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
import uuid
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from techniques.errors import InputError
from techniques.job import JobSpec
from tuner.space import RATE, Point

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.trial import FrozenTrial, Trial

STUDY_NAME = "gnnfit"
KEY, OWNER, SPEC, LEVEL = "point", "owner", "spec", "level"
HARDWARE = "hardware"
STALE_SECONDS = 6 * 3600.0
"""A trial of another machine that runs for so long is given up: nobody can ask that machine whether it lives."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Study:
    """Trials of one run, by every process that works on it."""

    def __init__(self, storage: Path | str | None, name: str = STUDY_NAME) -> None:
        self.study = open_study(storage, name)
        self.owner = owner()

    def claim(self, purpose: str, point: Point, level: str) -> int | None:
        """The number of a trial that is this process's to measure; ``None`` where another has the same one."""
        from optuna.trial import TrialState, create_trial

        key, mark = point_key(purpose, point.spec, level), uuid.uuid4().hex
        params, distributions = parameters(point)
        attributes = {KEY: key, OWNER: self.owner, SPEC: point.spec.model_dump_json(), LEVEL: level, "claim": mark}
        self.study.add_trial(
            create_trial(state=TrialState.RUNNING, params=params, distributions=distributions, user_attrs=attributes)
        )
        same = [one for one in self._trials() if one.user_attrs.get(KEY) == key and one.state is not TrialState.FAIL]
        mine = next(one for one in same if one.user_attrs["claim"] == mark)
        if any(one.number < mine.number for one in same):
            self.study.tell(mine.number, state=TrialState.FAIL)
            return None
        return mine.number + 1

    def tell(self, number: int, score: float | None, attributes: Mapping[str, Any] | None = None) -> None:
        """Report a score (smaller is better); what is infeasible is pruned with a broken constraint, never failed.

        Args:
            attributes: kept beside the score: dashboards show them.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import Trial

        frozen = self.study.get_trials(deepcopy=False)[number - 1]
        if frozen.state.is_finished():
            return
        # Whoever joins may settle it in between; Optuna then warns of the constraint, and refuses the rest.
        with contextlib.suppress(UpdateFinishedTrialError), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            self._tell(Trial(self.study, frozen._trial_id), score, attributes or {})

    def _tell(self, running: Trial, score: float | None, attributes: Mapping[str, Any]) -> None:
        from optuna.trial import TrialState

        feasible = 0.0 if score is not None else 1.0
        running.set_constraint("feasible", feasible)
        for name, value in {"infeasible": feasible, **attributes}.items():
            running.set_user_attr(name, value)
        if score is None:
            self.study.tell(running, state=TrialState.PRUNED, skip_if_finished=True)
        else:
            self.study.tell(running, score, skip_if_finished=True)

    def running(self) -> list[FrozenTrial]:
        """Trials that are being measured now, by anyone who lives."""
        from optuna.trial import TrialState

        return [one for one in self._trials(TrialState.RUNNING) if not self._is_dead(one)]

    def busy(self, purpose: str) -> set[str]:
        """Keys of what somebody measures, or has measured."""
        from optuna.trial import TrialState

        keys = {one.user_attrs.get(KEY, "") for one in self._trials() if one.state is not TrialState.FAIL}
        return {key for key in keys if key.startswith(purpose)}

    @property
    def over(self) -> str | None:
        """Why the search is over, once any process has found that it is."""
        found = self.study.user_attrs.get("over")
        return None if found is None else str(found)

    def end(self, why: str) -> None:
        self.study.set_user_attr("over", why)

    def reclaim(self, scores: Mapping[int, float | None]) -> None:
        """Settle what dead processes left running: told if it was measured to its end, else given up.

        Args:
            scores: of finished trials by number, ``None`` for infeasible ones. What is given up is not known to the
                search and so will be measured again where it is still worth it. Nothing is being measured here now.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        for one in self._trials(TrialState.RUNNING):
            if one.number + 1 in scores:
                self.tell(one.number + 1, scores[one.number + 1])
            elif one.user_attrs.get(OWNER) == self.owner or self._is_dead(one):
                with contextlib.suppress(UpdateFinishedTrialError):
                    self.study.tell(one.number, state=TrialState.FAIL, skip_if_finished=True)

    def same_machine(self, hardware: str) -> None:
        """Remember the machine of the first process, and refuse all others that are not like it.

        Raises:
            InputError: with both fingerprints.
        """
        before = self.study.user_attrs.get(HARDWARE)
        if before is None:
            self.study.set_user_attr(HARDWARE, hardware)
        elif before != hardware:
            raise InputError(
                f"trials of one study must be timed on machines that are alike: {before} began it, this is {hardware}",
                "Start a run of its own on this machine",
            )

    def _trials(self, *states: Any) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states or None)

    def _is_dead(self, trial: FrozenTrial) -> bool:
        name = str(trial.user_attrs.get(OWNER, ""))
        if name == self.owner:
            return False
        machine, _, process = name.rpartition("/")
        if machine == self.owner.rpartition("/")[0]:
            return process != _process(int(process.split("-")[0]))
        assert trial.datetime_start is not None, "a running trial has been started"
        same_host = machine.split("/")[0] == self.owner.split("/")[0]
        age = (datetime.datetime.now() - trial.datetime_start).total_seconds()
        return same_host or age > STALE_SECONDS


def open_study(storage: Path | str | None, name: str = STUDY_NAME) -> OptunaStudy:
    """Make or load a study: a journal file, a database URL, or none to keep it in memory.

    With Optuna's own locks a journal is waited for, 30 s or for ever, after a kill while the lock is held.

    Raises:
        InputError: no such database.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    from tuner.journal import JournalLock

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept: Any = storage
    if isinstance(storage, Path):
        path = storage.resolve()
        lock: Any = JournalLock(path)
        kept = JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    sampler = optuna.samplers.RandomSampler(seed=0)  # points come from ``tuner.search``
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.create_study(study_name=name, storage=kept, sampler=sampler, load_if_exists=True)
    except Exception as error:
        if not isinstance(storage, str):
            raise
        raise InputError(
            f"--study must be a database that Optuna can open, got {masked(storage)} ({str(error).splitlines()[0][:120]})",
            "Write such as sqlite:////shared/study.db or postgresql://USER@HOST/NAME",
        ) from None


def parameters(point: Point) -> tuple[dict[str, Any], dict[str, Any]]:
    """A point as Optuna's parameters, so that its dashboard and plots work: the family and every number."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    training = point.spec.training
    values: dict[str, Any] = {RATE: training.learning_rate, "dropout": training.dropout}
    for name, value in point.spec.settings.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            values[name] = float(value)
    distributions: dict[str, Any] = {name: FloatDistribution(-1e12, 1e12) for name in values}
    # One categorical of all families would have to stay the same for the whole study.
    values[f"family {point.family}"] = True
    distributions[f"family {point.family}"] = CategoricalDistribution([True])
    return values, distributions


def point_key(purpose: str, spec: JobSpec, level: str) -> str:
    """The same for the same measurement."""
    from tuner.folder import fingerprint

    return f"{purpose}, {level}: {fingerprint(spec.model_dump(mode='json'))}"


def masked(url: str) -> str:
    """A database URL without its password."""
    head, at, tail = url.rpartition("@")
    scheme, colon, rest = head.partition("://")
    if not at or ":" not in rest:
        return url
    return f"{scheme}{colon}{rest.split(':')[0]}:***@{tail}"


def owner() -> str:
    """This process: host, boot and process, so that others on the machine can tell whether it still lives."""
    boot = BOOT_ID.read_text(encoding="ascii").strip()[:8] if BOOT_ID.is_file() else "boot"
    return f"{socket.gethostname().replace('/', '-')}/{boot}/{_process(os.getpid())}"


def _process(pid: int) -> str:
    """Number and birth of a process: numbers are used again. Empty where there is none."""
    import psutil

    try:
        return f"{pid}-{psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        return ""
