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
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        return None


@cache
def _range(text: str) -> SpecifierSet:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(text)


@cache
def within(text: str, found: Version) -> bool:
    """Whether a version is in a range; the empty range has every version."""
    return not text or _range(text).contains(found, prereleases=True)


def same_release(one: Version, other: Version) -> bool:
    """Whether two versions have the same numeric parts, trailing zeros aside."""
    left, right = list(one.release), list(other.release)
    while len(left) > len(right) and left[-1] == 0:
        left.pop()
    while len(right) > len(left) and right[-1] == 0:
        right.pop()
    return left == right
