"""How a field of a MatchSpec names text: outright, as a glob (`cuda*`), or as a regular expression (`^cuda.*$`).

Patterns come from an index too, so none may take long: globs are searched piece by piece, and regular
expressions run on rattler's engine, held to what it matches in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from mlpin.errors import InputError

LONGEST_REGEX = 200
"""Characters. conda has no limit; the longest that are seen in channels have some 30."""

_SLOW = re.compile(r"\(\?(?!:)|\\[0-9kKgG]|[*+?}]\+")
"""Look-around, inline flags, back-references, possessive repeats: rattler's engine would have to backtrack for them."""


class Remembered(dict[str, bool]):
    """Whether it takes a text, asked as `remembered[text]`; each answer is worked out once."""

    __slots__ = ("_takes",)

    def __init__(self, takes: Callable[[str], bool]) -> None:
        self._takes = takes

    def __missing__(self, text: str) -> bool:
        self[text] = answer = self._takes(text)
        return answer


def is_plain(pattern: str) -> bool:
    """Whether it names one text outright."""
    return "*" not in pattern and not (pattern.startswith("^") and pattern.endswith("$"))


@cache
def pattern(text: str) -> Remembered:
    """What takes the texts that `text` stands for. Raises `InputError` for a regular expression it cannot use."""
    if text.startswith("^") and text.endswith("$"):
        return Remembered(_regex(text))
    return Remembered(glob(text) if "*" in text else text.__eq__)


def glob(text: str) -> Callable[[str], bool]:
    """A test for a glob with `*` in it, over the whole of a text."""
    first, *middle, last = text.split("*")
    middle = [piece for piece in middle if piece]
    shortest = len(first) + len(last)

    def matches(subject: str) -> bool:
        if len(subject) < shortest or not (subject.startswith(first) and subject.endswith(last)):
            return False
        place, end = len(first), len(subject) - len(last)
        for piece in middle:
            place = subject.find(piece, place, end)
            if place < 0:
                return False
            place += len(piece)
        return True

    return matches


def _regex(text: str) -> Callable[[str], bool]:
    from rattler import BuildString, PackageRecord
    from rattler import MatchSpec as Parsed
    from rattler.exceptions import InvalidMatchSpecError

    if len(text) > LONGEST_REGEX:
        raise InputError(f"its regular expression is longer than {LONGEST_REGEX} characters")
    if _SLOW.search(text) or "'" in text or '"' in text:
        raise InputError("its regular expression has look-around, back-references or quotes, which mlpin does not read")
    try:
        # rattler opens its engine in the build of a MatchSpec only
        expression = Parsed(f"any[build='{text}']")
    except InvalidMatchSpecError:
        raise InputError(f"`{text}` is not a regular expression") from None
    if expression.build != text:
        raise InputError(f"`{text}` is not a regular expression that mlpin can read")

    def matches(subject: str) -> bool:
        build = BuildString.new_unchecked(subject)
        return expression.matches(PackageRecord(name="any", version="0", build=build, build_number=0, subdir="noarch"))

    return matches
