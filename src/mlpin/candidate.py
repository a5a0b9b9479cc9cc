"""What could be installed: keys, files, versions of a project, candidates, and why one was rejected.

These are values. A `Listing` is what an index says of a project, the same for every target; a
`Candidate` is one version seen from one target. How files are chosen is the work of `resolver.view`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from packaging.version import Version

    from mlpin.conda.record import CondaRecord
    from mlpin.requirement import Source


class Key(NamedTuple):
    """What the resolver decides one candidate for.

    `kind` is `pypi` for a distribution, `conda` for a conda package (virtual ones too), `env` for a fact of the target
    (`python`), `if` for the presence of a
    distribution and `line` for the build line of a family (`resolver.rules`), `none` for what nothing can satisfy. An
    extra of a distribution is a key of its own.
    """

    kind: str
    name: str
    extra: str = ""

    def __str__(self) -> str:
        return f"{self.name}[{self.extra}]" if self.extra else self.name


@cache
def distribution(name: str, extra: str = "") -> Key:
    """The key of a distribution by its normalised name."""
    return Key("pypi", name, extra)


PYTHON = Key("env", "python")


class Artifact(NamedTuple):
    """One file of a project as an index lists it."""

    filename: str
    url: str
    """Absolute, without credentials and fragment."""
    hashes: tuple[tuple[str, str], ...] = ()
    """(algorithm, hexadecimal), sorted."""
    requires_python: str = ""
    yanked: str | None = None
    """None: not yanked. Else the reason, possibly empty (PEP 592)."""
    size: int | None = None
    """Bytes."""
    upload_time: str = ""
    """RFC 3339 in UTC as the index gives it (PEP 700), or empty."""
    metadata: str = ""
    """PEP 658: `sha256:hex` of the metadata file, `true` where its hash is not given, empty: none."""
    tags: str = ""
    """The compressed tag set of a wheel (`py3-none-any`); empty for a source archive."""
    build: str = ""
    """A wheel's build tag."""

    @property
    def is_wheel(self) -> bool:
        return bool(self.tags)

    @property
    def sha256(self) -> str:
        """The sha256 in hexadecimal, or empty."""
        return next((value for name, value in self.hashes if name == "sha256"), "")

    @property
    def secure_hashes(self) -> dict[str, str]:
        """Those of its hashes that a lock may rest on."""
        return {name: value for name, value in self.hashes if name in {"sha256", "sha384", "sha512"}}


class Listing:
    """What one index says of one project: its versions, newest first, each with its files.

    `index` is the index's URL without credentials, empty where no index has the project. Versions are
    text here and parsed by whoever looks at them; the order is that of PEP 440. `unreadable` are file
    names that follow no specification (old installers, broken versions), with the reason.
    """

    __slots__ = ("_indexes", "index", "name", "unreadable", "versions")

    def __init__(
        self,
        name: str,
        index: str,
        versions: Mapping[str, tuple[Artifact, ...]],
        unreadable: tuple[tuple[str, str], ...] = (),
        indexes: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.index = index
        self.versions = versions
        self.unreadable = unreadable
        self._indexes = indexes

    @property
    def found(self) -> bool:
        """Whether any index has the project at all."""
        return bool(self.index)

    def files(self, version: str, wanted: Callable[[str], bool]) -> Sequence[Artifact]:
        """The files of a version whose tags are wanted (empty for a source archive)."""
        some = getattr(self.versions, "files", None)
        if some is not None:
            return some(version, wanted)  # type: ignore[no-any-return]
        return [file for file in self.versions[version] if wanted(file.tags)]

    def index_of(self, version: str) -> str:
        """The index that provides a version; `index` unless several were joined."""
        return self._indexes[version] if self._indexes else self.index


def joined(name: str, listings: Sequence[Listing], order: Callable[[str], Any] | None = None) -> Listing:
    """Several listings of one project as one: the first that has a version provides it.

    `order` sorts the versions by what it makes of them, highest first; without it they stay as they come.
    """
    found = [listing for listing in listings if listing.found]
    if not found:
        return Listing(name, "", {})
    if len(found) == 1:
        return found[0]
    versions: dict[str, tuple[Artifact, ...]] = {}
    indexes: dict[str, str] = {}
    for listing in found:
        for version in listing.versions:
            if version not in versions:
                versions[version] = listing.versions[version]
                indexes[version] = listing.index_of(version)
            else:
                names = {file.filename for file in versions[version]}
                versions[version] += tuple(file for file in listing.versions[version] if file.filename not in names)
    if order is not None:
        versions = {key: versions[key] for key in sorted(versions, key=order, reverse=True)}
    unreadable = tuple(entry for listing in found for entry in listing.unreadable)
    return Listing(name, found[0].index, versions, unreadable, indexes)


MetadataOrigin = Literal["metadata-file", "wheel", "sdist", "assumed", "supplied", "source-tree"]


class Dependency(NamedTuple):
    """One `Requires-Dist`, taken apart once when the metadata is first read.

    `extra` is set where the marker is `… and extra == "x"`; `marker` is what then remains of it.
    A marker that mentions `extra` in any other way stands whole in `marker` with `mentions_extra`.
    """

    name: str
    extras: tuple[str, ...] = ()
    specifier: str = ""
    url: str = ""
    marker: str = ""
    extra: str = ""
    mentions_extra: bool = False
    text: str = ""
    """The line as the metadata has it."""
    source: Source | None = None
    """Where it comes from, if a source tree says that beside its metadata (`[tool.uv.sources]`)."""


class Metadata(NamedTuple):
    """The part of a distribution's core metadata that resolving needs."""

    name: str
    version: str
    requires_python: str = ""
    dependencies: tuple[Dependency, ...] = ()
    extras: tuple[str, ...] = ()
    """Normalised `Provides-Extra`."""
    origin: MetadataOrigin = "wheel"

    def has_extra(self, extra: str) -> bool:
        """Whether there is an extra of this name."""
        return extra in self.extras or any(dependency.extra == extra for dependency in self.dependencies)


RejectionKind = Literal[
    "python",
    "tags",
    "yanked",
    "cutoff",
    "hash",
    "binary-policy",
    "metadata",
    "prerelease",
    "constraint",
    "files",
    "rule",
    "line",
    "channel",
]


class Rejection(NamedTuple):
    """A version that exists and is not offered for a target, with the reason and what would help."""

    name: str
    version: str
    kind: RejectionKind
    reason: str
    remedy: str = ""
    fact: str = ""
    """What of the target or of the options it rests on: `python`, `glibc`, `platform`, `driver`, `gpu:NAME`, `cuda`,
    `accelerator`, `exclude-newer`, `only-binary`, `no-binary`; empty where it is none of these."""
    rule: str = ""
    """The id of the rule of the matrix that says so."""
    source: str = ""
    """Where a rule or a table of the matrix has it from."""

    @property
    def cited(self) -> str:
        """The reason with its source."""
        return f"{self.reason} ({self.source})" if self.source else self.reason


class Candidate:
    """One version of a key on one target. Compared by identity: there is one object per candidate.

    `wheels` are those that fit the target, best first. `spare` is a wheel for another one, whose metadata may stand
    for that of a source archive without any. `base` is, for an extra's key, the candidate of the
    distribution itself. `notes` are what the user should know if this one is locked (it must be built, …).
    `pythons` are, for the key `python`, the versions that the target stands for. `record` is that of a conda package,
    whose version goes by conda's order. `carrier` is the conda package that stands in for a distribution.
    """

    __slots__ = (
        "base",
        "carrier",
        "index",
        "key",
        "notes",
        "pythons",
        "record",
        "sdist",
        "source",
        "spare",
        "version",
        "wheels",
        "yanked",
    )

    def __init__(
        self,
        key: Key,
        version: Version,
        wheels: tuple[Artifact, ...] = (),
        sdist: Artifact | None = None,
        index: str = "",
        yanked: str | None = None,
        base: Candidate | None = None,
        source: Source | None = None,
        notes: tuple[str, ...] = (),
        pythons: tuple[Version, ...] = (),
        spare: Artifact | None = None,
        record: CondaRecord | None = None,
        carrier: str = "",
    ) -> None:
        self.key = key
        self.version = version
        self.wheels = wheels
        self.sdist = sdist
        self.index = index
        self.yanked = yanked
        self.base = base
        self.source = source
        self.notes = notes
        self.pythons = pythons
        self.spare = spare
        self.record = record
        self.carrier = carrier

    @property
    def name(self) -> str:
        return self.key.name

    def __str__(self) -> str:
        return f"{self.key} {self.record.version if self.record is not None else self.version}"

    def __repr__(self) -> str:
        return f"<{self}>"
