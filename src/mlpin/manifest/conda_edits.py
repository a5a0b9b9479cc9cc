"""A requirement on a conda package with another version in it, as its author would write it.

Knows conda's words and nothing of files: where the words stand is `edits`' work.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mlpin.errors import InputError
from mlpin.manifest.conda_lines import spelled
from mlpin.manifest.pixi_lines import spec_version
from mlpin.requirement import Declared

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_VERSION = r"(?:[<>=!~]{1,2}\s*)?[0-9*][A-Za-z0-9_.*+!]*"
_PARTS = re.compile(
    rf"(?P<head>(?:\S*::)?{_NAME})(?P<gap>\s*)(?P<version>{_VERSION}(?:\s*,\s*{_VERSION})*)?"
    r"(?P<build>(?:=|\s+)[A-Za-z0-9_.*+]+)?"
)
_CLAUSE = re.compile(r"(?P<sign>(?:==|!=|>=|<=|~=|>|<|=)?\s*)(?P<number>[0-9][A-Za-z0-9_.+!]*?)(?P<star>\.?\*)?")
_ANY = ("", "*", "=*")


class Parts(NamedTuple):
    """A MatchSpec without brackets, in pieces that give it again when they are joined."""

    head: str
    """The name, with its channel."""
    gap: str
    version: str
    build: str
    """With the sign or the blank before it."""

    @property
    def wanted_build(self) -> str:
        return self.build.lstrip("= ")

    @property
    def pinned(self) -> bool:
        """Whether it names one version or release line, no range."""
        return bool(self.version) and not re.search(r"[<>!~]", self.version)

    def __str__(self) -> str:
        return "".join(self)


def parts(text: str) -> Parts | None:
    """The pieces of a MatchSpec; None where it is written in brackets, has alternatives, or in any other odd way."""
    found = _PARTS.fullmatch(text)
    return Parts(**{key: piece or "" for key, piece in found.groupdict().items()}) if found else None


def respecified(text: str, new: str, *, outright: bool = False) -> str | None:
    """A version spec as its author would write it to admit the version `new`: a pin moves, a bound in the way goes.

    A lower bound above the version comes down to it; an upper bound below it is dropped, and so is an exclusion. As
    many places of a version are written as before, unless that version is named `outright`. None where the spec is no
    list of plain clauses.
    """
    from mlpin.conda.version_spec import version, version_spec

    kept = []
    for clause in text.split(",") if text.strip() not in _ANY else ():
        found = _CLAUSE.fullmatch(clause.strip())
        if found is None:
            return None
        sign, old, star = found["sign"], found["number"], found["star"] or ""
        operator = sign.strip()
        try:
            if version_spec(re.sub(r"\s+", "", clause))[new] and not (outright and operator == "="):
                kept.append(clause.strip())
            elif operator in {"", "=", "==", "~="}:
                exact = not star and (operator in {"", "=="} or outright)
                kept.append(f"{sign}{new if exact else _cut(new, old, least=2 if operator == '~=' else 1)}{star}")
            elif operator in {">=", ">"} and version(new) <= version(old):
                kept.append(f"{sign.replace('>=', '>').replace('>', '>=')}{_cut(new, old)}")
        except InputError:
            return None
    said = (", " if re.search(r",\s", text) else ",").join(kept)
    return said if not said or version_spec(re.sub(r"\s+", "", said))[new] else None


def _cut(new: str, old: str, least: int = 1) -> str:
    """A version with as many places as another one has, where it has so many."""
    return ".".join(new.split(".")[: max(least, old.count(".") + 1)])


def moved(text: str, new: str) -> str | None:
    """A MatchSpec for another version. A build that is named outright goes: it is one of the old version."""
    found = parts(text)
    if found is None:
        return None
    build = found.build if "*" in found.build else ""
    changed = respecified(found.version, new, outright=found.build.startswith("="))
    if changed is None:
        return None
    gap = found.gap if changed and (found.gap or re.match("[<>=!~]", changed)) else ""
    return str(found._replace(gap=gap, version=changed, build=build if changed else re.sub("^=", " * ", build)))


def any_build(text: str) -> str | None:
    """A MatchSpec without its build; None where it has none."""
    found = parts(text)
    if found is None or not found.build:
        return None
    bare = found.version.strip() in _ANY
    return found.head if bare else str(found._replace(build=""))


def respelled(written: str, asked: Declared, new: str) -> str | None:
    """The requirement `written` as the MatchSpec `new` has it; None where it is not the one `asked` for.

    A channel stays as it is written.
    """
    mine, theirs, before = parts(" ".join(written.split())), parts(new), parts(asked.conda)
    if mine is None or theirs is None or before is None or spelled(written) != spelled(asked.origin.text):
        return None
    if theirs.head != before.head:
        return None
    keeps = re.match("[<>=!~]", mine.version) and re.match("[<>=!~]", theirs.version)
    return str(theirs._replace(head=mine.head, gap=mine.gap if keeps else theirs.gap))


def pixi_version(written: object, asked: Declared, new: str) -> str | None:
    """The version of the MatchSpec `new` in pixi's words, for that of what is `asked` for, which is `written` so.

    None where it is another one, or more than the version differs.
    """
    before, after = parts(asked.conda), parts(new)
    if before is None or after is None or before.build != after.build or not isinstance(written, str):
        return None
    if spec_version(written) != before.version:
        return None
    bare = not written.startswith("=")  # in pixi's words a version alone is that one
    said = (after.version.removeprefix("==") if bare else after.version) or "*"
    return said if spec_version(said) == (after.version or "*") else None
