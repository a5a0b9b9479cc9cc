"""`[tool.uv.sources]`: where uv is told to take a package from.

A source that is an index becomes an `IndexPin`, and the requirement stays as it is. Any other source
is put on the requirement; where it holds only for a marker, a second requirement without the source
stands for the rest, as in uv.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest import links, pep508
from mlpin.manifest.model import Context
from mlpin.manifest.toml_lines import Step, TomlFile
from mlpin.requirement import Declared, Origin, PathSource, Source, VcsSource, normalise
from mlpin.settings import IndexPin

_KINDS = ("index", "git", "url", "path", "workspace")
_DEPTH = 50


class _Entry(NamedTuple):
    source: Source
    hashes: tuple[str, ...]
    marker: str
    extra: str
    group: str
    origin: Origin


class Sources:
    """The table of one file. `pins` are its indexes; `lowered` puts its other sources on requirements."""

    def __init__(self, file: TomlFile, table: Fields, project: str, context: Context) -> None:
        self.file = file
        self.project = project
        self.context = context
        self.base = file.path.parent
        self.pins: dict[str, tuple[IndexPin, ...]] = {}
        self.inputs: list[Path] = []
        self._entries: dict[str, tuple[_Entry, ...]] = {}
        for key in table:
            name = normalise(key)
            listed = isinstance(table.data[key], list)
            entries = table.tables(key) if listed else [table.table(key)]
            for position, fields in enumerate(entries):
                steps: tuple[Step, ...] = (*table.path, key, position) if listed else (*table.path, key)
                self._entry(name, fields, steps)
        self._inherit()

    def _inherit(self) -> None:
        """Takes the sources of the workspace that this is a member of, where it says none of its own, as uv does."""
        try:
            root = next(self._roots(), None)
            if root is None or root[0] == self.base.absolute() or self.base.absolute() not in _members(*root):
                return
            file = TomlFile.read(root[0] / "pyproject.toml", self.context)
            above = Sources(file, file.fields.table("tool").table("uv").table("sources"), "", self.context)
        except InputError:
            return  # a file above that this project does not name
        own = {*self._entries, *self.pins}
        self._entries |= {name: entries for name, entries in above._entries.items() if name not in own}
        self.inputs.append(file.path)

    def _entry(self, name: str, fields: Fields, steps: tuple[Step, ...]) -> None:
        origin = self.file.origin(steps)
        kinds = [kind for kind in _KINDS if kind in fields]
        if len(kinds) != 1:
            said = ", ".join(f"`{kind}`" for kind in kinds) or "none"
            raise InputError(
                f"the source of `{name}` must have one of {', '.join(_KINDS)}; it has {said}", where=origin.place
            )
        marker = pep508.marker(fields.string("marker") or "", origin)
        extra, group = (normalise(fields.string(key) or "") for key in ("extra", "group"))
        if kinds == ["index"]:
            pin = IndexPin(fields.string("index") or "", marker, extra, group)
            self.pins[name] = (*self.pins.get(name, ()), pin)
            return
        try:
            source, hashes = self._source(name, kinds[0], fields, steps)
        except ValueError as error:
            raise InputError(f"the source of `{name}` cannot be used: {error}", where=origin.place) from None
        if source is None:
            return
        entry = _Entry(source, hashes, marker, extra, group, origin)
        self._entries[name] = (*self._entries.get(name, ()), entry)

    def _source(
        self, name: str, kind: str, fields: Fields, steps: tuple[Step, ...]
    ) -> tuple[Source | None, tuple[str, ...]]:
        value = fields.string(kind) or "" if kind != "workspace" else ""
        subdirectory = (fields.string("subdirectory") or "").strip("/")
        if kind == "git":
            revisions = [key for key in ("rev", "tag", "branch") if key in fields]
            if len(revisions) > 1:
                raise ValueError(f"it has more than one of `{'`, `'.join(revisions)}`")
            found = links.link(value if value.startswith("git+") else f"git+{value}", bases=(self.base,)).source
            assert isinstance(found, VcsSource)
            revision = fields.string(revisions[0]) if revisions else None
            return found._replace(revision=revision or found.revision, subdirectory=subdirectory), ()
        if kind == "url":
            return links.with_subdirectory(links.link(value, bases=(self.base,)), subdirectory)
        if kind == "path":
            path = Path(os.path.normpath(self.base.absolute() / value))
            return PathSource(path.as_posix(), bool(fields.boolean("editable")), subdirectory), ()
        if fields.boolean("workspace") is not True or name == self.project:
            return None, ()
        return PathSource(self._member(name, steps).as_posix(), fields.boolean("editable") is not False), ()

    # Workspaces

    def _member(self, name: str, steps: tuple[Step, ...]) -> Path:
        """The directory of the member of this workspace that is called `name`."""
        root = next(self._roots(), None)
        if root is None:
            raise self.file.error(
                steps,
                f"`{name}` comes from the workspace, and no [tool.uv.workspace] is found here or above",
                hint="lock from a checkout of the whole workspace",
            )
        directory, workspace = root
        for member in sorted(_members(directory, workspace)):
            manifest = member / "pyproject.toml"
            if manifest.is_file():
                project = TomlFile.read(manifest, self.context).fields.table("project")
                if normalise(project.string("name") or "") == name:
                    self.inputs.append(manifest)
                    return member
        shown = self.context.shown(directory / "pyproject.toml")
        raise self.file.error(steps, f"`{name}` comes from the workspace, and {shown} has no member of that name")

    def _roots(self) -> Iterator[tuple[Path, Fields]]:
        here = Path(os.path.normpath(self.base.absolute()))
        for directory in (here, *list(here.parents)[:_DEPTH]):
            manifest = directory / "pyproject.toml"
            file = self.file if directory == here else None
            if file is None and manifest.is_file():
                file = TomlFile.read(manifest, self.context)
            if file is not None:
                uv = file.fields.table("tool").table("uv")
                if "workspace" in uv:
                    yield directory, uv.table("workspace")

    # Requirements

    def lowered(self, requirement: Declared, extra: str = "", group: str = "") -> tuple[Declared, ...]:
        """`requirement`, of an extra or a group, as one or more with their sources."""
        if requirement.source is not None or requirement.name == self.project:
            return (requirement,)
        fitting = [
            entry
            for entry in self._entries.get(requirement.name, ())
            if (not entry.extra or entry.extra == extra) and (not entry.group or entry.group == group)
        ]
        if not fitting:
            return (requirement,)
        found = [
            requirement._replace(
                source=entry.source,
                marker=pep508.both(requirement.marker, entry.marker),
                hashes=(*requirement.hashes, *entry.hashes),
            )
            for entry in fitting
        ]
        covered = pep508.either([entry.marker for entry in fitting])
        if covered:
            try:
                rest = pep508.negated(covered)
            except ValueError as error:
                raise InputError(
                    f"the sources of `{requirement.name}` leave a rest that cannot be written: {error}",
                    where=fitting[0].origin.place,
                    hint="write the marker with `>=` and `<` instead",
                ) from None
            found.append(requirement._replace(marker=pep508.both(requirement.marker, rest)))
        return tuple(found)


def _members(directory: Path, workspace: Fields) -> set[Path]:
    """The directories of a workspace, its root's included."""
    members = {directory}
    for pattern in workspace.strings("members") or ():
        members.update(_globbed(directory, pattern))
    for pattern in workspace.strings("exclude") or ():
        members.difference_update(_globbed(directory, pattern))
    return members


def _globbed(directory: Path, pattern: str) -> list[Path]:
    try:
        return [path for path in directory.glob(pattern.strip("/")) if path.is_dir()]
    except (ValueError, NotImplementedError):
        return []
