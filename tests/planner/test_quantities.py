"""Counts, sizes and durations as typed and as printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.quantities import (
    MAX_COUNT,
    format_bytes,
    format_count,
    format_seconds,
    parse_bytes,
    parse_count,
    parse_seconds,
)
from techniques.errors import OptionError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2.4M", 2_400_000),
        ("61.9m", 61_900_000),
        ("2.3M", 2_300_000),
        ("1_000", 1000),
        (" 5 k ", 5000),
        ("1.6G", 1_600_000_000),
        ("2B", 2_000_000_000),
        ("3e6", 3_000_000),
        ("1.0", 1),
        ("1e15", MAX_COUNT),
    ],
)
def test_counts(text: str, value: int) -> None:
    assert parse_count(text) == value


@pytest.mark.parametrize(
    "text", ["", "-5", "0", "0k", "1e99", "1e16", "nan", "inf", "abc", "2.4", "1e-3", "1M2", "٣", "1,5", "9" * 5000]
)
def test_not_a_count(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_count(text, "--nodes")
    assert "--nodes must be a whole number" in caught.value.problem
    assert "2.4M" in caught.value.remedy
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("13GiB", 13 * 2**30),
        ("16GB", 16_000_000_000),
        ("16 G", 16_000_000_000),
        ("500mb", 500_000_000),
        ("1Ki", 1024),
        ("123", 123),
        ("1.38GB", 1_380_000_000),
        ("0.3GiB", 322_122_547),
    ],
)
def test_sizes(text: str, value: int) -> None:
    assert parse_bytes(text) == value


@pytest.mark.parametrize("text", ["", "0", "0GB", "-1GB", "1.5", "GiB", "1PB", "1e18GB", "nan"])
def test_not_a_size(text: str) -> None:
    with pytest.raises(OptionError, match="--host-memory must be a size"):
        parse_bytes(text, "--host-memory")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10m", 600),
        ("90s", 90),
        ("2h", 7200),
        ("300", 300),
        ("0.5", 0.5),
        ("1h30m", 5400),
        ("1d", 86400),
        ("5min", 300),
    ],
)
def test_durations(text: str, value: float) -> None:
    assert parse_seconds(text) == value


@pytest.mark.parametrize("text", ["", "0", "0m", "-1", "nan", "5x", "30m1h", "10 20", "m", "1h h", "9" * 19])
def test_not_a_duration(text: str) -> None:
    with pytest.raises(OptionError, match="--budget must be a time"):
        parse_seconds(text, "--budget")


@given(st.integers(1, MAX_COUNT))
def test_plain_counts_are_exact(count: int) -> None:
    assert parse_count(str(count)) == parse_count(f"{count:_}") == count


@given(st.integers(1, 10**6), st.sampled_from([("k", 10**3), ("M", 10**6), ("G", 10**9)]))
def test_suffixes_are_exact(milli: int, unit: tuple[str, int]) -> None:
    suffix, factor = unit
    assert parse_count(f"{milli // 1000}.{milli % 1000:03}{suffix}") == milli * factor // 1000


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_an_option_error(text: str) -> None:
    for parse in (parse_count, parse_bytes, parse_seconds):
        try:
            assert parse(text) > 0
        except OptionError as error:
            assert repr(text) in error.problem or len(text) > 40


@given(st.integers(10_000, 10**15))
def test_printed_counts_read_back_within_half_a_per_cent(count: int) -> None:
    assert abs(parse_count(format_count(count).replace(",", "")) - count) <= count * 0.006


@given(st.integers(1024, 10**17))
def test_printed_sizes_read_back_within_half_a_per_cent(size: int) -> None:
    assert abs(parse_bytes(format_bytes(size).replace(",", "")) - size) <= size * 0.006


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1.00 KiB"), (276 * 2**20, "276 MiB"), (int(13.6 * 2**30), "13.6 GiB")]
)
def test_printed_sizes(size: int, text: str) -> None:
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.35, "350 ms"),
        (12.3, "12.3 s"),
        (99.99, "1 min 40 s"),
        (245, "4 min 5 s"),
        (3599.7, "1 h"),
        (7800, "2 h 10 min"),
    ],
)
def test_printed_seconds(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(2708, "2,708"), (10556, "10.6 k"), (2_400_000, "2.4 M"), (10**9, "1 G")])
def test_printed_counts(count: int, text: str) -> None:
    assert format_count(count) == text
