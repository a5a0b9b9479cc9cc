"""Lock and installed environment: what is missing, too much, or not what the lock has.

From metadata files only; nothing is run. What an environment does not say (where a package of conda's came from, what a
file without a hash must be) is not drift.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from mlpin.check import conda
from mlpin.check.model import Drift
from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.index.url import local_path, redacted, strip_credentials
from mlpin.lock.locked import Lock, LockedPackage
from mlpin.requirement import normalise
from mlpin.stack.distributions import Direct, Distribution, Environment
from mlpin.stack.gathered import printable
from mlpin.stack.markers import Markers, target_for
from mlpin.stack.model import Where

if TYPE_CHECKING:
    from packaging.version import Version

    from mlpin.check.recorded import Overlap
    from mlpin.target import Target

_OTHER_OWNERS = {"conda", "rpm", "debian", "dpkg", "apk"}
"""Installers that are no Python's: what they install they build, name and patch in their own ways."""
_EDITABLE = " (editable)"
_CERTIFICATES = "/cacert.pem"
"""Images of companies add their own authority to certifi's, on purpose."""
_SHOWN_FILES = 3
_LISTED_FILES = 50
"""Of all that is no message."""


def drifts(
    lock: Lock,
    target: Target | None,
    environment: Environment,
    *,
    own: frozenset[str] = frozenset(),
    deep: bool = False,
) -> Iterator[Drift]:
    """Where an environment is not as the lock has it, by package.

    `own` are the names of the project itself. `deep` compares the content of large files too. What cannot
    be read in the lock (a marker, a version) is not compared.
    """
    stated = conda.origins(lock, environment)
    comparison = _Comparison(lock, target, environment, own, conda.carried(stated))
    yield from comparison.python()
    for name, entries in sorted(lock.by_name.items()):
        yield from comparison.package(name, entries)
    yield from comparison.files(deep=deep)
    yield from comparison.extra()
    yield from conda.environment(lock, environment, stated)


class _Comparison:
    def __init__(
        self,
        lock: Lock,
        target: Target | None,
        environment: Environment,
        own: Collection[str],
        carried: Collection[str],
    ) -> None:
        self.lock = lock
        self.target = target
        self.environment = environment
        self.locked = lock.by_name
        self.by_conda = {*lock.provided, *carried}
        """What locked conda packages bring along."""
        self.installed: dict[str, list[Distribution]] = {}
        """By name, what is imported: of several folders the first, and all that lie in that one."""
        for one in environment.packages:
            known = self.installed.setdefault(one.name, [one])
            if known[0] is not one and known[0].folder == one.folder:
                known.append(one)
        self.conda = {normalise(one.name): one.version for one in environment.conda}
        self.own = {*map(normalise, own), *(one.name for one in environment.packages if self._is_project(one))}

    def _is_project(self, one: Distribution) -> bool:
        place = local_path(one.direct.url) if one.direct and one.direct.directory else ""
        return bool(place) and os.path.realpath(place) == os.path.realpath(self.lock.path.parent)

    def _drift(
        self, kind: str, message: str, name: str, expected: str, found: str, entry: LockedPackage | None = None
    ) -> Drift:
        """Drift at the package's line of the lock; in the environment where the lock does not have it."""
        if entry is None:
            return Drift("env", kind, message, name, expected, found, self.environment.shown)
        return Drift("env", kind, message, name, expected, found, self.lock.shown, entry.line)

    def python(self) -> Iterator[Drift]:
        """The minor version of Python, where both say one."""
        found, stated = self.environment.python, (self.target.python if self.target else "")
        wanted = stated or next(iter(self.lock.stated.python or ()), "")
        if found and wanted and found.split(".")[:2] != wanted.split(".")[:2]:
            message = f"the environment has Python {found}, the lock is for Python {wanted}"
            line = self.lock.line_of("environments")
            yield Drift("env", "python", message, "", wanted, found, self.lock.shown, line)

    def package(self, name: str, entries: Sequence[LockedPackage]) -> Iterator[Drift]:
        """What is wrong with one package of the lock, but for its files."""
        if name in self.own:
            return
        wanted = [entry for entry in entries if self._holds(entry, self._default_groups)]
        here = self.installed.get(name)
        if here is None:
            if wanted and name not in self.conda:
                yield self._missing(wanted[0])
            return
        fitting = wanted or [entry for entry in entries if self._holds(entry, self._all_choices)]
        if not fitting:
            return
        entry = next((entry for entry in fitting for one in here if _same(entry.version, one.version)), fitting[0])
        versions = sorted({one.version for one in here})
        if len(versions) > 1:
            message = f"{name} is installed in two versions at once, {' and '.join(versions)}"
            yield self._drift("duplicate", message, name, entry.version, ", ".join(versions), entry)
        one = next((one for one in here if _same(entry.version, one.version)), here[0])
        differs = self._other_version(entry, one)
        yield from differs
        if not differs and not self._owned_by_others(one):
            yield from self._other_source(entry, one)

    def _missing(self, entry: LockedPackage) -> Drift:
        title = _title(entry.name, entry.version)
        message, found = f"{title} is in the lock, but not installed", ""
        for broken in self.environment.skipped:
            if normalise(broken.text.partition("-")[0]) == entry.name:
                found = f"{broken.text}: {broken.reason}"
                message = f"{title} is in the lock, but what is installed is broken ({found})"
        return self._drift("missing", message, entry.name, entry.version, found, entry)

    def _other_version(self, entry: LockedPackage, one: Distribution) -> list[Drift]:
        wanted, found = _version(entry.version), _version(one.version)
        if wanted is None or found is None or wanted == found:
            return []
        same_release = wanted.public == found.public
        if same_release and (self._owned_by_others(one) or _label_says_nothing(entry, found)):
            return []
        message = f"{one.name} {one.version} is installed, the lock has {entry.version}"
        kind = "build" if same_release else "version"
        return [self._drift(kind, message, one.name, entry.version, one.version, entry)]

    def _other_source(self, entry: LockedPackage, one: Distribution) -> Iterator[Drift]:
        wanted, found = _locked_source(entry), _installed_source(one)
        message = f"{_title(one.name, one.version)} was installed from {found}, the lock has {wanted}"
        drift = self._drift("source", message, one.name, wanted, found, entry)
        if not _goes_together(entry, one):
            yield drift
        elif self._other_directory(entry, one):
            yield drift._replace(severity="warning")

    def _other_directory(self, entry: LockedPackage, one: Distribution) -> bool:
        """Whether a locked directory is installed in the other way (edits of it count or not), or is another one."""
        direct, tree = one.direct, entry.tree
        if direct is None or not direct.directory or tree is None or tree.kind != "directory":
            return False
        wanted = os.path.realpath(os.path.join(self.lock.path.parent, local_path(tree.place) or tree.place))
        if wanted == os.path.realpath(self.lock.path.parent):
            return False
        if direct.editable != tree.editable:
            return True
        # One of them may be on another machine, or have been moved.
        found = local_path(direct.url)
        return bool(found) and os.path.realpath(found) != wanted and os.path.isdir(found) and os.path.isdir(wanted)

    def files(self, *, deep: bool) -> Iterator[Drift]:
        """What of the locked packages is changed or overwritten by another."""
        from mlpin.check.recorded import Files

        files = Files(self.environment.packages, deep=deep)
        compared = [
            here[0]
            for name, here in self.installed.items()
            if self._entry(name) and name not in self.own and len(here) == 1 and not self._owned_by_others(here[0])
        ]
        for one, altered in sorted(files.altered(compared).items()):
            parts = [f"{printable(file.path)} ({'gone' if file.gone else 'changed'})" for file in altered]
            title, number = _title(one.name, one.version), len(parts)
            count = f"{number} files of {title} are" if number > 1 else f"1 file of {title} is"
            message = f"{count} not as installed: {_first(parts)}"
            listed = _first(parts, _LISTED_FILES)
            drift = self._drift("changed", message, one.name, "", listed, self._entry(one.name))
            by_admin = all(file.path.endswith(_CERTIFICATES) and not file.gone for file in altered)
            yield drift._replace(severity="note") if by_admin else drift
        for one in sorted(compared) if not self.environment.conda else ():  # conda takes the RECORD of what pip built
            if not one.system and (fault := one.broken_record()):
                message = f"the RECORD of {_title(one.name, one.version)} is {fault}, so its files cannot be compared"
                yield self._drift("changed", message, one.name, "", f"RECORD ({fault})", self._entry(one.name))
        for overlap in files.overlaps():
            yield from self._overwritten(overlap)

    def _overwritten(self, overlap: Overlap) -> Iterator[Drift]:
        pair = (overlap.one, overlap.other)
        entries = [entry for one in pair if (entry := self._entry(one.name))]
        if not entries:
            return
        titles = " and ".join(_title(one.name, one.version) for one in pair)
        paths = [printable(path) for path in overlap.paths]
        message = f"{titles} overwrite each other's files: {_first(paths)}"
        listed = _first(paths, _LISTED_FILES)
        drift = self._drift("overwritten", message, entries[0].name, "", listed, entries[0])
        yield drift._replace(severity="warning" if len(entries) == len(pair) else "error")

    def extra(self) -> Iterator[Drift]:
        """What is installed beside what the lock has."""
        for name, here in sorted(self.installed.items()):
            one = here[0]
            known = name in self.locked or name in self.by_conda or name in self.own
            if known or one.tool or one.system or self._owned_by_others(one):
                continue
            message = f"{_title(name, one.version)} is installed, but not in the lock"
            yield self._drift("extra", message, name, "", one.version)

    def _entry(self, name: str) -> LockedPackage | None:
        return next(iter(self.locked.get(name, ())), None)

    def _owned_by_others(self, one: Distribution) -> bool:
        """Whether conda or the operating system installed it."""
        if one.installer.lower() in _OTHER_OWNERS:
            return True
        return one.name in self.conda and self.conda[one.name] == one.version.partition("+")[0]

    # Markers

    @cached_property
    def _markers(self) -> Markers:
        found, target = self.environment, self.target
        markers = Markers(target or target_for(Where(found.python, found.platform)))
        minor = ".".join(found.python.split(".")[:2])
        exact = found.python != minor
        if minor and (exact or minor != markers.environment["python_version"]):
            full = found.python if exact else f"{minor}.0"
            markers.environment |= {
                "python_version": minor,
                "python_full_version": full,
                "implementation_version": full,
            }
        return markers

    def _holds(self, entry: LockedPackage, chosen: Collection[str]) -> bool:
        try:
            return self._markers.hold(entry.marker, self.lock.shown, chosen)
        except InputError:
            return False

    @cached_property
    def _default_groups(self) -> Collection[str]:
        return _strings(self.lock, "default-groups")

    @cached_property
    def _all_choices(self) -> Collection[str]:
        return {*self._default_groups, *_strings(self.lock, "extras"), *_strings(self.lock, "dependency-groups")}


def _strings(lock: Lock, key: str) -> tuple[str, ...]:
    try:
        return Fields(lock.tables, lock.shown).strings(key) or ()
    except InputError:
        return ()


# Where a package is from


def _goes_together(entry: LockedPackage, one: Distribution) -> bool:
    """Whether a distribution may have been installed from what is locked."""
    direct, tree = one.direct, entry.tree
    if direct is None:
        # Without an installer's name nobody promises that it would have been written down.
        return tree is None or not one.installer
    local = bool(local_path(direct.url))
    if tree is None:
        if direct.directory or direct.commit:
            return not entry.files
        return _same_archive(entry, direct)
    if tree.kind == "directory":
        return direct.directory or (local and not direct.commit)
    wanted = tree.commit.lower()
    if direct.commit:
        return not wanted or wanted.startswith(direct.commit) or direct.commit.startswith(wanted)
    # A wheel on a disk may have been built of anything; a forge names its archives by the commit.
    return not direct.directory and (local or wanted in direct.url)


def _same_archive(entry: LockedPackage, direct: Direct) -> bool:
    if direct.url.endswith(".whl") and not _has_wheel(entry):
        return True  # built from what is locked, before it was installed
    algorithm, _, digest = direct.hash.partition("=")
    locked = {file.hashes[algorithm].lower() for file in entry.files if algorithm in file.hashes}
    return not digest or not locked or digest in locked


def _has_wheel(entry: LockedPackage) -> bool:
    return any(file.kind == "wheel" for file in entry.files)


def _locked_source(entry: LockedPackage) -> str:
    tree = entry.tree
    if tree is None:
        return entry.files[0].name if len(entry.files) == 1 else "files of an index"
    place = redacted(strip_credentials(tree.place))
    if tree.kind == "directory":
        return f"the directory {place}{_EDITABLE * tree.editable}"
    return f"commit {tree.commit[:12]} of {place}"


def _installed_source(one: Distribution) -> str:
    direct = one.direct
    if direct is None:
        return "an index"
    if direct.commit:
        return f"commit {direct.commit[:12]} of {direct.url}"
    place = local_path(direct.url) or direct.url
    return f"the directory {place}{_EDITABLE * direct.editable}" if direct.directory else f"another file, {place}"


# Words and versions


def _title(name: str, version: str) -> str:
    return printable(f"{name} {version}".strip())


def _first(parts: Sequence[str], count: int = _SHOWN_FILES) -> str:
    more = len(parts) - count
    return ", ".join(parts[:count]) + (f" and {more} more" if more > 0 else "")


def _version(text: str) -> Version | None:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        return None


def _label_says_nothing(entry: LockedPackage, found: Version) -> bool:
    """Whether another label, or none, may be of what is locked.

    Who builds from source labels the build as the machine wants it. Wheels for one torch (`+cu12torch2.6cxx11abiTRUE`)
    get their label by renaming the file: their metadata has none.
    """
    renamed = "torch" in entry.version.partition("+")[2] and not found.local
    return renamed or not _has_wheel(entry)


def _same(one: str, other: str) -> bool:
    return one == other or (bool(one) and _version(one) == _version(other) is not None)
