"""Features of a pixi manifest: their requirements, and the platforms that each holds for.

The tables at the top are the feature `default`. Knows nothing of environments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlpin.fields import Fields
from mlpin.manifest import conda_lines, pep508, pixi_lines, pixi_platforms
from mlpin.manifest.model import Context, Note
from mlpin.manifest.pixi_lines import Line
from mlpin.manifest.pixi_platforms import PLATFORMS, Platform
from mlpin.manifest.source_text import redacted
from mlpin.manifest.toml_lines import TomlFile
from mlpin.requirement import Declared, Origin, normalise
from mlpin.settings import IndexPin, IndexSetting

DEFAULT = "default"
"""The feature, and the environment, that need no table."""
CONDA = ("dependencies", "host-dependencies", "build-dependencies")
PYTHONS = frozenset({"python", "python-gil", "python-freethreading"})
"""Conda packages whose version is that of Python."""


class Entry(NamedTuple):
    """A dependency, and the names of the platforms that it holds for."""

    line: Line
    platforms: frozenset[str]


class Feature(NamedTuple):
    """One feature; `group` is what mlpin calls it."""

    name: str
    group: str
    fields: Fields
    entries: tuple[Entry, ...] = ()


class Features:
    """All features of a manifest, by name. `pins` and `indexes` are what single dependencies say of indexes."""

    def __init__(
        self,
        file: TomlFile,
        root: Fields,
        platforms: Sequence[Platform],
        project: str,
        context: Context,
        notes: list[Note],
    ) -> None:
        self.file, self.root, self.project, self.context, self.notes = file, root, project, context, notes
        self.platforms = platforms
        there = {one.subdir for one in platforms}
        self.known = (*platforms, *(Platform(name, name) for name in PLATFORMS if name not in there))
        self.indexes: dict[str, IndexSetting] = {}
        self.pins: dict[str, tuple[IndexPin, ...]] = {}
        self.all = {DEFAULT: self._feature(DEFAULT, DEFAULT, root)}
        table = root.table("feature")
        for key in table:
            group = normalise(key)
            if any(one.group == group for one in self.all.values()):
                raise file.error((*table.path, key), f"the feature `{key}` has the name of another one")
            self.all[key] = self._feature(key, group, table.table(key))

    def add_python(self, version: str, origin: Origin) -> None:
        """Adds a range of Pythons to the default feature, unless its tables have Python."""
        default = self.all[DEFAULT]
        if not any(entry.line.declared.name in PYTHONS for entry in default.entries):
            declared = conda_lines.declared(f"python {version}".strip(), origin)
            entry = Entry(Line(declared, version or "*"), frozenset(one.name for one in self.known))
            self.all[DEFAULT] = default._replace(entries=(entry, *default.entries))

    def meant(self, selector: str, among: Sequence[Platform], steps: Sequence[str | int]) -> frozenset[str]:
        """The platforms that a name in the manifest means; `InputError` where it can mean none."""
        found = pixi_platforms.meant(selector, among)
        if not found and not pixi_platforms.is_selector(selector):
            known = ", ".join(one.name for one in self.platforms) or "none"
            raise self.file.error(
                steps, f"`{redacted(selector)}` is not a platform", hint=f"platforms of the workspace: {known}"
            )
        return found

    def _feature(self, name: str, group: str, fields: Fields) -> Feature:
        everywhere = frozenset(one.name for one in self.known)
        entries = list(self._entries(fields, everywhere, group))
        targets = fields.table("target")
        for selector in targets:
            table = targets.table(selector)
            platforms = self.meant(selector, self.known, table.path)
            special = list(self._entries(table, platforms, group))
            # as in pixi, what stands for a platform replaces what stands for all of them
            replaced = {(kind, entry.line.declared.name) for kind, entry in special}
            entries = [
                (kind, one._replace(platforms=one.platforms - platforms))
                if (kind, one.line.declared.name) in replaced
                else (kind, one)
                for kind, one in entries
            ]
            entries += special
        return Feature(name, group, fields, tuple(entry for _, entry in entries if entry.platforms))

    def _entries(self, fields: Fields, platforms: frozenset[str], group: str) -> Iterator[tuple[str, Entry]]:
        """Each dependency with the kind of table that it stands in."""
        for kind in CONDA:
            table = fields.table(kind)
            for key in table:
                if not pixi_lines.is_source(table.data[key]):
                    yield kind, Entry(pixi_lines.conda(self.file, table, key), platforms)
                elif "package" in self.root and pixi_lines.is_here(table.data[key]):
                    yield from self._package(platforms)
                else:
                    message = f"`{key}` is passed over: pixi builds it from source, and mlpin does not"
                    self.notes.append(Note(message, self.file.origin((*table.path, key))))
        table = fields.table("pypi-dependencies")
        for key in table:
            line = pixi_lines.pypi(self.file, table, key, self.project)
            if line is not None:
                if line.index:
                    self._pin(line, table.table(key), platforms, "" if group == DEFAULT else group)
                yield "pypi", Entry(line, platforms)

    def _package(self, platforms: frozenset[str]) -> Iterator[tuple[str, Entry]]:
        """What the conda package that this very file describes needs at run time."""
        package = self.root.table("package")
        targets = package.table("target")
        parts = [(package, platforms)]
        parts += [(targets.table(key), pixi_platforms.meant(key, self.known) & platforms) for key in targets]
        for fields, selected in parts:
            table = fields.table("run-dependencies")
            for key in table:
                if not pixi_lines.is_source(table.data[key]):
                    yield "package", Entry(pixi_lines.conda(self.file, table, key), selected)

    def _pin(self, line: Line, fields: Fields, platforms: frozenset[str], group: str) -> None:
        from mlpin.config import options
        from mlpin.config.source import Table
        from mlpin.index.url import strip_credentials

        declared = line.declared
        source = Table(fields, self.file.path.parent, self.context, self.file.line)
        name = re.sub(r"^[a-z]+://|/+$", "", strip_credentials(line.index))
        self.indexes[name] = options.index(line.index, source, "index", name=name, explicit=True)
        marker = pep508.both(pixi_platforms.marker(self._subdirs(platforms)), declared.marker)
        self.pins[declared.name] = (*self.pins.get(declared.name, ()), IndexPin(name, marker, group=group))

    def _subdirs(self, platforms: frozenset[str]) -> frozenset[str]:
        """The subdirs whose platforms are all among these."""
        missing = {one.subdir for one in self.known if one.name not in platforms}
        return frozenset(one.subdir for one in self.known) - missing

    # What a feature asks for

    def requirements(self, feature: Feature) -> tuple[Declared, ...]:
        """The requirements of a feature, with a marker where they hold on some subdirs only."""
        found = []
        for line, platforms in feature.entries:
            subdirs = self._subdirs(platforms)
            if subdirs:
                found.append(pep508.with_marker(line.declared, pixi_platforms.marker(subdirs)))
        return tuple(dict.fromkeys(found))

    def special(self, feature: Feature, platform: Platform) -> tuple[Declared, ...]:
        """Those that hold on this platform and not on another of its subdir, which no marker can tell apart."""
        return tuple(
            line.declared
            for line, platforms in feature.entries
            if platform.name in platforms and platform.subdir not in self._subdirs(platforms)
        )


def special_group(feature: Feature, platform: Platform) -> str:
    """The name of the group of what `Features.special` gives."""
    return f"{feature.group}-{normalise(platform.name)}"
