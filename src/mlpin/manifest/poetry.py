"""Poetry's own tables in a `pyproject.toml`: `[tool.poetry]`, its groups, extras and sources.

Knows Poetry's format in versions 1 and 2; what it cannot take over becomes a note.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest import links, pep508, poetry_versions
from mlpin.manifest.model import Note
from mlpin.manifest.toml_lines import Step, TomlFile
from mlpin.requirement import Declared, Origin, PathSource, Source, VcsSource, normalise
from mlpin.settings import IndexPin, IndexSetting, Settings

_KEYS = (
    *("version", "python", "platform", "markers", "extras", "optional", "source"),
    *("allow-prereleases", "allows-prereleases"),
    *("git", "branch", "tag", "rev", "url", "path", "file", "develop", "subdirectory"),
)


@dataclass(slots=True)
class PoetryTables:
    """What the tables say. `requirements` are those of the main group that are not optional."""

    name: str = ""
    version: str = ""
    requires_python: str = ""
    requires_python_origin: Origin | None = None
    has_dependencies: bool = False
    requirements: list[Declared] = field(default_factory=list)
    extras: dict[str, tuple[Declared, ...]] = field(default_factory=dict)
    groups: dict[str, tuple[Declared, ...]] = field(default_factory=dict)
    optional_groups: tuple[str, ...] = ()
    default_groups: tuple[str, ...] = ()
    settings: Settings | None = None
    notes: list[Note] = field(default_factory=list)
    sourced: dict[str, list[Declared]] = field(default_factory=dict)

    def enriched(self, requirement: Declared) -> tuple[Declared, ...]:
        """A requirement of [project] with the source that Poetry's table gives for its name, if any."""
        sources = self.sourced.get(requirement.name, [])
        if requirement.source is not None or not sources:
            return (requirement,)
        own = requirement.marker
        return tuple(requirement._replace(source=one.source, marker=pep508.both(own, one.marker)) for one in sources)


def tables(file: TomlFile, poetry: Fields, base: Path) -> PoetryTables | None:
    """`[tool.poetry]` of `file`; None where it declares nothing. `InputError` where it cannot be read."""
    return _Reader(file, poetry, base).tables()


class _Reader:
    def __init__(self, file: TomlFile, poetry: Fields, base: Path) -> None:
        self.file = file
        self.poetry = poetry
        self.base = base
        self.found = PoetryTables()
        self.pins: dict[str, tuple[IndexPin, ...]] = {}
        self.optional: dict[str, list[Declared]] = {}
        self.main: dict[str, list[Declared]] = {}

    def tables(self) -> PoetryTables | None:
        poetry, found = self.poetry, self.found
        found.name, found.version = poetry.string("name") or "", poetry.string("version") or ""
        self._main(poetry.table("dependencies"))
        self._groups()
        self._extras()
        found.settings = self._settings()
        if not {"dependencies", "dev-dependencies", "group", "source"} & poetry.data.keys():
            return None
        return found

    def _main(self, table: Fields) -> None:
        project = self.file.fields.table("project")
        listed = "dependencies" in project
        known = {normalise(key) for key in table}
        for key in table:
            if key == "python":
                self._python(table)
                continue
            self.found.has_dependencies = True
            name = normalise(key)
            for one, optional in self._entries(table, key):
                self.main.setdefault(name, []).append(one)
                if one.source is not None:
                    self.found.sourced.setdefault(name, []).append(one)
                if optional:
                    self.optional.setdefault(name, []).append(one)
                else:
                    self.found.requirements.append(one)
        if listed and known - {"python"}:
            self._passed_over(table, project)

    def _passed_over(self, table: Fields, project: Fields) -> None:
        """Poetry 2 reads its own table for sources alone where [project] lists dependencies."""
        texts = list(project.strings("dependencies") or ())
        optional = project.table("optional-dependencies")
        for key in optional:
            texts += optional.strings(key) or ()
        names = {pep508.name_of(text) for text in texts}
        for key in table:
            if key != "python" and normalise(key) not in names:
                message = f"`{key}` is not in the `dependencies` of [project], so Poetry does not install it either"
                self.found.notes.append(Note(message, self.file.origin((*table.path, key))))

    def _python(self, table: Fields) -> None:
        value = table.data["python"]
        text = value.get("version") if isinstance(value, dict) else value
        origin = self.file.origin((*table.path, "python"), f'python = "{text}"')
        if not isinstance(text, str):
            raise table.error("python", "must be a string")
        try:
            found = poetry_versions.requires_python(text)
        except ValueError as error:
            raise InputError(f"`python`: {error}", where=origin.place) from None
        self.found.requires_python = pep508.specifier(found, origin)
        self.found.requires_python_origin = origin

    def _groups(self) -> None:
        poetry = self.poetry
        raw: dict[str, tuple[Declared, ...]] = {}
        includes: dict[str, tuple[str, ...]] = {}
        places: dict[str, tuple[Step, ...]] = {}
        optional: list[str] = []
        old = poetry.table("dev-dependencies")
        if "dev-dependencies" in poetry:
            raw["dev"] = self._group(old)
        groups = poetry.table("group")
        for key in groups:
            table, name = groups.table(key), normalise(key)
            raw[name] = (*raw.get(name, ()), *self._group(table.table("dependencies")))
            includes[name] = tuple(normalise(group) for group in table.strings("include-groups") or ())
            places[name] = (*table.path, "include-groups")
            if table.boolean("optional"):
                optional.append(name)

        def flat(name: str, open_: tuple[str, ...]) -> tuple[Declared, ...]:
            result = list(raw[name])
            for included in includes.get(name, ()):
                if included not in raw:
                    raise self.file.error(places[name], f"includes the group `{included}`, which there is not")
                if included in (*open_, name):
                    raise self.file.error(places[name], f"the groups `{name}` and `{included}` include each other")
                result += flat(included, (*open_, name))
            return tuple(dict.fromkeys(result))

        self.found.groups = {name: flat(name, ()) for name in raw}
        self.found.optional_groups = tuple(optional)
        self.found.default_groups = tuple(name for name in raw if name not in optional)

    def _group(self, table: Fields) -> tuple[Declared, ...]:
        return tuple(one for key in table if key != "python" for one, _ in self._entries(table, key))

    def _extras(self) -> None:
        table = self.poetry.table("extras")
        used: set[str] = set()
        for key in table:
            listed: list[Declared] = []
            for position, text in enumerate(table.strings(key) or ()):
                name = normalise(text.partition("[")[0].strip())
                if name not in self.main:
                    message = f"the extra `{key}` names `{text}`, which is not in [tool.poetry.dependencies]"
                    raise self.file.error((*table.path, key, position), message)
                used.add(name)
                listed += self.main[name]
            self.found.extras[normalise(key)] = tuple(listed)
        for name, entries in self.optional.items():
            if name not in used and "dependencies" not in self.file.fields.table("project"):
                message = f"`{name}` is optional and in no extra, so nothing asks for it"
                self.found.notes.append(Note(message, entries[0].origin))

    # One dependency

    def _entries(self, table: Fields, key: str) -> list[tuple[Declared, bool]]:
        value = table.data[key]
        if not isinstance(value, list):
            return [self._entry(key, value, (*table.path, key))]
        return [self._entry(key, item, (*table.path, key, position)) for position, item in enumerate(value)]

    def _entry(self, key: str, value: Any, steps: tuple[Step, ...]) -> tuple[Declared, bool]:
        name = normalise(key)
        if isinstance(value, str):
            value = {"version": value}
        if not isinstance(value, dict):
            raise self.file.error(steps, f"`{key}` must be a version, a table, or a list of them")
        fields = Fields(value, self.file.shown, tuple(str(step) for step in steps))
        fields.known(*_KEYS)
        version = fields.string("version") or "*"
        plain = set(value) <= {"version"}
        origin = self.file.origin(steps, f'{key} = "{version}"' if plain else self._shown(key, value))
        try:
            marker = pep508.both(
                poetry_versions.python_marker(fields.string("python") or "*"),
                poetry_versions.platform_marker(fields.string("platform") or ""),
            )
            marker = pep508.both(marker, pep508.marker(fields.string("markers") or "", origin))
            specifier = poetry_versions.specifier(version)
            source, hashes = self._source(fields)
            extras = links.extras_of(",".join(fields.strings("extras") or ()))
        except ValueError as error:
            hint = None
            if "||" in str(error):
                hint = "write a list of two entries, each with its `python`, `platform` or `markers`"
            raise InputError(f"`{key} = {version!r}`: {error}", where=origin.place, hint=hint) from None
        if fields.boolean("allow-prereleases") or fields.boolean("allows-prereleases"):
            message = "`allow-prereleases` is not taken over: name a pre-release in the version to allow it"
            self.found.notes.append(Note(message, origin))
        index = fields.string("source")
        if index:
            self.pins[name] = (*self.pins.get(name, ()), IndexPin(index, marker))
        declared = Declared(
            name=name,
            origin=origin,
            extras=extras,
            specifier=pep508.specifier(specifier, origin),
            marker=pep508.marker(marker, origin),
            source=source,
            hashes=hashes,
        )
        return declared, bool(fields.boolean("optional"))

    @staticmethod
    def _shown(key: str, value: dict[str, Any]) -> str:
        parts = []
        for name, entry in value.items():
            text = f'"{entry}"' if isinstance(entry, str) else str(entry).replace("'", '"')
            parts.append(f"{name} = {text.lower() if isinstance(entry, bool) else text}")
        return f"{key} = {{{', '.join(parts)}}}"

    def _source(self, fields: Fields) -> tuple[Source | None, tuple[str, ...]]:
        subdirectory = (fields.string("subdirectory") or "").strip("/")
        git, url = fields.string("git"), fields.string("url")
        path = fields.string("path") or fields.string("file")
        if git:
            found = links.link(git if git.startswith("git+") else f"git+{git}", bases=(self.base,)).source
            assert isinstance(found, VcsSource)
            revision = fields.string("rev") or fields.string("tag") or fields.string("branch") or found.revision
            return found._replace(revision=revision, subdirectory=subdirectory), ()
        if url:
            return links.with_subdirectory(links.link(url, bases=(self.base,)), subdirectory)
        if path:
            full = Path(os.path.normpath(self.base.absolute() / path))
            return PathSource(full.as_posix(), bool(fields.boolean("develop")), subdirectory), ()
        return None, ()

    # Sources of packages

    def _settings(self) -> Settings | None:
        """[[tool.poetry.source]] and the pins on them as a layer.

        Poetry leaves its usual index out where a primary source is named, and asks supplemental ones last.
        """
        named: dict[str, list[IndexSetting]] = {"primary": [], "supplemental": [], "explicit": []}
        usual = False
        for position, fields in enumerate(self.poetry.tables("source")):
            steps = ("tool", "poetry", "source", position)
            name = fields.string("name") or ""
            priority = (fields.string("priority") or "primary").lower()
            if fields.boolean("default"):
                priority = "default"
            if fields.boolean("secondary"):
                priority = "secondary"
            kind = {"default": "primary", "secondary": "supplemental"}.get(priority, priority)
            if kind not in named:
                raise self.file.error(steps, f"the source `{name}` has the priority `{priority}`, which Poetry has not")
            url = fields.string("url")
            if name.lower() == "pypi" and url is None:
                usual = usual or kind == "primary"
                continue
            if not name or not url:
                raise self.file.error(steps, "a source of Poetry needs a `name` and a `url`")
            origin = self.file.origin(steps).place
            named[kind].append(IndexSetting(url, name, explicit=kind == "explicit", origin=origin))
        ordered = [*named["primary"], *named["supplemental"]]
        last = None
        if named["primary"] and not usual:
            last = ordered.pop()._replace(default=True)
        elif named["supplemental"]:
            message = "supplemental sources are asked before the usual index, not after it: pin packages with `source`"
            self.found.notes.append(Note(message, self.file.origin(("tool", "poetry", "source"))))
        extra = (*ordered, *named["explicit"])
        if last is None and not extra and not self.pins:
            return None
        return Settings(
            layer=f"[tool.poetry] in {self.file.shown}",
            index_url=last,
            extra_indexes=extra or None,
            pins=self.pins or None,
        )
