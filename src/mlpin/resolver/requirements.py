"""The kinds of requirement that the resolver sees for distributions; each can tell whether it admits a candidate."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from mlpin.candidate import PYTHON, Candidate, Key
from mlpin.requirement import Origin, PathSource, Source

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from mlpin.conda.spec import MatchSpec


_LETTER = re.compile("[A-Za-z]")


class Specifier:
    """A PEP 440 specifier set that remembers what it said of each version. Parsed when it is first asked."""

    __slots__ = ("_known", "_parsed", "exact", "names_prerelease", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._known: dict[int, tuple[bool, Version]] = {}
        self._parsed: SpecifierSet | None = None
        # Without a letter there is no pre-release in it, without `==` no exact version.
        self.names_prerelease = _LETTER.search(text) is not None and bool(self._set().prereleases)
        self.exact = "==" in text and any(
            part.operator == "===" or (part.operator == "==" and not part.version.endswith(".*"))
            for part in self._set()
        )
        """Whether it names one version outright, which admits a yanked one (PEP 592)."""

    def _set(self) -> SpecifierSet:
        if self._parsed is None:
            from packaging.specifiers import SpecifierSet

            self._parsed = SpecifierSet(self.text)
        return self._parsed

    def contains(self, version: Version) -> bool:
        """Whether the version is in the set; pre-releases are judged by their place alone."""
        known = self._known.get(id(version))
        if known is None:
            # By identity, which is quick; kept beside the answer, so that no other version can get its id.
            known = self._known[id(version)] = (self._set().contains(version, prereleases=True), version)
        return known[0]


@cache
def specifier(text: str) -> Specifier:
    """The specifier set that `text` is; one object per text."""
    return Specifier(text)


class Specified:
    """A name and a range of versions, from a manifest's line or a candidate's metadata."""

    __slots__ = ("key", "origin", "specifier", "text")

    def __init__(self, key: Key, text: Specifier, origin: Origin) -> None:
        self.key = key
        self.specifier = text
        self.origin = origin

    def admits(self, candidate: Candidate) -> bool:
        """Whether the candidate's version is in the range."""
        return not self.specifier.text or self.specifier.contains(candidate.version)

    def __str__(self) -> str:
        return f"{self.key}{self.specifier.text}"


class SameVersion:
    """What an extra asks of its distribution, or of another extra of it: to be of the very same candidate."""

    __slots__ = ("candidate", "key", "origin")

    def __init__(self, candidate: Candidate, origin: Origin, key: Key | None = None) -> None:
        self.key = key or candidate.key
        self.candidate = candidate
        self.origin = origin

    def admits(self, candidate: Candidate) -> bool:
        """Whether it is that candidate, or an extra's of that candidate."""
        return (candidate.base or candidate) is self.candidate

    def __str__(self) -> str:
        return f"{self.key}=={self.candidate.version}"


class Sourced:
    """A name that may come only from one URL, repository or path."""

    __slots__ = ("key", "origin", "source")

    def __init__(self, key: Key, source: Source, origin: Origin) -> None:
        self.key = key
        self.source = source
        self.origin = origin

    def admits(self, candidate: Candidate) -> bool:
        """Whether the candidate was made from that source; who asks for it editable gets it, too."""
        base = candidate.base or candidate
        return base.source is not None and _place(base.source) == _place(self.source)

    def __str__(self) -> str:
        return f"{self.key} @ {getattr(self.source, 'url', '') or getattr(self.source, 'path', '')}"


def _place(source: Source) -> Source:
    return source._replace(editable=False) if isinstance(source, PathSource) else source


class Matched:
    """A MatchSpec, from a manifest's line or a conda package's dependencies. Only conda's packages satisfy it."""

    __slots__ = ("key", "origin", "spec")

    def __init__(self, key: Key, spec: MatchSpec, origin: Origin) -> None:
        self.key = key
        self.spec = spec
        self.origin = origin

    def admits(self, candidate: Candidate) -> bool:
        """Whether the candidate's record matches."""
        return candidate.record is not None and self.spec.admits(candidate.record)

    def __str__(self) -> str:
        return self.spec.text


class StandsIn:
    """What a conda package asks of the distribution that it carries: to be that one, and no other."""

    __slots__ = ("candidate", "key", "origin")

    def __init__(self, candidate: Candidate, origin: Origin) -> None:
        self.key = candidate.key
        self.candidate = candidate
        self.origin = origin

    def admits(self, candidate: Candidate) -> bool:
        """Whether a conda package stands in with this version; two may carry the same distribution."""
        base = candidate.base or candidate
        return bool(base.carrier) and base.version == self.candidate.version

    def __str__(self) -> str:
        return f"{self.key} {self.candidate.version} as conda's {self.candidate.carrier} has it"


class Carried:
    """What the candidate of a distribution asks of the conda package that stands in for it: to be of this version."""

    __slots__ = ("distribution", "key", "origin", "version")

    def __init__(self, key: Key, distribution: str, version: Version, origin: Origin) -> None:
        self.key = key
        self.distribution = distribution
        self.version = version
        self.origin = origin

    def admits(self, candidate: Candidate) -> bool:
        """Whether the record's version reads as this one."""
        from mlpin.index.names import version

        try:
            return candidate.record is not None and version(candidate.record.version) == self.version
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"{self.key} {self.version}"


class PythonRange:
    """Requires-Python. A target that stands for every patch release is admitted if one of them is in the range."""

    __slots__ = ("key", "origin", "specifier")

    def __init__(self, text: Specifier, origin: Origin) -> None:
        self.key = PYTHON
        self.specifier = text
        self.origin = origin

    def admits(self, candidate: Candidate) -> bool:
        """Whether a Python of the target is in the range."""
        return any(self.specifier.contains(version) for version in candidate.pythons)

    def __str__(self) -> str:
        return f"python{self.specifier.text}"


def python_fits(text: str, pythons: Iterable[Version], *, every: bool = False) -> bool:
    """Whether one of some Pythons is in a range, or every one. True for what cannot be read: pip passes over it."""
    try:
        return (all if every else any)(map(specifier(text).contains, pythons))
    except ValueError:
        return True


class Unusable:
    """What nothing can satisfy: stands for a candidate that cannot be used, with the reason.

    With `older_too` no older release of its key is any better.
    """

    __slots__ = ("candidate", "key", "older_too", "origin", "reason", "remedy")

    def __init__(
        self, candidate: Candidate, reason: str, origin: Origin, remedy: str = "", *, older_too: bool = False
    ) -> None:
        self.older_too = older_too
        self.candidate = candidate
        self.key = Key("none", f"{candidate.key} {candidate.version}")
        self.reason = reason
        self.remedy = remedy
        self.origin = origin

    def admits(self, candidate: Candidate) -> bool:  # noqa: ARG002
        """Nothing."""
        return False

    def __str__(self) -> str:
        return self.reason
