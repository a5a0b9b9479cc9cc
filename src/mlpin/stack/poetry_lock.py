"""`poetry.lock`, from version 1.0 of the format on. Every group and extra of the project counts.

Since format 2.1 (Poetry 2) each package says where it is installed, and Poetry installs whatever says so, two
versions of a name included. Before that only the edges tell, and Poetry solves among the locked versions. Of extras
that markers set against each other the first is taken, the others are listed as skipped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest import poetry_versions
from mlpin.requirement import normalise
from mlpin.stack import document
from mlpin.stack.artifacts import file_names
from mlpin.stack.edges import kept
from mlpin.stack.gathered import Gathered
from mlpin.stack.markers import Markers, target_for
from mlpin.stack.model import Stack, Where

_EXTRA = re.compile(r"""\bextra\s*(==|!=)\s*['"]([^'"]*)['"]""")
_FORMAT = re.compile(r"([12])\.(\d+)")


def read(text: str, shown: str, where: Where) -> Stack:
    """The lock as the target would install it. Raises `InputError`."""
    return _Lock(text, shown, where).stack()


_Entry = tuple[Fields, int]
"""A package and its line."""


class _Edge(NamedTuple):
    name: str
    versions: str
    holds: bool


class _Lock:
    def __init__(self, text: str, shown: str, where: Where) -> None:
        self.shown = shown
        self.document = document.toml(text, shown, "package")
        self.root = self.document.root
        metadata = self.root.table("metadata")
        version = metadata.string("lock-version") or "1.0"
        form = _FORMAT.fullmatch(version)
        if not form:
            raise InputError(f"states the lock-version `{version}`, and mlpin reads 1.0 to 2.1", where=shown)
        self.with_markers = (int(form[1]), int(form[2])) >= (2, 1)
        self.old_files = metadata.table("files")
        pythons = _ranges(metadata.string("python-versions") or "")
        self.markers = Markers(target_for(where, pythons, shown))
        self.packages = list(self.document.entries(self.root, "package"))
        self.found = Gathered(shown, "poetry.lock")
        self.chosen = self._extras()

    def stack(self) -> Stack:
        packages = [(fields, line) for fields, line in self.packages if self._holds(fields)]
        for fields, line in packages if self.with_markers else self._agreeing(self._needed(packages)):
            self._take(fields, line)
        return self.found.stack()

    def _needed(self, packages: list[_Entry]) -> list[_Entry]:
        edges: dict[str, list[tuple[str, bool]]] = {}
        for fields, _ in packages:
            edges.setdefault(_name(fields), []).extend((edge.name, edge.holds) for edge in self._edges(fields))
        names = kept((_name(fields) for fields, _ in packages), edges)
        return [(fields, line) for fields, line in packages if _name(fields) in names]

    def _agreeing(self, packages: list[_Entry]) -> list[_Entry]:
        """Of a name with several versions those that Python and the packages around it admit, if there are any."""
        counted = Counter(_name(fields) for fields, _ in packages)
        asked: dict[str, list[str]] = {}
        for fields, _ in packages:
            for edge in self._edges(fields) if counted[_name(fields)] == 1 else ():
                if edge.holds:
                    asked.setdefault(edge.name, []).append(edge.versions)
        several = [fields for fields, _ in packages if counted[_name(fields)] > 1]
        fitting = [fields for fields in several if self._admitted(fields, asked.get(_name(fields), []))]
        settled = {_name(fields) for fields in fitting}
        out = {id(fields) for fields in several if _name(fields) in settled and fields not in fitting}
        return [(fields, line) for fields, line in packages if id(fields) not in out]

    def _admitted(self, fields: Fields, constraints: list[str]) -> bool:
        python = self.markers.environment["python_full_version"]
        version = fields.string("version") or ""
        return _in_range(python, _ranges(fields.string("python-versions") or "")) and all(
            _in_range(version, _specifier(text)) for text in constraints
        )

    def _markers(self, fields: Fields) -> list[str]:
        """A package's own markers, of which one must hold: one for all groups, or one for each."""
        value = fields.data.get("markers")
        if not isinstance(value, dict):
            return [fields.string("markers") or ""]
        table = fields.table("markers")
        groups = fields.strings("groups") or ()
        return [table.string(key) or "" for key in table] + [""] * any(group not in table for group in groups)

    def _holds(self, fields: Fields) -> bool:
        return any(self.markers.hold(marker, fields.file, self.chosen) for marker in self._markers(fields))

    def _edges(self, fields: Fields) -> Iterator[_Edge]:
        dependencies = fields.table("dependencies")
        for key in dependencies:
            value = dependencies.data[key]
            for each in value if isinstance(value, list) else [value]:
                marker, versions = "", each if isinstance(each, str) else ""
                if isinstance(each, dict):
                    table = Fields(each, fields.file, (*dependencies.path, key))
                    marker, versions = table.string("markers") or "", table.string("version") or ""
                # whatever extra it is for: the lock does not say which ones are asked for
                chosen = {name for operator, name in _EXTRA.findall(marker) if operator == "=="}
                yield _Edge(normalise(key), versions, self.markers.hold(marker, fields.file, chosen))

    def _extras(self) -> frozenset[str]:
        """The project's extras, as far as no marker sets them against each other."""
        against: set[frozenset[str]] = set()
        for fields, _ in self.packages:
            for marker in self._markers(fields):
                found = [(operator, normalise(name)) for operator, name in _EXTRA.findall(marker)]
                against |= {
                    frozenset((one, other))
                    for (first, one), (second, other) in combinations(found, 2)
                    if first != second and one != other
                }
        taken: list[str] = []
        for name in map(normalise, self.root.table("extras")):
            other = next((one for one in taken if {one, name} in against), None)
            if other is None:
                taken.append(name)
            else:
                reason = f"its markers exclude the extra {other}, which is looked at instead"
                self.found.skip(f"extra {name}", 0, reason)
        return frozenset(taken)

    def _take(self, fields: Fields, line: int) -> None:
        name = fields.string("name") or ""
        tables = fields.tables("files") or (self.old_files.tables(name) if name in self.old_files else [])
        self.found.pypi(name, fields.string("version") or "", line, files=file_names(tables, "file", "url"))


def _ranges(text: str) -> str:
    """Poetry's range of Python versions as PEP 440 has it; empty where that cannot be said."""
    try:
        return poetry_versions.requires_python(text) if text.strip() not in ("", "*") else ""
    except ValueError:
        return ""


def _specifier(text: str) -> str:
    try:
        return poetry_versions.specifier(text) if text.strip() not in ("", "*") else ""
    except ValueError:
        return ""


def _in_range(version: str, specifier: str) -> bool:
    """Whether a version is in a range; what cannot be read is."""
    from packaging.specifiers import SpecifierSet

    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except ValueError:
        return True


def _name(fields: Fields) -> str:
    return normalise(fields.string("name") or "")
