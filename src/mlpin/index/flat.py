"""Indexes that are a directory: find-links, pages of links, and simple indexes under `file:` URLs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.candidate import Artifact, Listing
from mlpin.errors import IndexUnavailable
from mlpin.index.names import FileName, read, version
from mlpin.index.page import Page
from mlpin.index.places import Place, shown
from mlpin.index.simple import parse_html
from mlpin.index.url import local_path

if TYPE_CHECKING:
    from mlpin.index.catalog import Catalog

Links = Mapping[str, Mapping[str, tuple[Artifact, ...]]]
"""Files by project and version."""


def links(catalog: Catalog, place: Place) -> Links:
    """Every distribution that a flat index lists. Raises `IndexUnavailable`."""
    if place.is_local and os.path.isdir(local_path(place.url)):
        return _grouped(_directory(Path(local_path(place.url)), place))
    if place.is_local:
        page = _local_html("", Path(local_path(place.url)), place, place.url)
    else:
        try:
            page = catalog.links(place)
        except IndexUnavailable as error:
            hint = error.hint or (f"it is configured in {place.origin}" if place.origin else None)
            raise IndexUnavailable(error.message, where=error.where or shown(place), hint=hint) from None
    return _grouped([file for files in page.values() for file in files])


def listing(name: str, place: Place, found: Links) -> Listing:
    """What the links say of one project."""
    versions = found.get(name)
    return Listing(name, place.url if versions else "", versions or {})


def local_page(name: str, place: Place) -> Page:
    """A project's page of a simple index on this machine: `NAME/index.html`, or the files in `NAME/`."""
    root = Path(local_path(place.url))
    if not root.is_dir():
        raise IndexUnavailable(
            "the index is a directory that does not exist",
            where=shown(place),
            hint=f"it is configured in {place.origin}",
        )
    folder = root / name
    if not folder.is_dir():
        return Page.absent(name)
    page = folder / "index.html"
    if page.is_file():
        return _local_html(name, page, place, f"{place.page(name)}index.html")
    grouped = _grouped(_directory(folder, place)).get(name, {})
    return _LocalPage(name, grouped)


class _LocalPage(Page):
    """A page made of the files of a directory."""

    __slots__ = ()

    def __init__(self, project: str, grouped: Mapping[str, tuple[Artifact, ...]]) -> None:
        super().__init__(project, "html", "", dict.fromkeys(grouped, (0, 0)), b"")
        self._decoded = dict(grouped)


def _local_html(name: str, path: Path, place: Place, url: str) -> Page:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise IndexUnavailable(
            f"cannot be read: {error.strerror}", where=shown(place), hint=f"it is configured in {place.origin}"
        ) from None
    return parse_html(name, body, url, flat=not name)


def _directory(folder: Path, place: Place) -> list[Artifact]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError as error:
        raise IndexUnavailable(f"cannot be read: {error.strerror}", where=shown(place)) from None
    found = []
    for name in names:
        stated = read(name)
        if isinstance(stated, FileName):
            found.append(Artifact(name, (folder / name).absolute().as_uri(), tags=stated.tags, build=stated.build))
    return found


def _grouped(files: list[Artifact]) -> Links:
    found: dict[str, dict[str, list[Artifact]]] = {}
    for file in files:
        stated = read(file.filename)
        if isinstance(stated, FileName):
            found.setdefault(stated.project, {}).setdefault(stated.version, []).append(file)
    return {
        name: {key: tuple(versions[key]) for key in sorted(versions, key=version, reverse=True)}
        for name, versions in found.items()
    }
