"""The packages of a stack while its file is read: names and versions checked, each package kept once.

Knows what a name and a version look like; knows no format.
"""

from __future__ import annotations

import re

from mlpin.errors import InputError
from mlpin.requirement import normalise
from mlpin.settings import TargetSettings
from mlpin.stack.model import Kind, Pinned, Skipped, Stack

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_CONDA_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_CONDA_VERSION = re.compile(r"[A-Za-z0-9._+!*-]{1,200}")
_CONDA_BUILD = re.compile(r"[A-Za-z0-9._+!*-]{0,200}")
# What nearly every version looks like; the rest is left to `packaging`.
_VERSION = re.compile(
    r"[0-9]{1,18}(?:\.[0-9]{1,18})*+(?:(?:a|b|rc)[0-9]{1,18})?(?:\.post[0-9]{1,18})?(?:\.dev[0-9]{1,18})?"
    r"(?:\+[a-z0-9]{1,64}(?:\.[a-z0-9]{1,64})*+)?"
)
_SHOWN = 200


def is_name(text: str) -> bool:
    """Whether `text` can be the name of a Python package."""
    return bool(_NAME.fullmatch(text))


def is_version(text: str) -> bool:
    """Whether `text` is a version of PEP 440."""
    if _VERSION.fullmatch(text):
        return True
    from packaging.version import Version

    try:
        Version(text)
    except ValueError:
        return False
    return text == text.strip()


def printable(text: str) -> str:
    """`text` on one line of bearable length, fit for any terminal."""
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[: _SHOWN + 1])
    return clean if len(clean) <= _SHOWN else clean[: _SHOWN - 1] + "…"


class Gathered:
    """Packages and skipped lines in the order in which they were found."""

    def __init__(self, shown: str, kind: Kind) -> None:
        self.shown = shown
        self.kind = kind
        self.skipped: list[Skipped] = []
        self._packages: dict[tuple[str, str, str, str], Pinned] = {}

    def error(self, line: int, message: str, *, hint: str | None = None) -> InputError:
        """An `InputError` at a line of the file; the caller raises it."""
        return InputError(message, where=f"{self.shown}:{line}" if line else self.shown, hint=hint)

    def pypi(
        self, name: str, version: str, line: int = 0, *, files: tuple[str, ...] = (), text: str = "", reason: str = ""
    ) -> None:
        """A Python package. Without a version that can be read it is skipped as well, as `text` with the `reason`."""
        if not is_name(name):
            raise self.error(line, f"`{printable(name)}` is not the name of a package")
        if version and not is_version(version):
            version, reason = "", f"`{printable(version)}` is not a version (PEP 440)"
        if not version:
            self.skip(text or name, line, reason or "its version is not stated")
        self._add(Pinned(normalise(name), version, line, "pypi", "", files))

    def conda(self, name: str, version: str, build: str, line: int = 0, *, reason: str = "") -> None:
        """A conda package, as `pypi` has it."""
        for text, form, what in (
            (name, _CONDA_NAME, "name of a conda package"),
            (version or "0", _CONDA_VERSION, f"version of `{printable(name)}`"),
            (build, _CONDA_BUILD, f"build of `{printable(name)}`"),
        ):
            if not form.fullmatch(text):
                raise self.error(line, f"`{printable(text)}` cannot be the {what}")
        if not version:
            self.skip(name, line, reason or "its version is not stated")
        self._add(Pinned(name.lower(), version, line, "conda", build))

    def _add(self, found: Pinned) -> None:
        key = (found.ecosystem, found.name, found.version, found.build)
        known = self._packages.get(key)
        if known is not None:
            found = known._replace(files=tuple(dict.fromkeys((*known.files, *found.files))))
        self._packages[key] = found

    def skip(self, text: str, line: int, reason: str) -> None:
        """Something that is no exact version, with the reason; said once."""
        entry = Skipped(printable(text), line, reason)
        if entry not in self.skipped:
            self.skipped.append(entry)

    def version(self, name: str) -> str:
        """The version of the conda package `name`; empty where there is none."""
        found = (one.version for one in self._packages.values() if one.ecosystem == "conda" and one.name == name)
        return next(found, "")

    def stack(self, *, python: str = "", platform: str = "", target: TargetSettings | None = None) -> Stack:
        """What was gathered."""
        packages = tuple(self._packages.values())
        return Stack(self.shown, self.kind, packages, python, platform, target, tuple(self.skipped))
