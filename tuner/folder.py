"""A run's folder: everything a run knows is here, so that a killed run loses no finished trial."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from techniques.errors import InputError, RunLockedError
from techniques.record import Record
from tuner.records import SCHEMA_VERSION, Trial, TuneReport, Winner

Document = TypeVar("Document", bound=Record)

BEFORE_THE_SPEC = {"run.lock", "trials", "command.txt", "manifest.json", "manifest.json.part", "spec.toml.part"}
"""What a run may have written when it is killed before its spec.toml is there."""


class RunFolder:
    """Paths and records of one run.

    ``spec.toml  manifest.json  plan.json  source.txt  study.journal  events.jsonl  run.lock  graph/  trials/NNNN/  best.json
    command.txt  final/  final.next/  report.json  report.txt  report.html``
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser().resolve()
        self.plan, self.events, self.journal = (
            self.path / one for one in ("plan.json", "events.jsonl", "study.journal")
        )
        self.graph, self.trials_folder, self.final = (self.path / one for one in ("graph", "trials", "final"))
        self.next_final, self.source = self.path / "final.next", self.path / "source.txt"
        self.lock = self.path / "run.lock"
        self.report, self.best = self.path / "report.json", self.path / "best.json"

    @staticmethod
    def existing(path: Path | str) -> RunFolder:
        """A folder that a run has been started in.

        Raises:
            InputError: no such run.
        """
        folder = RunFolder(path)
        if not (folder.path / "spec.toml").is_file():
            if folder.lock.is_file() and folder.plan.is_file():
                raise InputError(
                    f"{path} holds a training without a search, by a plan alone: its model and figures are in {path}/final",
                    f"Go on with gnnfit run GRAPH --out {path}, or tune",
                )
            raise InputError(
                f"a run folder holds a spec.toml, {path} does not", "Start a run with gnnfit tune GRAPH --out RUN"
            )
        return folder

    def start(self, spec: dict[str, Any], command: str, resume: bool) -> None:
        """Write what was asked for, or check that a resumed run was asked for the same.

        Raises:
            InputError: the folder holds a run and ``resume`` is not set, or the other run's spec differs.
        """
        file = self.path / "spec.toml"
        if file.is_file():
            before = tomllib.loads(file.read_text(encoding="utf-8"))
            if not resume:
                raise InputError(f"{self.path} holds a run already", "Add --resume, or choose another --out")
            if before != spec:
                told = f"{fingerprint(before)} before, {fingerprint(spec)} now"
                changed = ", ".join(name for name in sorted({*before, *spec}) if before.get(name) != spec.get(name))
                raise InputError(
                    f"a resumed run must be the same run: {changed} changed ({told})", "Choose another --out"
                )
            self.mend()
            return
        self.trials_folder.mkdir(parents=True, exist_ok=True)
        (self.path / "command.txt").write_text(command + "\n", encoding="utf-8")
        write_json(self.path / "manifest.json", manifest())
        write_text(file, toml_text(spec))

    def asked(self) -> dict[str, Any]:
        """What the run was started with."""
        return tomllib.loads((self.path / "spec.toml").read_text(encoding="utf-8"))

    def mend(self) -> None:
        """Clear away what a killed tuner left half done; only for who holds the run.

        A process that has joined may write meanwhile: folders come and go, and it writes again what is swept away here.
        """
        for folder, _, files in os.walk(self.path):
            for name in files:
                if name.endswith(".part"):
                    Path(folder, name).unlink(missing_ok=True)
        for one in self.path.glob(".*.partial"):
            shutil.rmtree(one, ignore_errors=True) if one.is_dir() else one.unlink(missing_ok=True)

    def refuse_foreign(self) -> None:
        """Leave alone a folder, or a file, that is not ours.

        Raises:
            InputError: it holds other files.
        """
        if (self.path / "spec.toml").is_file() or not self.path.exists():
            return
        held = {one.name for one in self.path.iterdir()} if self.path.is_dir() else {self.path.name}
        if held - BEFORE_THE_SPEC:
            raise InputError(f"--out must be a new or empty folder, {self.path} holds files", "Choose another --out")

    @contextlib.contextmanager
    def begun(self) -> Iterator[None]:
        """Hold the run and begin it: where there was none before and the body fails, nothing stays behind.

        Raises:
            RunLockedError: another process works on it.
        """
        made = [one for one in (self.path, *self.path.parents) if not one.exists()]
        was_empty = bool(made) or not any(self.path.iterdir())
        with self.locked():
            try:
                yield
            except BaseException:
                if was_empty and not self.plan.is_file():
                    for one in list(self.path.iterdir()):
                        shutil.rmtree(one) if one.is_dir() else one.unlink()
                    for one in made:
                        one.rmdir()
                raise

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process.

        Raises:
            RunLockedError: another process works on it.
        """
        import fcntl

        self.path.mkdir(parents=True, exist_ok=True)
        with self.lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunLockedError(
                    f"another process works on {self.path}", "Wait for it, or choose another --out"
                ) from None
            yield

    def finished_trials(self) -> list[Trial]:
        """Every trial that was measured to its end, in order."""
        files = sorted(self.trials_folder.glob("*/trial.json"))
        return [_read(Trial, file) for file in files]

    def trials_since(self, seen: set[str]) -> list[Trial]:
        """Finished trials whose folders are not in ``seen`` yet; adds them."""
        files = sorted(self.trials_folder.glob("*/trial.json"))
        new = [file for file in files if file.parent.name not in seen]
        seen.update(file.parent.name for file in new)
        return [_read(Trial, file) for file in new]

    def new_trial_folder(self, number: int) -> Path:
        """An empty folder; what an interrupted trial left there is removed."""
        folder = self.trials_folder / f"{number:04d}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def keep_trial(self, trial: Trial) -> None:
        """Write a finished trial in one step."""
        write_text(self.trials_folder / f"{trial.number:04d}" / "trial.json", trial.model_dump_json(indent=1))

    def winner(self) -> Winner:
        """What the run has chosen.

        Raises:
            InputError: it has not chosen yet.
        """
        if not self.best.is_file():
            raise InputError(f"{self.path} has no winner yet", "Finish the run with gnnfit tune --resume first")
        return _read(Winner, self.best)

    def finished_report(self) -> TuneReport:
        """The report of a finished run.

        Raises:
            InputError: the run has not finished.
        """
        if not self.report.is_file():
            raise InputError(f"{self.path} has no report yet", "Finish the run with gnnfit tune --resume first")
        return _read(TuneReport, self.report)


def _read(kind: type[Document], file: Path) -> Document:
    """A record of ours.

    Raises:
        InputError: damaged, or of another version.
    """
    try:
        return kind.model_validate_json(file.read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        raise InputError(
            f"{file} must be a whole {kind.__name__} record of schema {SCHEMA_VERSION}, got {str(error).splitlines()[0]}",
            "Restore it, or tune again with another --out",
        ) from None


def write_json(file: Path, document: Any) -> None:
    """Write JSON in one step."""
    write_text(file, json.dumps(document, indent=1, sort_keys=True))


def toml_text(document: dict[str, Any]) -> str:
    """Flat values and one level of tables."""
    plain = [f"{name} = {_toml(value)}" for name, value in document.items() if not isinstance(value, dict)]
    for name, table in document.items():
        if isinstance(table, dict):
            plain += ["", f"[{name}]", *(f"{_toml(key)} = {_toml(value)}" for key, value in table.items())]
    return "\n".join(plain)


def _toml(value: Any) -> str:
    """JSON's strings, numbers, booleans and arrays are TOML's, but for surrogate pairs and DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def write_text(file: Path, text: str) -> None:
    """Readers see the old file or the new one, even after a power cut."""
    temporary = file.with_name(file.name + ".part")
    try:
        _write_whole(temporary, text)
        try:
            temporary.replace(file)
        except FileNotFoundError:  # swept away by who has just resumed the run that this process helps
            _write_whole(temporary, text)
            temporary.replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _write_whole(file: Path, text: str) -> None:
    with file.open("w", encoding="utf-8") as out:
        out.write(text if text.endswith("\n") else text + "\n")
        out.flush()
        os.fsync(out.fileno())


def fingerprint(document: Any) -> str:
    """Twelve characters that differ when the document does."""
    return hashlib.blake2b(json.dumps(document, sort_keys=True).encode(), digest_size=6).hexdigest()


def manifest() -> dict[str, Any]:
    """What the run was made with."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    packages = ("gnnfit", "torch", "torch_geometric", "numpy", "numba", "optuna", "pydantic")
    versions = {}
    for name in packages:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {"python": platform.python_version(), "platform": platform.platform(), "packages": versions}


def default_folder(graph_name: str) -> Path:
    """``gnnfit-runs/NAME-YYYYMMDD-HHMMSS`` below the current folder."""
    safe = "".join(one if one.isalnum() or one in "-_.@" else "-" for one in graph_name)
    return Path("gnnfit-runs") / f"{safe}-{time.strftime('%Y%m%d-%H%M%S')}"
