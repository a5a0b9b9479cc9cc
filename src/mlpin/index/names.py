"""File names of distributions: which project, version and tags they state (PEP 427, PEP 625).

Names from an index are hostile input: what follows no specification is refused with a reason, and
nothing in here touches a file system.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

from packaging.version import Version

from mlpin.requirement import normalise

SDIST_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz")
_TAG_SET = re.compile(r"[A-Za-z0-9_.]+-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+")
_BUILD = re.compile(r"[0-9][A-Za-z0-9_.]*")


class FileName(NamedTuple):
    """What a file name states. `version` is normalised text; `tags` is empty for a source archive."""

    project: str
    version: str
    tags: str = ""
    build: str = ""


@cache
def _parsed(text: str) -> Version | None:
    try:
        return Version(text)
    except ValueError:
        return None


@cache
def normalised_version(text: str) -> str | None:
    """The version as PEP 440 writes it, or None where it is none."""
    found = _parsed(text)
    return None if found is None else str(found)


def version(text: str) -> Version:
    """The parsed version of a text that is one; one object per text."""
    found = _parsed(text)
    if found is None:
        raise ValueError(f"`{text}` is not a version (PEP 440)")
    return found


@cache
def _are_tags(text: str) -> bool:
    return _TAG_SET.fullmatch(text) is not None


_normalised = lru_cache(maxsize=None)(normalise)


def read(filename: str, project: str = "") -> FileName | str:
    """What a file name states, or why it cannot be used.

    `project` is the normalised name that the page is about: source archives need it, since their
    names can be split in several ways, and a file of another project is refused.
    """
    if filename.endswith(".whl"):
        return _wheel(filename, project)
    for suffix in SDIST_SUFFIXES:
        if filename.endswith(suffix):
            return _sdist(filename[: -len(suffix)], project)
    return "neither a wheel nor a source archive"


def _wheel(filename: str, project: str) -> FileName | str:
    parts = filename[:-4].split("-")
    if len(parts) not in {5, 6} or (len(parts) == 6 and not _BUILD.fullmatch(parts[2])):
        return "not the name of a wheel (PEP 427)"
    name = _normalised(parts[0])
    if project and name != project:
        return f"a file of another project, {name}"
    stated = normalised_version(parts[1].replace("_", "+") if "+" not in parts[1] else parts[1])
    if stated is None:
        return f"`{parts[1]}` is not a version (PEP 440)"
    tags = f"{parts[-3]}-{parts[-2]}-{parts[-1]}"
    if not _are_tags(tags):
        return "its tags are not those of a wheel (PEP 425)"
    return FileName(name, stated, tags, parts[2] if len(parts) == 6 else "")


def _sdist(stem: str, project: str) -> FileName | str:
    cut = stem.rfind("-")
    if project and _normalised(stem[:cut]) != project:
        for match in re.finditer("-", stem):
            if normalise(stem[: match.start()]) == project:
                cut = match.start()
                break
        else:
            return f"not a file of {project}"
    if cut < 1:
        return "not the name of a source archive (PEP 625)"
    stated = normalised_version(stem[cut + 1 :])
    if stated is None:
        return f"`{stem[cut + 1 :]}` is not a version (PEP 440)"
    return FileName(normalise(stem[:cut]), stated)
