"""Versions and ranges as the matrix compares them: parsed once, pre-releases judged by their place alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

# Imported when first used: a run that changes nothing compares nothing.


@cache
def version(text: str) -> Version | None:
    """The version that `text` is, None where it is none."""
    from packaging.version import Version

    try:
        return Version(text)
    except ValueError:  # InvalidVersion is one; Python refuses numbers of thousands of digits with another
        return None


@cache
def _range(text: str) -> SpecifierSet:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(text)


@cache
def within(text: str, found: Version) -> bool:
    """Whether a version is in a range; the empty range has every version."""
    return not text or _range(text).contains(found, prereleases=True)


@cache
def stated_within(text: str, found: Version) -> bool | None:
    """Whether what was stated of a machine is in a range; None where that hangs on a part that was not stated.

    Driver 525.60 may be 525.60.13: nobody knows whether it is `>=525.60.13`, but it is `>=525.60` and `>=525.50.7`.
    """
    from packaging.version import Version

    stated = found.release
    finer = [
        Version(one.version.removesuffix(".*"))
        for one in (_range(text) if text else ())
        if one.operator != "===" and one.version.removesuffix(".*").count(".") >= len(stated)
    ]
    finer = [one for one in finer if one.release[: len(stated)] == stated]
    last = Version(".".join(map(str, (*stated, 1 << 30)))) if finer else found
    held = {within(text, one) for one in (found, *finer, last)}
    return held.pop() if len(held) == 1 else None


def same_release(one: Version, other: Version) -> bool:
    """Whether two versions have the same numeric parts, trailing zeros aside."""
    left, right = list(one.release), list(other.release)
    while len(left) > len(right) and left[-1] == 0:
        left.pop()
    while len(right) > len(left) and right[-1] == 0:
        right.pop()
    return left == right
