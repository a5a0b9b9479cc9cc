"""What conda wrote down of a package when it installed it: a file of `conda-meta`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlpin.errors import InputError
from mlpin.requirement import normalise
from mlpin.stack import document
from mlpin.stack.folders import beginning

_LARGEST = 64 * 1024 * 1024
"""Bytes. It lists every file of the package; the longest that are known have a quarter of it."""
_INFO = ".dist-info"


class Info(NamedTuple):
    """The metadata of a distribution that a package carries: a `.dist-info` in site-packages."""

    metadata: str
    """The path of its METADATA, from the prefix."""
    installers: frozenset[str]
    """The sha256 that its INSTALLER may have; empty where nobody says."""

    @property
    def folder(self) -> str:
        """`numpy-1.26.4.dist-info`."""
        return self.metadata.split("/")[-2]

    @property
    def distribution(self) -> str:
        """Its name, normalised."""
        return normalise(self.folder.partition("-")[0])


class Origin(NamedTuple):
    """Which file a package was installed from, and what it carries; all is empty where nobody says."""

    filename: str = ""
    hashes: Mapping[str, str] = {}
    """`sha256`, `md5`, in lower case, as far as they are stated."""
    infos: tuple[Info, ...] = ()


def read(path: Path) -> Origin:
    """Where the package of a record came from."""
    try:
        data = document.json(beginning(path, _LARGEST), str(path))
    except (InputError, OSError):
        return Origin()
    if not isinstance(data, dict):
        return Origin()
    stated = {key: data.get(key) for key in ("fn", "sha256", "md5")}
    texts = {key: value for key, value in stated.items() if isinstance(value, str) and value}
    return Origin(texts.pop("fn", ""), {key: value.lower() for key, value in texts.items()}, tuple(_infos(data)))


def _infos(data: Mapping[str, Any]) -> Iterator[Info]:
    """Clients differ in where they say that a Python package of no platform has its files: its folder tells."""
    table = data.get("paths_data")
    hashes: dict[str, set[str]] = {}
    for one in _list(table.get("paths") if isinstance(table, dict) else None):
        if isinstance(one, dict) and (folder := _folder_of(one.get("_path"), "INSTALLER")):
            digests = (one.get(key) for key in ("sha256", "sha256_in_prefix"))
            hashes.setdefault(folder, set()).update(text.lower() for text in digests if isinstance(text, str) and text)
    for path in _list(data.get("files")):
        if folder := _folder_of(path, "METADATA"):
            yield Info(path, frozenset(hashes.get(folder, ())))


def _folder_of(path: object, name: str) -> str:
    """The `.dist-info` that a file of this name lies in; empty for any other path, and for what others bundle."""
    parts = path.split("/")[-3:] if isinstance(path, str) else []
    fits = len(parts) == 3 and (parts[0], parts[2]) == ("site-packages", name) and parts[1].endswith(_INFO)
    return parts[1] if fits else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
