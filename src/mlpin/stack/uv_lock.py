"""`uv.lock`, and the lock that uv puts beside a script.

The graph is walked from the project's own packages along the edges whose markers hold, with every extra and
dependency group; where the project declares some of them in conflict, the first is taken and the others are
listed as skipped. How uv writes conflicting extras into markers (`extra-8-my-name-cpu`) is known here alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.requirement import normalise
from mlpin.stack import document
from mlpin.stack.artifacts import file_names
from mlpin.stack.gathered import Gathered
from mlpin.stack.markers import Markers, target_for
from mlpin.stack.model import Stack, Where

_EDITABLE = ("editable", "virtual", "directory")


def read(text: str, shown: str, where: Where) -> Stack:
    """The lock as the target would install it. Raises `InputError`."""
    return _Lock(text, shown, where).stack()


class _Choice(NamedTuple):
    """A project's package, one of its extras, or one of its groups."""

    package: str
    kind: str = "project"
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name} of {self.package}" if self.name else self.package

    @property
    def encoded(self) -> str:
        """How a marker names it."""
        return "-".join(filter(None, (self.kind, str(len(self.package)), self.package, self.name)))


class _Package(NamedTuple):
    name: str
    version: str
    source: Mapping[str, Any]
    fields: Fields
    line: int


class _Lock:
    def __init__(self, text: str, shown: str, where: Where) -> None:
        self.shown = shown
        self.document = document.toml(text, shown, "package")
        self.root = self.document.root
        if self.root.data.get("version") != 1:
            raise InputError("is not a uv.lock that mlpin can read: its `version` is not 1", where=shown)
        self.markers = Markers(target_for(where, self.root.string("requires-python") or "", shown))
        self.named: dict[str, list[_Package]] = {}
        self.packages: list[_Package] = []
        for fields, line in self.document.entries(self.root, "package"):
            name = normalise(fields.string("name") or "")
            source = fields.table("source").data
            package = _Package(name, fields.string("version") or "", source, fields, line)
            self.packages.append(package)
            self.named.setdefault(name, []).append(package)
        self.found = Gathered(shown, "uv.lock")
        self.chosen: frozenset[str] = frozenset()
        self.reached: set[tuple[int, str, str]] = set()

    def stack(self) -> Stack:
        projects = self._projects()
        choices = self._choices(projects)
        self.chosen = frozenset(choice.encoded for choice in choices)
        queue = [
            (package, *(("", "") if choice.kind == "project" else (choice.kind, choice.name)))
            for choice in choices
            for package in self.named[choice.package]
        ]
        manifest = self.root.table("manifest")
        groups = manifest.table("dependency-groups")
        for fields, key in [(manifest, "requirements"), *((groups, name) for name in groups)]:
            for edge in fields.tables(key):
                queue += self._along(edge, "extras")
        if not queue:
            queue = [(package, "", "") for package in self.packages if self._in_fork(package)]
        while queue:
            step = queue.pop()
            package, kind, name = step
            known = (id(package), kind, name)
            if known in self.reached:
                continue
            self.reached.add(known)
            for edge in self._edges(package, kind, name):
                queue += self._along(edge, "extra")
        for package in self.packages:
            if (id(package), "", "") in self.reached:
                self._take(package, own=package in projects)
        return self.found.stack()

    # The project

    def _projects(self) -> list[_Package]:
        members = self.root.table("manifest").strings("members")
        if members is not None:
            names = {normalise(name) for name in members}
            return [package for package in self.packages if package.name in names and _is_local(package)]
        return [package for package in self.packages if any(package.source.get(key) == "." for key in _EDITABLE)]

    def _choices(self, projects: list[_Package]) -> list[_Choice]:
        """The projects with their groups and extras, as far as they go together."""
        sets = self._conflicts()
        taken: list[_Choice] = []
        for choice in self._offered(projects):
            against = next((one for one in taken for some in sets if one in some and choice in some), None)
            if against is None:
                taken.append(choice)
            else:
                reason = f"the project declares it in conflict with {against}, which is looked at instead"
                self.found.skip(str(choice), 0, reason)
        return taken

    def _offered(self, projects: list[_Package]) -> Iterator[_Choice]:
        for package in projects:
            yield _Choice(package.name)
            groups = sorted(package.fields.table("dev-dependencies"), key=lambda name: (name != "dev", name))
            yield from (_Choice(package.name, "group", name) for name in groups)
            yield from (_Choice(package.name, "extra", name) for name in package.fields.table("optional-dependencies"))

    def _conflicts(self) -> list[frozenset[_Choice]]:
        found = []
        for position, items in enumerate(self.root.items("conflicts")):
            fields = Fields({"items": items}, self.shown, ("conflicts", str(position)))
            some = set()
            for item in fields.tables("items"):
                package = normalise(item.string("package") or "")
                kind = next((kind for kind in ("extra", "group") if kind in item), "project")
                some.add(_Choice(package, kind, (item.string(kind) or "") if kind != "project" else ""))
            found.append(frozenset(some))
        return found

    # The graph

    def _edges(self, package: _Package, kind: str, name: str) -> list[Fields]:
        if kind == "extra":
            return package.fields.table("optional-dependencies").tables(name)
        if kind == "group":
            return package.fields.table("dev-dependencies").tables(name)
        return package.fields.tables("dependencies")

    def _along(self, edge: Fields, extras: str) -> list[tuple[_Package, str, str]]:
        """Where an edge leads: its package, and that package with each extra that the edge asks for."""
        if not self.markers.hold(edge.string("marker") or "", edge.file, self.chosen):
            return []
        version, source = edge.string("version"), edge.data.get("source")
        fitting = [
            package
            for package in self.named.get(normalise(edge.string("name") or ""), ())
            if version in (None, package.version) and source in (None, package.source)
        ]
        if len(fitting) > 1:
            fitting = [package for package in fitting if self._in_fork(package)] or fitting
        asked = edge.strings(extras) or ()
        return [(package, *step) for package in fitting for step in (("", ""), *(("extra", name) for name in asked))]

    def _in_fork(self, package: _Package) -> bool:
        """Whether one of the forks that a package belongs to is the target's."""
        forks = package.fields.strings("resolution-markers")
        return not forks or any(self.markers.hold(fork, package.fields.file, self.chosen) for fork in forks)

    def _take(self, package: _Package, *, own: bool) -> None:
        if own and (not package.version or "virtual" in package.source):
            return  # the project itself: nothing that was chosen
        reason = "editable, without a version of its own" if _is_local(package) else ""
        files = file_names(package.fields.tables("wheels"), "filename", "url", "path")
        sdist = package.fields.table("sdist")
        files += file_names([sdist], "filename", "url", "path") if sdist.data else ()
        name = package.fields.string("name") or ""
        self.found.pypi(name, package.version, package.line, files=files, reason=reason)


def _is_local(package: _Package) -> bool:
    return any(key in package.source for key in _EDITABLE)
