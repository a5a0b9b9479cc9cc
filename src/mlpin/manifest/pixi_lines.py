"""Single dependencies of a pixi manifest: a conda package, or a distribution of PyPI.

Knows what may stand behind `name =` in pixi's tables; nothing of features, platforms or environments.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.manifest import conda_lines, links, pep508
from mlpin.manifest.source_text import redacted
from mlpin.manifest.toml_lines import Step, TomlFile
from mlpin.requirement import Declared, PathSource, Source, VcsSource, normalise

_IN_BRACKETS = {"build-number": "build_number", "file-name": "fn"} | {
    name: name for name in ("subdir", "md5", "sha256", "url", "license")
}
_CONDA_KEYS = ("version", "build", "channel", *_IN_BRACKETS)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SOURCE_KEYS = ("git", "rev", "branch", "tag", "subdirectory", "path")
_PYPI_KEYS = (*_SOURCE_KEYS, "version", "extras", "index", "url", "editable", "env-markers", "marker")
_ELSEWHERE = "what PyPI has belongs into [pypi-dependencies]"


class Line(NamedTuple):
    """A requirement as it was read."""

    declared: Declared
    version: str = ""
    """Of a conda package: the version part of its spec alone."""
    index: str = ""  # type: ignore[assignment]  # over tuple.index, which nobody needs here
    """Of a distribution: the URL of the only index that it may come from."""


def shown(key: str, value: Any) -> str:
    """`key = value` on one line, as TOML writes it."""
    return f"{key} = {_toml(value)}"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


def is_source(value: Any) -> bool:
    """Whether pixi builds this conda package from source."""
    return isinstance(value, dict) and not {"path", "git"}.isdisjoint(value)


def is_here(value: Any) -> bool:
    """Whether a package that pixi builds is that of the manifest's own directory."""
    return isinstance(value, dict) and "git" not in value and value.get("path") in (".", "./")


def conda(file: TomlFile, table: Fields, key: str) -> Line:
    """The conda package at `key` of `table`. Raises `InputError`."""
    steps: tuple[Step, ...] = (*table.path, key)
    value = table.data[key]
    origin = file.origin(steps, shown(key, value))
    fields = _fields(file, table, key, "a version or a table")
    fields.known(*_CONDA_KEYS)
    if not _NAME.fullmatch(key):
        hint = 'the channel goes into a table: { version = "…", channel = "…" }' if "::" in key else None
        raise file.error(steps, f"`{redacted(key)}` is not the name of a conda package", hint=hint)
    version = spec_version(fields.string("version") or "*")
    brackets = []
    for name, word in _IN_BRACKETS.items():
        text = str(fields.data[name]) if isinstance(fields.data.get(name), int) else fields.string(name)
        if text is not None:
            if re.search(r"""["'\[\]]""", text):
                raise file.error(steps, f"`{name}` of `{key}` cannot hold quotes or brackets")
            brackets.append(f'{word}="{text}"')
    channel = fields.string("channel")
    words = [f"{channel}::{key.lower()}" if channel else key.lower(), version, fields.string("build") or ""]
    text = " ".join(filter(None, words)) + (f"[{', '.join(brackets)}]" if brackets else "")
    declared = conda_lines.declared(text, origin, base=file.path.parent, otherwise=_ELSEWHERE)
    return Line(declared, version)


def spec_version(text: str) -> str:
    """A version in pixi's words as a MatchSpec takes it: a bare `1.26` is that version exactly."""
    text = re.sub(r"\s*([,|])\s*", r"\1", text.strip())
    text = re.sub(r"([<>=!~])\s+", r"\1", text)
    return f"=={text}" if re.fullmatch(r"[0-9][^\s,|*]*", text) else text


def _fields(file: TomlFile, table: Fields, key: str, wanted: str) -> Fields:
    value = table.data[key]
    if isinstance(value, str):
        value = {"version": value}
    if not isinstance(value, dict):
        raise file.error((*table.path, key), f"`{key}` must be {wanted}")
    return Fields(value, table.file, (*table.path, key))


def pypi(file: TomlFile, table: Fields, key: str, project: str) -> Line | None:
    """The distribution at `key` of `table`; None for the `project` of this very file. Raises `InputError`.

    Extras of the project itself are a requirement on it by name.
    """
    steps: tuple[Step, ...] = (*table.path, key)
    origin = file.origin(steps, shown(key, table.data[key]))
    fields = _fields(file, table, key, "a version or a table")
    fields.known(*_PYPI_KEYS)
    version = (fields.string("version") or "*").strip()
    try:
        source, hashes = _source(file, fields)
        extras = links.extras_of(",".join(fields.strings("extras") or ()))
    except ValueError as error:
        raise InputError(f"`{origin.text}` cannot be used: {redacted(str(error))}", where=origin.place) from None
    name = normalise(key)
    if project and isinstance(source, PathSource) and source.path == file.path.parent.absolute().as_posix():
        return Line(Declared(project, origin, extras)) if extras else None
    if re.fullmatch(r"[0-9][^,\s]*", version):
        message = f"`{origin.text}` has no operator"
        raise InputError(message, where=origin.place, hint=f'write "=={version}"')
    marker = pep508.marker(fields.string("env-markers") or fields.string("marker") or "", origin)
    specifier = "" if version == "*" else pep508.specifier(redacted(version), origin)
    declared = Declared(name, origin, extras, specifier, marker, source, hashes)
    return Line(declared, index=fields.string("index") or "")


def _source(file: TomlFile, fields: Fields) -> tuple[Source | None, tuple[str, ...]]:
    base = file.path.parent
    subdirectory = (fields.string("subdirectory") or "").strip("/")
    git, url, path = fields.string("git"), fields.string("url"), fields.string("path")
    if git:
        found = links.link(git if git.startswith("git+") else f"git+{git}", bases=(base,)).source
        assert isinstance(found, VcsSource)
        revision = fields.string("rev") or fields.string("tag") or fields.string("branch") or found.revision
        return found._replace(revision=revision, subdirectory=subdirectory), ()
    if url:
        return links.with_subdirectory(links.link(url, bases=(base,)), subdirectory)
    if path:
        if "\0" in path:
            raise ValueError("this cannot be a path")
        full = Path(os.path.normpath(base.absolute() / path))
        return PathSource(full.as_posix(), bool(fields.boolean("editable")), subdirectory), ()
    return None, ()


def python_range(version: str) -> str:
    """What conda's words say of Python, as PEP 440; empty where it is no plain range, or any."""
    return conda_lines.python_range(f"python {version}")


def pythons(ranges: Sequence[str]) -> list[str]:
    """The minor versions of Python 3 that all of `ranges` (conda's words) admit, or the one release; lowest first."""
    from packaging.specifiers import SpecifierSet

    wanted = [[SpecifierSet(python_range(part)) for part in text.split("|")] for text in ranges]
    found = []
    for minor in range(6, 20):
        releases = [f"3.{minor}.{patch}" for patch in range(40)]
        fitting = [one for one in releases if all(any(part.contains(one) for part in either) for either in wanted)]
        if fitting:
            found.append(fitting[0] if len(fitting) == 1 else f"3.{minor}")
    return found
