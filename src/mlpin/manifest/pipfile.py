"""`Pipfile` of Pipenv. Its `Pipfile.lock` is not read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest import links, pep508
from mlpin.manifest.model import Context, Manifest, Note
from mlpin.manifest.toml_lines import TomlFile
from mlpin.requirement import Declared, Origin, PathSource, Source, VcsSource, normalise
from mlpin.settings import IndexPin, IndexSetting, Settings

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_VCS = ("git", "hg", "svn", "bzr")
_MARKERS = (
    *("os_name", "sys_platform", "platform_machine", "platform_python_implementation", "platform_release"),
    *("platform_system", "platform_version", "python_version", "python_full_version"),
    *("implementation_name", "implementation_version"),
)
_KEYS = ("version", "extras", "markers", "index", "editable", "ref", "subdirectory", "path", "file")
_OTHER = frozenset({"source", "requires", "scripts", "pipenv", "pipfile"})


def read(path: Path, context: Context) -> Manifest:
    """The `Pipfile` at `path`; `InputError` where it cannot be read or asks for nothing."""
    file = TomlFile.read(path, context)
    with file.located():
        return _Reader(file, context).manifest()


class _Reader:
    def __init__(self, file: TomlFile, context: Context) -> None:
        self.file = file
        self.context = context
        self.root = file.fields
        self.notes: list[Note] = []
        self.pins: dict[str, tuple[IndexPin, ...]] = {}
        self.wanted: list[tuple[str, Origin]] = []

    def manifest(self) -> Manifest:
        root = self.root
        categories = [key for key in root if key not in _OTHER and isinstance(root.data[key], dict)]
        if not categories:
            raise InputError("declares no dependencies: it has no [packages]", where=self.file.shown)
        for key in root:
            if key not in _OTHER and key not in categories:
                raise self.file.error((key,), f"`{key}` is not a table that a Pipfile has")
        groups = {normalise(key): self._category(key) for key in categories if key != "packages"}
        requires_python, origin = self._requires_python()
        requirements = self._category("packages")
        settings = self._settings()
        return Manifest(
            path=self.file.path,
            kind="pipfile",
            requires_python=requires_python,
            requires_python_origin=origin,
            requirements=requirements,
            groups=groups,
            layers=(settings,) if settings else (),
            notes=tuple(self.notes),
            inputs=(self.file.path,),
        )

    def _requires_python(self) -> tuple[str, Origin | None]:
        table = self.root.table("requires")
        for key in ("python_full_version", "python_version"):
            text = table.string(key)
            if text and text != "*":
                origin = self.file.origin(("requires", key), f'{key} = "{text}"')
                bare = re.fullmatch(r"[0-9]+(\.[0-9]+)*", text) is not None
                wanted = f"=={text}.*" if bare and key == "python_version" else f"=={text}" if bare else text
                return pep508.specifier(wanted, origin, what="range of Python versions"), origin
        return "", None

    def _category(self, key: str) -> tuple[Declared, ...]:
        table = self.root.table(key)
        return tuple(self._entry(table, name) for name in table)

    def _entry(self, table: Fields, key: str) -> Declared:
        value = table.data[key]
        steps = (*table.path, key)
        text = f"{key} = {_toml(value)}"
        origin = self.file.origin(steps, text)
        if isinstance(value, str):
            value = {"version": value}
        if not isinstance(value, dict):
            raise self.file.error(steps, f"`{key}` must be a version or a table")
        fields = Fields(value, self.file.shown, steps)
        fields.known(*_KEYS, *_VCS, *_MARKERS)
        version = (fields.string("version") or "").strip()
        if re.fullmatch(r"[0-9][^,\s]*", version):
            raise self.file.error(steps, f"`{text}` has no operator", hint=f'write `{key} = "=={version}"`')
        marker = ""
        for name in _MARKERS:
            condition = fields.string(name)
            if condition:
                marker = pep508.both(marker, pep508.marker(f"{name} {condition}", origin))
        marker = pep508.both(marker, pep508.marker(fields.string("markers") or "", origin))
        try:
            source, hashes = self._source(fields)
            extras = links.extras_of(",".join(fields.strings("extras") or ()))
        except ValueError as error:
            raise InputError(f"`{origin.text}` cannot be used: {error}", where=origin.place) from None
        name = normalise(key)
        index = fields.string("index")
        if index:
            self.pins[name] = (*self.pins.get(name, ()), IndexPin(index, marker))
            self.wanted.append((index, origin))
        return Declared(
            name=name,
            origin=origin,
            extras=extras,
            specifier="" if version in ("", "*") else pep508.specifier(version, origin),
            marker=marker,
            source=source,
            hashes=hashes,
        )

    def _source(self, fields: Fields) -> tuple[Source | None, tuple[str, ...]]:
        base = self.file.path.parent
        subdirectory = (fields.string("subdirectory") or "").strip("/")
        for vcs in _VCS:
            address = fields.string(vcs)
            if address:
                address = _expanded(address, self.context.environ)
                prefixed = address if address.startswith(f"{vcs}+") else f"{vcs}+{address}"
                source = links.link(prefixed, bases=(base,)).source
                assert isinstance(source, VcsSource)
                return source._replace(revision=fields.string("ref") or source.revision, subdirectory=subdirectory), ()
        place = fields.string("path") or fields.string("file")
        if not place:
            return None, ()
        place = _expanded(place, self.context.environ)
        if links.is_url(place):
            target = links.link(place, bases=(base,), editable=bool(fields.boolean("editable")))
            return target.source, target.hashes
        full = Path(os.path.normpath(base.absolute() / place))
        return PathSource(full.as_posix(), bool(fields.boolean("editable")), subdirectory), ()

    def _settings(self) -> Settings | None:
        """The first source is the index; Pipenv takes from others only what names them."""
        pipenv = self.root.table("pipenv")
        everywhere = bool(pipenv.boolean("install_search_all_sources"))
        indexes: list[IndexSetting] = []
        trusted: list[str] = []
        for position, fields in enumerate(self.root.tables("source")):
            steps = ("source", position)
            url = fields.string("url")
            if not url:
                raise self.file.error(steps, "a source of a Pipfile needs a `url`")
            url = _expanded(url, self.context.environ)
            first = not indexes
            explicit = not first and not everywhere
            place = self.file.origin(steps).place
            indexes.append(IndexSetting(url, fields.string("name") or "", explicit, default=first, origin=place))
            if fields.boolean("verify_ssl") is False:
                trusted.append(url.partition("://")[2].partition("/")[0].rpartition("@")[2])
        known = {index.name for index in indexes}
        for index, origin in self.wanted:
            if index not in known:
                message = f"`{origin.text}` names the index `{index}`, and no [[source]] has that name"
                raise InputError(message, where=origin.place)
        prerelease = "allow" if pipenv.boolean("allow_prereleases") else None
        if not indexes and prerelease is None:
            return None
        return Settings(
            layer=self.file.shown,
            index_url=indexes[0] if indexes else None,
            extra_indexes=tuple(indexes[1:]) or None,
            pins=self.pins or None,
            prerelease=prerelease,
            trusted_hosts=tuple(trusted) or None,
        )


def _expanded(text: str, environ: Mapping[str, str]) -> str:
    """`${VAR}` and `$VAR` as Pipenv expands them; what is not set stays as it is."""
    return _VARIABLE.sub(lambda found: environ.get(found[1] or found[2]) or found[0], text)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'
