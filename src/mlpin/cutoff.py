"""Moments before which a file must have been uploaded (`exclude-newer`).

Knows the spellings: a timestamp (RFC 3339), a date, a span of time back from now ("7 days", "P7D"),
all as uv reads them, except that a date is one of UTC and not of the machine. Does not know what time
it is: the caller says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlpin.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

DISABLED = "false"
"""In `exclude-newer-package`: no cut-off for this package."""

HINT = "a timestamp like 2026-11-01T12:00:00Z, a date like 2026-11-01, or a span like 7 days"

_DATE = re.compile(r"(?a)\d{4}-\d{2}-\d{2}")
_TIMESTAMP = re.compile(r"(?a)(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|z|[+-]\d{2}(?::?\d{2})?)?")
_UNITS = {
    "weeks": ("weeks", "week", "wks", "wk", "w"),
    "days": ("days", "day", "d"),
    "hours": ("hours", "hour", "hrs", "hr", "h"),
    "minutes": ("minutes", "minute", "mins", "min", "m"),
    "seconds": ("seconds", "second", "secs", "sec", "s"),
}
_BY_NAME = {name: unit for unit, names in _UNITS.items() for name in names}
_LONG_UNITS = re.compile(r"(?ai)(\d+)\s*(?:(years?|yrs?|y)|(?:months?|mos?))\b")
_PIECE = re.compile(r"([0-9]+)\s*([a-z]+)\s*,?\s*")
_SPAN = re.compile(rf"[+-]?\s*(?:{_PIECE.pattern})+(?:ago)?")
_ISO = re.compile(r"(?a)[+-]?p(?:(\d+)w)?(?:(\d+)d)?(?:t(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?)?")
_ISO_LONG = re.compile(r"(?a)[+-]?p(?:\d+w|\d+d)*(\d+)([ym])")


def is_relative(text: str) -> bool:
    """Whether `text`, a valid value, is a span back from now."""
    return _moment(text.strip()) is None


def exclude_newer_value(text: str) -> str:
    """`text` without blanks around it, if it is a moment or a span; else `InputError`."""
    text = text.strip()
    if _moment(text) is None:
        _span(text)
    return text


def cutoff(text: str, now: datetime) -> datetime:
    """The moment that `text` names, in UTC; files uploaded at that moment or later are left out.

    A date means the end of that day, which is the midnight that follows it. A span is counted back
    from `now`, which must know its time zone. Raises `InputError` where `text` is neither.
    """
    from datetime import UTC

    text = text.strip()
    moment = _moment(text)
    if moment is not None:
        return moment
    try:
        return now.astimezone(UTC) - _span(text)
    except OverflowError:
        raise _wrong(text, "reaches back before the year 1") from None


def _wrong(text: str, why: str, hint: str = HINT) -> InputError:
    return InputError(f"`{text}` {why}", hint=hint)


def _moment(text: str) -> datetime | None:
    """The moment of a date or timestamp; None where `text` looks like neither."""
    from datetime import UTC, datetime, timedelta

    found = _TIMESTAMP.fullmatch(text)
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)
        if found is None:
            return None
        if found[3] is None:
            raise _wrong(text, "has no time zone", f"write {text}Z for UTC")
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3].upper()}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong(text, "is not a date or time that exists") from None


def _span(text: str) -> timedelta:
    from datetime import timedelta

    lowered = text.lower()
    long = _LONG_UNITS.search(lowered)
    iso_long = _ISO_LONG.match(lowered)
    if long or iso_long:
        number, years = (long[1], long[2]) if long else (iso_long[1], iso_long[2] == "y") if iso_long else ("", "")
        days = int(number[:9]) * (365 if years else 30)
        raise _wrong(text, f"counts in {'years' if years else 'months'}, which differ in length", f"write {days} days")
    counts = dict.fromkeys(_UNITS, 0)
    iso = _ISO.fullmatch(lowered)
    if iso and any(iso.groups()) and not lowered.endswith("t"):
        counts = {unit: int(number or 0) for unit, number in zip(_UNITS, iso.groups(), strict=True)}
    elif _SPAN.fullmatch(lowered):
        pieces = _PIECE.findall(lowered.removesuffix("ago"))
        for number, name in pieces:
            if name not in _BY_NAME:
                raise _wrong(text, f"counts in `{name}`, which is not a unit of time")
            counts[_BY_NAME[name]] += int(number)
    else:
        raise _wrong(text, "is not a moment or a span of time")
    try:
        return timedelta(**counts)
    except OverflowError:
        raise _wrong(text, "reaches back before the year 1") from None
