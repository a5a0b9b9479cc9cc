"""A lock that exists, as values: what stands in it, with the lines on which its packages begin.

For whoever compares a lock with something else (`check`, `diff`) or writes it in another form (`export`). Any tool may
have made it; what only mlpin writes is empty then. Whether the lock is right is not judged here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.lock.conda import LockedConda, bare, read_all
from mlpin.lock.file import content, digest, unreadable, verify
from mlpin.requirement import normalise
from mlpin.settings import TargetSettings

if TYPE_CHECKING:
    from mlpin.target import Target

FileKind = Literal["wheel", "sdist", "archive"]
_EQUAL = re.compile(r"""\b([a-z_]+) *== *(?:'([^']*)'|"([^"]*)")""")
_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}


class LockedFile(NamedTuple):
    """One file of a locked package."""

    kind: FileKind
    name: str
    url: str
    """Empty where the lock names a path."""
    path: str
    """Relative to the lock's folder, as the lock has it; empty where it names a URL."""
    hashes: Mapping[str, str]
    size: int | None = None
    """Bytes."""
    uploaded: str = ""
    """ISO 8601, or empty."""
    subdirectory: str = ""
    """Of an archive: where in it the project lies."""
    direct: bool = False
    """Whether the lock has it as an `archive`: it was asked for at its place, no index listed it."""

    @property
    def tags(self) -> str:
        """The compressed tag set of a wheel (`py3-none-any`); empty for anything else."""
        return "-".join(self.name.removesuffix(".whl").split("-")[-3:]) if self.kind == "wheel" else ""


class LockedTree(NamedTuple):
    """A source tree: a revision of a repository, or a directory."""

    kind: Literal["vcs", "directory"]
    place: str
    """The repository's URL or path, the directory's path; paths are relative to the lock's folder."""
    commit: str = ""
    revision: str = ""
    """What was asked for."""
    subdirectory: str = ""
    editable: bool = False
    vcs: str = ""
    """`git`, `hg`, …; empty for a directory."""


class LockedPackage(NamedTuple):
    """One package of a lock."""

    name: str
    """Normalised."""
    version: str
    """With its local part; empty where the lock states none (source trees)."""
    line: int
    """On which its table begins in the file; 0 where that is not known."""
    files: tuple[LockedFile, ...]
    tree: LockedTree | None
    index: str  # type: ignore[assignment]  # over tuple.index, which nobody needs here
    dependencies: tuple[str, ...]
    """Names, as the lock's edges have them."""
    marker: str
    requires_python: str
    extras: tuple[str, ...] = ()
    """Which of its extras are locked with it (only in mlpin's locks, as all below)."""
    requires: tuple[str, ...] = ()
    """Requirements on its edges, like `numpy>=1.17`."""
    build_line: str = ""
    """`cu124`, `cpu`, as mlpin recorded it."""
    rules: tuple[str, ...] = ()
    yanked: bool = False
    """Whether it was yanked when it was locked already."""

    def applies(self, target: Target | None) -> bool:
        """Whether an installer takes it on the target, no extra and no group chosen; True where that cannot be told."""
        return target is None or not self.marker or marker_holds(self.marker, target)

    def best(self, target: Target | None) -> LockedFile | None:
        """The file that an installer takes on the target; the first one where there is no target. None: a tree."""
        if target is None:
            return self.files[0] if self.files else None
        wheels = [file for file in self.files if file.kind == "wheel" and file.tags.count("-") == 2]
        ranked = [(rank, file.name, file) for file in wheels if (rank := target.rank(file.tags)) is not None]
        if ranked:
            return min(ranked)[2]
        return next((file for file in self.files if file.kind != "wheel"), None)


class RecordedLine(NamedTuple):
    """A line of the project's as the lock has it."""

    text: str
    file: str
    """Where it stands, from the lock's folder; empty where it came from no file."""


def marker_holds(marker: str, target: Target) -> bool:
    """Whether a marker of a lock (PEP 751) holds on the target; one that is none does, for it restricts nothing."""
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName

    chosen: dict[str, set[str]] = {"extras": set(), "dependency_groups": set()}
    try:
        return bool(Marker(marker).evaluate({**target.markers, **chosen}, "lock_file"))
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName):
        return True


class Lock:
    """A lock as it was read. `shown` is how messages name the file."""

    def __init__(self, tables: Mapping[str, Any], text: str, path: Path, shown: str) -> None:
        self.tables = tables
        self.path = path
        self.shown = shown
        self._text = text
        self._root = Fields(tables, shown)
        self._own = self._root.table("tool").table("mlpin")
        self.created_by = self._root.string("created-by") or ""
        self.requires_python = self._root.string("requires-python") or ""
        self.environments = self._root.strings("environments") or ()
        self.fingerprint = self._own.string("fingerprint") or ""
        self.extras = self._own.strings("extras") or ()
        self.groups = self._own.strings("groups") or ()
        self.options: Mapping[str, Any] = self._own.table("options").data
        self.floor: Mapping[str, Any] = self._own.table("floor").data
        """`glibc`, `driver`, `gpus`: what the locked builds need."""
        self.matrix_digest = self._own.table("matrix").string("digest") or ""
        self.packages = tuple(
            self._package(fields, line)
            for fields, line in zip(self._root.tables("packages"), self._lines_of(self._root, "packages"), strict=True)
        )
        self.conda = read_all(self._own.tables("conda"), self._lines_of(self._own, "conda"))
        """The conda packages, in the lock's order; each name once."""
        self.channels = tuple(bare(text) for text in self._own.strings("channels") or ())
        """conda's, in their order: names, or URLs without credentials."""
        self.channel_priority = self._own.string("channel-priority") or ""
        machine = self._own.table("target").table("virtual-packages")
        self.virtual_packages = {name: machine.string(name) or "" for name in machine}
        """Those that were resolved for: `version` or `version=build` by name."""

    def lines(self, key: str) -> list[RecordedLine]:
        """The `requirements`, `constraints` or `overrides` that were locked."""
        return [
            RecordedLine(text, re.sub(r":\d+$", "", place)) if mark else RecordedLine(place, "")
            for text, mark, place in (line.rpartition("  # ") for line in self._own.strings(key) or ())
        ]

    def given(self, key: str) -> list[RecordedLine]:
        """Of these the lines of files that the command line named, not of settings."""
        return [line for line in self.lines(key) if line.file and not line.file.endswith(".toml")]

    @cached_property
    def conda_file(self) -> tuple[str, str] | None:
        """The name of the file beside the lock that conda's clients install, and its sha256; None: there is none."""
        fields = self._own.table("conda-file")
        name, sha256 = fields.string("name") or "", (fields.string("sha256") or "").lower()
        if not name:
            return None
        if "/" in name or "\\" in name or name in {".", ".."} or not name.isprintable():
            raise fields.error("name", "must be the name of a file beside the lock")
        return name, sha256

    @property
    def provided(self) -> Mapping[str, LockedConda]:
        """By normalised name, the distributions of PyPI that a conda package stands in for."""
        return {name: package for package in self.conda for name in package.provides}

    @property
    def ours(self) -> bool:
        """Whether mlpin made it."""
        return self.created_by == "mlpin"

    @cached_property
    def intact(self) -> bool:
        """Whether the digest holds: nobody edited it. False where it has none."""
        return self._own.string("digest") == f"sha256:{digest(self.tables)}"

    @property
    def by_name(self) -> Mapping[str, Sequence[LockedPackage]]:
        """The packages by name. A name has several where markers tell them apart."""
        found: dict[str, list[LockedPackage]] = {}
        for package in self.packages:
            found.setdefault(package.name, []).append(package)
        return found

    @cached_property
    def stated(self) -> TargetSettings:
        """The target: as mlpin recorded it, else what the one environment says that it is for. Unchecked."""
        return recorded(self._root) or named(self._root)

    @property
    def detected(self) -> Sequence[str]:
        """Which facts of the target were detected when it was locked."""
        return self._own.table("target").strings("detected") or ()

    def line_of(self, text: str) -> int:
        """The first line that begins with `text`; 0 where none does."""
        return next((number for number, line in enumerate(self._lines, 1) if line.startswith(text)), 0)

    @cached_property
    def _lines(self) -> list[str]:
        return self._text.split("\n")

    def _lines_of(self, fields: Fields, key: str) -> list[int]:
        """The lines on which the tables of an array begin; 0 for each where they are written otherwise."""
        count, header = len(fields.items(key)), f"[[{fields.where(key)}]]"
        numbers = [number for number, line in enumerate(self._lines, 1) if line.rstrip() == header] if count else []
        return numbers if len(numbers) == count else [0] * count

    def _package(self, fields: Fields, line: int) -> LockedPackage:
        own = fields.table("tool").table("mlpin")
        name = fields.string("name")
        if not name:
            raise InputError("a package has no name", where=f"{self.shown}:{line}" if line else self.shown)
        return LockedPackage(
            normalise(name),
            fields.string("version") or "",
            line,
            tuple(_files(fields)),
            _tree(fields),
            fields.string("index") or "",
            tuple(edge.string("name") or "" for edge in fields.tables("dependencies")),
            fields.string("marker") or "",
            fields.string("requires-python") or "",
            own.strings("extras") or (),
            own.strings("requires") or (),
            own.string("line") or "",
            own.strings("rules") or (),
            "yanked" in own,
        )


def recorded(root: Fields) -> TargetSettings | None:
    """The target as mlpin wrote it into a lock, unchecked; None in other tools' locks."""
    own = root.table("tool").table("mlpin").table("target")
    if not own.data:
        return None
    python = own.string("python")
    return TargetSettings(
        name=own.string("name") or "",
        python=(python,) if python else None,
        platform=own.string("platform"),
        glibc=own.string("glibc"),
        accelerator=own.string("accelerator"),
        driver=own.string("driver"),
        gpus=own.strings("gpus"),
        cuda=own.string("cuda"),
    )


def named(root: Fields) -> TargetSettings:
    """Python and platform, where a lock is for one environment and names these in its marker (PEP 751)."""
    environments = root.strings("environments") or ()
    if len(environments) != 1 or " or " in environments[0]:
        return TargetSettings()
    facts = {name: one or other for name, one, other in _EQUAL.findall(environments[0])}
    system, machine = _SYSTEMS.get(facts.get("sys_platform", "")), facts.get("platform_machine", "")
    python = facts.get("python_full_version", "") or facts.get("python_version", "")
    return TargetSettings(
        python=(python,) if python else None,
        platform=f"{system}-{machine.lower()}" if system and machine else None,
    )


def _files(fields: Fields) -> list[LockedFile]:
    found = [_file("wheel", table) for table in fields.tables("wheels")]
    if fields.table("sdist").data:
        found.append(_file("sdist", fields.table("sdist")))
    if fields.table("archive").data:
        found.append(_file("archive", fields.table("archive")))
    return found


def _file(kind: FileKind, fields: Fields) -> LockedFile:
    from urllib.parse import unquote, urlsplit

    url, path, size = fields.string("url") or "", fields.string("path") or "", fields.data.get("size")
    name = fields.string("name") or (unquote(urlsplit(url).path) if url else path).rpartition("/")[2]
    direct = kind == "archive"
    if direct and name.endswith(".whl"):
        kind = "wheel"
    uploaded = fields.data.get("upload-time")
    hashes = fields.table("hashes").data
    return LockedFile(
        kind,
        name,
        url,
        path,
        {key: value for key, value in hashes.items() if isinstance(value, str)},
        size if isinstance(size, int) else None,
        uploaded.isoformat() if isinstance(uploaded, datetime) else "",
        fields.string("subdirectory") or "",
        direct,
    )


def _tree(fields: Fields) -> LockedTree | None:
    if "vcs" in fields:
        vcs = fields.table("vcs")
        return LockedTree(
            "vcs",
            vcs.string("url") or vcs.string("path") or "",
            vcs.string("commit-id") or "",
            vcs.string("requested-revision") or "",
            vcs.string("subdirectory") or "",
            vcs=vcs.string("type") or "",
        )
    if "directory" in fields:
        folder = fields.table("directory")
        return LockedTree(
            "directory",
            folder.string("path") or "",
            subdirectory=folder.string("subdirectory") or "",
            editable=bool(folder.boolean("editable")),
        )
    return None


def read(path: Path, shown: str) -> Lock | None:
    """The lock at `path`; None where there is none. Raises `InputError` where it is no lock."""
    data = content(path, shown)
    return None if data is None else parsed(data, path, shown)


def parsed(data: bytes, path: Path, shown: str) -> Lock:
    """The lock that `data` holds, as if it lay at `path`. Raises `InputError` where it is no lock."""
    try:
        text = data.decode()
        tables = tomllib.loads(text)
        verify(tables)
        return Lock(tables, text, path, shown)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError, ValueError) as error:
        raise unreadable(error, shown) from None
