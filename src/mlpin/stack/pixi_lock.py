"""`pixi.lock`, versions 4 to 7 of the format.

Of several environments `default` is read, or the first where there is none of that name; the others are listed as
skipped. What a conda package is stands in the name of its file, so most records are never looked at.
"""

from __future__ import annotations

import re

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.stack import document
from mlpin.stack.artifacts import conda_file, file_name, platform_of, subdir_of, version_in
from mlpin.stack.gathered import Gathered, printable
from mlpin.stack.model import Stack, Where

_VERSIONS = ("4", "5", "6", "7")
_KINDS = ("conda", "pypi", "conda_source")
_SOURCE = re.compile(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)\[[^\]]*\] @ .+")
DEFAULT_SUBDIR = "linux-64"


def read(text: str, shown: str, where: Where) -> Stack:
    """One environment of the lock on the target's platform. Raises `InputError`."""
    return _Lock(text, shown).stack(where)


class _Lock:
    def __init__(self, text: str, shown: str) -> None:
        self.document = document.yaml(text, shown)
        self.root = self.document.root
        self.shown = shown
        version = self.root.string("version") or ""
        if version not in _VERSIONS:
            hint = "`pixi lock` of a newer pixi writes it anew" if version in ("1", "2", "3") else None
            message = f"has version `{printable(version)}` of the format, and mlpin reads 4 to 7"
            raise InputError(message, where=shown, hint=hint)
        self.found = Gathered(shown, "pixi.lock")
        self.records: dict[tuple[str, str], Fields] = {}
        for fields, _ in self.document.entries(self.root, "packages"):
            kind = next((kind for kind in _KINDS if kind in fields), "")
            place = fields.string(kind) if kind else fields.string("url") or fields.string("path")
            self.records[kind or fields.string("kind") or "", place or ""] = fields

    def stack(self, where: Where) -> Stack:
        environment = self._environment()
        name, subdir = self._platform(environment, where)
        if name:
            for fields, line in self.document.entries(environment.table("packages"), name):
                kind = next((kind for kind in _KINDS if kind in fields), "")
                place = fields.string(kind) if kind else ""
                if not place:
                    message = "is neither a conda package nor one of PyPI"
                    raise InputError(message, where=fields.file)
                if kind == "pypi":
                    self._pypi(place, line)
                else:
                    self._conda(kind, place, line)
        return self.found.stack(python=self.found.version("python"), platform=platform_of([subdir]))

    def _environment(self) -> Fields:
        environments = self.root.table("environments")
        names = list(environments)
        if not names:
            raise InputError("has no environments", where=self.shown)
        chosen = "default" if "default" in names else names[0]
        for name in names:
            if name != chosen:
                self.found.skip(f"environment {name}", 0, f"the environment {chosen} is looked at")
        return environments.table(chosen)

    def _platform(self, environment: Fields, where: Where) -> tuple[str, str]:
        """The platform's name in the lock, and conda's name for it."""
        known = {
            one.string("name") or "": one.string("subdir") or one.string("name") or ""
            for one in self.root.tables("platforms")
        }
        names = {name: known.get(name, name) for name in environment.table("packages")}
        wanted = subdir_of(where.platform) if where.platform else DEFAULT_SUBDIR
        fitting = [name for name, subdir in names.items() if subdir == wanted] or (
            [] if where.platform else list(names)[:1]
        )
        if not fitting:
            if not names:
                return "", ""
            there = ", ".join(dict.fromkeys(names.values()))
            message = f"has no packages for {wanted}"
            raise InputError(message, where=self.shown, hint=f"it has them for {printable(there)}")
        for name in fitting[1:]:
            self.found.skip(f"platform {name}", 0, f"the platform {printable(fitting[0])} is looked at")
        return fitting[0], names[fitting[0]]

    def _conda(self, kind: str, place: str, line: int) -> None:
        stated = conda_file(file_name(place)) if kind == "conda" and place.endswith((".conda", ".bz2")) else None
        if stated is not None:
            self.found.conda(*stated, line)
            return
        record = self.records.get((kind, place))
        named = _SOURCE.fullmatch(place)
        name = (record.string("name") if record else "") or (named["name"] if named else "")
        if not name:
            self.found.skip(place, line, "its name is not stated")
            return
        version, build = (record.string("version"), record.string("build")) if record else ("", "")
        reason = "built from source, and its version is not stated"
        self.found.conda(name, version or "", build or "", line, reason=reason)

    def _pypi(self, place: str, line: int) -> None:
        file = file_name(place)
        files = (file,) if file.endswith((".whl", ".tar.gz", ".zip")) else ()
        record = self.records.get(("pypi", place))
        name, version = (record.string("name") or "", record.string("version") or "") if record else ("", "")
        if not name and file.endswith(".whl"):
            name = file.partition("-")[0]
        if not name:
            self.found.skip(place, line, "its name is not stated")
            return
        if not version and files:
            version = version_in(file, name)
        reason = "from a directory or a repository, and its version is not stated"
        self.found.pypi(name, version, line, files=files, reason=reason)
