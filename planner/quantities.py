"""Counts, bytes and seconds as people type and read them.

Imports nothing but the standard library: the command line parses its flags with this before anything else.
"""

from __future__ import annotations

import re

from techniques.errors import OptionError

MAX_COUNT = 10**15
MAX_BYTES = 10**18
MAX_SECONDS = 10**9

_NUMBER = re.compile(r"([0-9][0-9_]{0,39})(?:\.([0-9]{1,20}))?(?:e\+?([0-9]{1,2}))?\s*([a-z]{0,4})", re.IGNORECASE)
_DURATION = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*([a-z]{0,3})\s*", re.IGNORECASE)

_COUNT_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}
_BYTE_UNITS = {"": 1, "b": 1}
_BYTE_UNITS |= {letter: 1000**power for power, letter in enumerate("kmgt", start=1)}
_BYTE_UNITS |= {f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)}
_BYTE_UNITS |= {f"{letter}i{end}": 1024**power for power, letter in enumerate("kmgt", start=1) for end in ("", "b")}
_SECOND_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def parse_count(text: str, name: str = "count") -> int:
    """Read a positive whole number such as ``2.4M``, ``61.9M``, ``1_000`` or ``3e6``.

    Args:
        text: what the user typed; suffixes k, M, G and B (billion) in either case.
        name: the flag, for the message.

    Raises:
        OptionError: not a whole number from 1 to 10^15.
    """
    value = _whole(text, _COUNT_UNITS)
    if value is None or not 1 <= value <= MAX_COUNT:
        raise OptionError(
            f"{name} must be a whole number from 1 to {MAX_COUNT:,}, got {_shown(text)}",
            "Write it like 2400000, 2_400_000, 2.4M or 61.9M",
        )
    return value


def parse_bytes(text: str, name: str = "size") -> int:
    """Read a size such as ``13GiB`` (1024-based), ``16GB`` or ``16G`` (1000-based), or a plain number of bytes.

    Raises:
        OptionError: not a size from 1 byte to 10^18 bytes.
    """
    value = _whole(text, _BYTE_UNITS)
    if value is None or not 1 <= value <= MAX_BYTES:
        raise OptionError(
            f"{name} must be a size from 1 byte to {MAX_BYTES:,} bytes, got {_shown(text)}",
            "Write it like 13GiB, 16GB or 500MB",
        )
    return value


def parse_seconds(text: str, name: str = "time") -> float:
    """Read a duration in seconds: ``300``, ``90s``, ``10m``, ``2h``, ``1h30m``.

    Raises:
        OptionError: not a duration above 0 and up to 10^9 seconds.
    """
    value = _duration(text.strip())
    if value is None or not 0 < value <= MAX_SECONDS:
        raise OptionError(
            f"{name} must be a time above 0 and at most {MAX_SECONDS:,} seconds, got {_shown(text)}",
            "Write it like 300, 90s, 10m, 2h or 1h30m",
        )
    return value


def format_bytes(num_bytes: float) -> str:
    """Three significant digits: ``1.29 GiB``, ``276 MiB``, ``12 B``."""
    value = float(num_bytes)
    for unit in ("B", "KiB", "MiB"):
        if abs(value) < 999.5:
            return f"{value:.0f} B" if unit == "B" else f"{_three_digits(value)} {unit}"
        value /= 1024
    return f"{_three_digits(value)} GiB"


def format_seconds(seconds: float) -> str:
    """``350 ms``, ``12.3 s``, ``4 min 5 s``, ``2 h 10 min``."""
    if seconds < 0.9995:
        return f"{_three_digits(seconds * 1000)} ms"
    if seconds < 99.95:
        return f"{_three_digits(seconds)} s"
    if round(seconds) < 3600:
        return _two_units(round(seconds), 60, "min", "s")
    return _two_units(round(seconds / 60), 60, "h", "min")


def format_count(count: float) -> str:
    """``2,708`` below ten thousand, then ``10.6 k``, ``2.4 M``, ``1.62 G``."""
    if count < 10_000:
        return f"{count:,.0f}"
    for unit, factor in (("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if count < 999.5 * factor or unit == "G":
            break
    digits = _three_digits(count / factor)
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits} {unit}"


def _whole(text: str, units: dict[str, int]) -> int | None:
    """Exact integer arithmetic, so that 2.3M is 2,300,000 and 0.5 is refused rather than rounded."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    whole, fraction, exponent, unit = match.groups(default="")
    factor = units.get(unit.lower())
    if factor is None:
        return None
    digits = int((whole + fraction).replace("_", "") or "0")
    value, rest = divmod(digits * factor * 10 ** int(exponent or 0), 10 ** len(fraction))
    # A size may be any number of GiB; the part of a byte that is left over is dropped.
    return value if rest == 0 or (units is _BYTE_UNITS and factor > 1) else None


def _duration(text: str) -> float | None:
    parts = _DURATION.findall(text)
    if not parts or "".join(match.group() for match in _DURATION.finditer(text)) != text:
        return None
    if len(parts) == 1 and parts[0][1] == "":
        return float(parts[0][0])
    factors = [_SECOND_UNITS.get(unit.lower()) for _, unit in parts]
    known = [factor for factor in factors if factor is not None]
    if len(known) < len(factors) or known != sorted(set(known), reverse=True):
        return None
    return float(sum(float(number) * factor for (number, _), factor in zip(parts, known, strict=True)))


def _two_units(whole: int, base: int, large: str, small: str) -> str:
    high, low = divmod(whole, base)
    return f"{high:,} {large} {low} {small}" if low else f"{high:,} {large}"


def _three_digits(value: float) -> str:
    """At least three significant digits, without an exponent."""
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 9.995 else f"{value:.2f}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
