"""Wheels, source archives and conda packages by the places where a lock says that they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from mlpin.fields import Fields
from mlpin.target import parse_platform

_SUBDIRS = {
    "linux-64": "linux-x86_64",
    "linux-aarch64": "linux-aarch64",
    "osx-64": "macos-x86_64",
    "osx-arm64": "macos-arm64",
    "win-64": "windows-amd64",
}
_CONDA_SUFFIXES = (".conda", ".tar.bz2")


def file_name(place: str) -> str:
    """The name of the file at a URL or path."""
    name = re.split(r"[?#]", place, maxsplit=1)[0].replace("\\", "/").rpartition("/")[2]
    if "%" in name:
        from urllib.parse import unquote

        return unquote(name)
    return name


def file_names(tables: Iterable[Fields], *keys: str) -> tuple[str, ...]:
    """The names of files, each from the first of `keys` that its table has."""
    places = (next(filter(None, map(table.string, keys)), "") for table in tables)
    return tuple(filter(None, map(file_name, places)))


def version_in(name: str, package: str) -> str:
    """The version that the name of a wheel or source archive of `package` states; empty where it states none."""
    from mlpin.index import names
    from mlpin.requirement import normalise

    found = names.read(name, normalise(package))
    return "" if isinstance(found, str) else found.version


class CondaFile(NamedTuple):
    """What the name of a conda package states."""

    name: str
    version: str
    build: str


def conda_file(name: str) -> CondaFile | None:
    """`name-version-build`, with or without its suffix; None where it is none."""
    for suffix in _CONDA_SUFFIXES:
        name = name.removesuffix(suffix)
    parts = name.rsplit("-", 2)
    return CondaFile(*parts) if len(parts) == 3 and all(parts) else None


def subdir_in(url: str) -> str:
    """The platform's folder of a channel that a URL leads to (`linux-64`, `noarch`)."""
    folder, _, _ = re.split(r"[?#]", url, maxsplit=1)[0].rpartition("/")
    return folder.rpartition("/")[2]


def platform_of(subdirs: Iterable[str]) -> str:
    """Mlpin's name for the one platform among conda's; empty where there is none or more than one."""
    known = {_SUBDIRS[subdir] for subdir in subdirs if subdir in _SUBDIRS}
    return known.pop() if len(known) == 1 else ""


def subdir_of(platform: str) -> str:
    """Conda's name for a platform of mlpin's."""
    kind = parse_platform(platform).kind
    return next(subdir for subdir, name in _SUBDIRS.items() if name == kind)
