"""`exclude-newer`: the spellings that uv 0.13 accepts, and what is wrong with others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from mlpin.cutoff import cutoff, exclude_newer_value, is_relative
from mlpin.errors import InputError

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01T12:00:00Z", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("2026-11-01t12:00:00z", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("2026-11-01 12:00:00.123456789+02:00", datetime(2026, 11, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-01T12:00Z", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 2, tzinfo=UTC)),
        (" 2026-12-31 ", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2024-02-28", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_moment(text: str, moment: datetime) -> None:
    found = cutoff(text, NOW)
    assert found == moment
    assert found.utcoffset() == timedelta(0)
    assert not is_relative(text)
    assert exclude_newer_value(text) == text.strip()


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("7 days", timedelta(days=7)),
        ("7days", timedelta(days=7)),
        ("7d", timedelta(days=7)),
        ("1 day", timedelta(days=1)),
        ("2 weeks", timedelta(weeks=2)),
        ("2w", timedelta(weeks=2)),
        ("1 week 2 days", timedelta(days=9)),
        ("1 week, 2 days", timedelta(days=9)),
        ("24 hours", timedelta(hours=24)),
        ("90 Minutes", timedelta(minutes=90)),
        ("45s", timedelta(seconds=45)),
        ("7 days ago", timedelta(days=7)),
        ("-7 days", timedelta(days=7)),
        ("0 days", timedelta(0)),
        ("P7D", timedelta(days=7)),
        ("p1w", timedelta(weeks=1)),
        ("PT24H", timedelta(hours=24)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("-P3D", timedelta(days=3)),
    ],
)
def test_a_span(text: str, span: timedelta) -> None:
    assert is_relative(text)
    assert cutoff(text, NOW) == NOW - span
    assert exclude_newer_value(text) == text


def test_now_may_be_in_any_zone() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=9)))
    assert cutoff("1 day", east) == NOW - timedelta(days=1)
    assert cutoff("1 day", east).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("1 month", "`1 month` counts in months, which differ in length", "write 30 days"),
        ("2 years", "`2 years` counts in years, which differ in length", "write 730 days"),
        ("P1M", "`P1M` counts in months, which differ in length", "write 30 days"),
        ("P1Y2D", "`P1Y2D` counts in years, which differ in length", "write 365 days"),
        ("7 fortnights", "`7 fortnights` counts in `fortnights`, which is not a unit of time", None),
        ("2026-11-01T12:00:00", "`2026-11-01T12:00:00` has no time zone", "write 2026-11-01T12:00:00Z for UTC"),
        ("2026-02-30", "`2026-02-30` is not a date or time that exists", None),
        ("2026-11-01T25:00:00Z", "`2026-11-01T25:00:00Z` is not a date or time that exists", None),
        ("9999-12-31", "`9999-12-31` is not a date or time that exists", None),
        ("last week", "`last week` is not a moment or a span of time", None),
        ("", "`` is not a moment or a span of time", None),
        ("P", "`P` is not a moment or a span of time", None),
        ("P1DT", "`P1DT` is not a moment or a span of time", None),
        ("7", "`7` is not a moment or a span of time", None),
        ("\u0667 days", "`\u0667 days` is not a moment or a span of time", None),
        ("99999999999999 days", "`99999999999999 days` reaches back before the year 1", None),
    ],
)
def test_what_is_neither(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(InputError) as caught:
        exclude_newer_value(text)
    assert caught.value.message == message
    if hint:
        assert caught.value.hint == hint
    with pytest.raises(InputError):
        cutoff(text, NOW)


def test_a_span_that_reaches_too_far() -> None:
    with pytest.raises(InputError, match="before the year 1"):
        cutoff("9999999 days", NOW)
