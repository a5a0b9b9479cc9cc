"""What is asked for: requirements as manifests declare them, and where each one comes from.

`Declared` is a requirement in the user's words, before any target's markers are evaluated: strings,
parsed only as far as to know the name. `Specified` is what the resolver sees: a key, a range of
versions, and the origin that a report shows. This module knows nothing of files' formats or indexes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from typing import Protocol

    from mlpin.candidate import Candidate, Key

    class Requirement(Protocol):
        """What the resolver asks of every kind of requirement (specifier, MatchSpec, rule)."""

        @property
        def key(self) -> Key: ...

        @property
        def origin(self) -> Origin: ...

        def admits(self, candidate: Candidate) -> bool:
            """Whether this candidate satisfies the requirement."""
            ...


OriginKind = Literal["manifest", "option", "config", "candidate", "target", "lock", "rule"]

_LEADING = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?=$|[\[<>=!~;@(,\s])")
_SEPARATORS = re.compile(r"[-_.]+")


def normalise(name: str) -> str:
    """The name as PEP 503 compares it."""
    return _SEPARATORS.sub("-", name).lower()


def name_in(line: str) -> str:
    """The normalised name that a requirement begins with; empty where it begins with a path or a URL."""
    match = _LEADING.match(line)
    return normalise(match[1]) if match else ""


class Origin(NamedTuple):
    """Where a requirement stands. `text` is the author's own line, with no credential in it."""

    kind: OriginKind
    file: str = ""
    line: int = 0
    text: str = ""

    @property
    def place(self) -> str:
        """`file:line`, `file` where the line is not known, or the kind's own word."""
        if self.file:
            return f"{self.file}:{self.line}" if self.line else self.file
        return {"option": "command line", "target": "target"}.get(self.kind, self.kind)


class IndexSource(NamedTuple):
    """Only from the index of this name (`[tool.mlpin.packages]`, `[tool.uv.sources]`)."""

    index: str  # type: ignore[assignment]  # over tuple.index, which nobody needs here


class UrlSource(NamedTuple):
    """A wheel or source archive at a URL (http, https or file). Fragments other than hashes are gone."""

    url: str
    subdirectory: str = ""


class VcsSource(NamedTuple):
    """A revision of a repository, as `git+https://…@rev#subdirectory=…` names it."""

    vcs: str
    url: str
    revision: str = ""
    subdirectory: str = ""


class PathSource(NamedTuple):
    """A directory, wheel or source archive on this machine; `path` is absolute and POSIX."""

    path: str
    editable: bool = False
    subdirectory: str = ""


Source = IndexSource | UrlSource | VcsSource | PathSource


class Declared(NamedTuple):
    """One requirement of a manifest, a constraint or an override.

    `name` is normalised, and empty where only the source's metadata can tell it (`./dir`, a bare
    `git+…`). `specifier` and `marker` are PEP 440 and PEP 508 text, empty where there is none, checked
    for syntax when they were read. `hashes` are `algorithm:hex` and restrict the files.
    """

    name: str
    origin: Origin
    extras: tuple[str, ...] = ()
    specifier: str = ""
    marker: str = ""
    source: Source | None = None
    hashes: tuple[str, ...] = ()
    conda: str = ""
    """A MatchSpec: the requirement is on a conda package, `name` is its name, and of the rest only `marker` counts."""
