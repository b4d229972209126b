"""The calibration of this machine: where it is kept, and whether it still counts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from planner.inspect.fingerprint_machine import machine_fingerprint, packages
from techniques.errors import InputError
from techniques.facts import HardwareFacts
from techniques.hardware.calibration import SCHEMA_VERSION, Calibration

OLD_DAYS = 180
HOME, FILE = "GNNFIT_HOME", "calibration.json"


def gnnfit_home(environ: Mapping[str, str] = os.environ) -> Path:
    """``$GNNFIT_HOME``, or ``gnnfit`` in the user's cache (XDG base directory specification)."""
    if given := environ.get(HOME):
        return Path(given).expanduser()
    return Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "gnnfit"


def calibration_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where ``gnnfit calibrate`` saves."""
    return gnnfit_home(environ) / FILE


def calibrated(hardware: HardwareFacts, path: Path | None = None) -> HardwareFacts:
    """The machine at hand with its calibration, if there is one; a note says why one does not count, or is old."""
    path = path or calibration_path()
    if not path.is_file():
        return hardware
    try:
        found = read_calibration(path)
    except InputError as error:
        return _noted(hardware, f"calibration left out: {error}")
    if found.fingerprint != machine_fingerprint(hardware):
        return _noted(hardware, f"calibration left out: it is of {found.fingerprint}; gnnfit calibrate measures again")
    notes = hardware.notes + calibration_warnings(found)
    return hardware.model_copy(update={"calibration": found, "notes": notes})


def calibration_warnings(found: Calibration) -> tuple[str, ...]:
    """What has changed since."""
    notes = [found.disturbed] if found.disturbed else []
    now = packages()
    changed = [
        f"{name} {old} then, {now[name]} now" for name, old in found.packages.items() if now.get(name, old) != old
    ]
    if changed:
        notes.append(f"calibrated with other packages ({', '.join(changed)}): gnnfit calibrate measures again")
    if (days := age_days(found)) > OLD_DAYS:
        notes.append(f"calibrated {days} days ago: gnnfit calibrate measures again")
    return tuple(notes)


def age_days(found: Calibration) -> int:
    """Whole days since it was made."""
    from datetime import UTC, datetime

    return (datetime.now(UTC) - datetime.fromisoformat(found.date)).days


def read_calibration(path: Path) -> Calibration:
    """A saved calibration.

    Raises:
        InputError: not one, or of another version.
    """
    remedy = "gnnfit calibrate measures again"
    try:
        found = Calibration.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = str(error).splitlines()[0][:120]
        raise InputError(f"{path.name} is not a calibration of schema {SCHEMA_VERSION} ({why})", remedy) from None
    if found.schema_version != SCHEMA_VERSION or not found.rates:
        raise InputError(f"{path.name} must be of schema {SCHEMA_VERSION}, it has {found.schema_version}", remedy)
    return found


def _noted(hardware: HardwareFacts, note: str) -> HardwareFacts:
    return hardware.model_copy(update={"notes": (*hardware.notes, note)})
