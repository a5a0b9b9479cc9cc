"""Two locks compared: which packages differ and how, and files whose bytes changed under their name.

Pure: no file, no index. Locks of any tool are taken. What one of the two does not state is not told. What the
difference means for a machine is `meaning`'s work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from mlpin.errors import InputError
from mlpin.index.url import redacted, strip_credentials
from mlpin.lock.conda import LockedConda
from mlpin.lock.locked import Lock, LockedPackage
from mlpin.lock.meaning import Download, Meaning, build_line, download, meanings, own_line
from mlpin.matrix.ranges import version

if TYPE_CHECKING:
    from mlpin.matrix.matrix import Matrix
    from mlpin.target import Target

Kind = Literal["added", "removed", "up", "down", "changed", "build", "source", "marker", "files"]
"""`build`: another local version (+cu124, +cu126) of the same public one. `changed`: a version that cannot be ordered.
`source`: another index, commit, repository, directory or archive. `marker` and `files`: nothing else changed."""
_STRONG = re.compile(r"sha(256|384|512)|sha3_(256|384|512)|blake2[bs]")
"""Hashes that nobody can forge a file for."""
KINDS: tuple[Kind, ...] = ("added", "removed", "up", "down", "changed", "build", "source", "marker", "files")


class Detail(NamedTuple):
    """One thing of a package that is not its version."""

    kind: Literal["index", "commit", "source", "marker", "file", "hash", "channel", "build"]
    old: str
    new: str
    """Empty where there is none any more. A `file` with the same name twice has other bytes now. `hash`: algorithms.
    `channel` and `build` are of conda packages."""


class PackageChange(NamedTuple):
    """One package that differs. Versions are empty where the lock states none (source trees)."""

    kind: Kind
    name: str
    old: str = ""
    new: str = ""
    marker: str = ""
    """Which of several packages of the name it is; empty where there is one."""
    details: tuple[Detail, ...] = ()
    conda: bool = False
    """Whether it is a conda package; a name may be one in both worlds."""


class Alarm(NamedTuple):
    """A file that kept its name and not its bytes."""

    package: str
    version: str
    file: str
    algorithm: str
    old: str
    new: str
    """The hashes."""
    indexes: tuple[str, str] | None = None
    """Before and after, where the index changed too."""


class Difference(NamedTuple):
    """All that differs between two locks, sorted; everything is empty where nothing does."""

    changes: tuple[PackageChange, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    meanings: tuple[Meaning, ...] = ()
    download: Download | None = None

    @property
    def any(self) -> bool:
        """Whether anything differs."""
        return bool(self.changes or self.alarms or self.meanings or self.download)


def difference(old: Lock, old_target: Target | None, new: Lock, new_target: Target | None, rules: Matrix) -> Difference:
    """What differs between two locks, each with its target where that is known. `rules` says what builds are."""
    lines = build_line(old, rules), build_line(new, rules)
    changes: list[PackageChange] = []
    alarms: list[Alarm] = []
    olds, news = old.by_name, new.by_name
    for name in {**olds, **news}:
        several = max(len(olds.get(name, ())), len(news.get(name, ()))) > 1
        for before, after in _paired(olds.get(name, ()), news.get(name, ())):
            change, other_bytes = _compared(before, after)
            if change is not None:
                marker = (after or before).marker if several else ""  # type: ignore[union-attr]
                changes.append(change._replace(marker=marker))
            # Indexes of build lines carry the same file name with other bytes: there it is no surprise.
            if not any(alarm.indexes for alarm in other_bytes) or not _another_line(before, after, lines, rules):
                alarms += other_bytes
    for one, other in _conda_pairs(old, new):
        change, other_bytes = _conda_compared(one, other)
        changes += [change] if change else []
        alarms += other_bytes
    return Difference(
        tuple(sorted(changes, key=lambda one: (KINDS.index(one.kind), one.name, one.conda, one.marker))),
        tuple(sorted(alarms, key=lambda one: one[:4])),
        meanings(old, new, rules),
        download(old, old_target, new, new_target),
    )


def _paired(
    olds: Sequence[LockedPackage], news: Sequence[LockedPackage]
) -> Iterator[tuple[LockedPackage | None, LockedPackage | None]]:
    """The packages of one name, each with what it has become: those that are most alike go together."""
    likeness: tuple[Callable[[LockedPackage], tuple[str, ...]], ...] = (
        lambda one: (one.version, one.marker),
        lambda one: (one.version,),
        lambda one: (one.marker,),
        lambda _: (),
    )
    for alike in likeness:
        waiting: dict[tuple[str, ...], list[LockedPackage]] = {}
        for new in reversed(news):
            waiting.setdefault(alike(new), []).append(new)
        left = []
        for old in olds:
            if waiting.get(alike(old)):
                yield old, waiting[alike(old)].pop()
            else:
                left.append(old)
        olds, news = left, [new for some in waiting.values() for new in reversed(some)]
    yield from ((old, None) for old in olds)
    yield from ((None, new) for new in news)


def _compared(old: LockedPackage | None, new: LockedPackage | None) -> tuple[PackageChange | None, list[Alarm]]:
    if new is None:
        assert old is not None
        return PackageChange("removed", old.name, old.version), []
    if old is None:
        return PackageChange("added", new.name, "", new.version), []
    kind = _moved(old.version, new.version)
    details = list(_sources(old, new))
    kind = kind or ("source" if details else None)
    if old.marker != new.marker:
        details.append(Detail("marker", old.marker, new.marker))
        kind = kind or "marker"
    alarms: list[Alarm] = []
    if old.version == new.version and not any(one.kind == "source" for one in details):
        indexes = next(((one.old, one.new) for one in details if one.kind == "index"), None)
        alarms = [alarm._replace(indexes=indexes) for alarm in _other_bytes(old, new)]
        files = [Detail("file", alarm.file, alarm.file) for alarm in alarms]
        before, after = {file.name for file in old.files}, {file.name for file in new.files}
        files += [Detail("file", name, "") for name in sorted(before - after)]
        files += [Detail("file", "", name) for name in sorted(after - before)]
        files += _lost_hashes(old, new)
        details += files
        kind = kind or ("files" if files else None)
    return (PackageChange(kind, new.name, old.version, new.version, "", tuple(details)) if kind else None), alarms


def _moved(old: str, new: str) -> Kind | None:
    if old == new:
        return None
    before, after = version(old), version(new)
    if before is None or after is None:
        return "changed"
    if before == after:
        return None
    if version(before.public) == version(after.public):
        return "build"
    return "up" if before < after else "down"


def _conda_pairs(old: Lock, new: Lock) -> Iterator[tuple[LockedConda | None, LockedConda | None]]:
    olds, news = ({package.name: package for package in lock.conda} for lock in (old, new))
    yield from ((olds.get(name), news.get(name)) for name in {**olds, **news})


def _conda_compared(old: LockedConda | None, new: LockedConda | None) -> tuple[PackageChange | None, list[Alarm]]:
    if new is None:
        assert old is not None
        return PackageChange("removed", old.name, old.version, conda=True), []
    if old is None:
        return PackageChange("added", new.name, "", new.version, conda=True), []
    kind = _conda_moved(old.version, new.version)
    details = [Detail("channel", old.channel, new.channel)] if old.channel != new.channel else []
    if kind is None and old.build != new.build:
        kind = "build"
        details.append(Detail("build", old.build, new.build))
    kind = kind or ("source" if details else None)
    alarms: list[Alarm] = []
    # One build is there as .conda and as .tar.bz2, and another channel builds under the same name.
    if kind is None and old.filename == new.filename:
        for algorithm in sorted(old.hashes.keys() & new.hashes.keys(), key=lambda one: one != "sha256"):
            before, after = old.hashes[algorithm], new.hashes[algorithm]
            if before != after:
                alarms.append(Alarm(new.name, new.version, new.filename, algorithm, before, after))
                details.append(Detail("file", new.filename, new.filename))
                kind = "files"
            break
    change = PackageChange(kind, new.name, old.version, new.version, "", tuple(details), conda=True) if kind else None
    return change, alarms


def _conda_moved(old: str, new: str) -> Kind | None:
    if old == new:
        return None
    from mlpin.conda.spec import version as conda_version

    try:
        before, after = conda_version(old), conda_version(new)
    except InputError:
        return "changed"
    return "up" if before < after else "down" if before > after else "changed"


def _sources(old: LockedPackage, new: LockedPackage) -> Iterator[Detail]:
    """Where it comes from, where that changed. An index that one of the two does not name is not known."""
    before, after = _source(old), _source(new)
    one, other = old.tree, new.tree
    if one and other and one._replace(commit="", revision="") == other._replace(commit="", revision=""):
        if one.commit != other.commit and one.commit and other.commit:
            yield Detail("commit", one.commit[:12], other.commit[:12])
    elif one or other or "archive" in {before[0], after[0]}:
        if before != after:
            yield Detail("source", before[1] or "an index", after[1] or "an index")
    elif before[1] and after[1] and before[1].rstrip("/") != after[1].rstrip("/"):
        yield Detail("index", before[1], after[1])


def _source(package: LockedPackage) -> tuple[str, str]:
    """(kind, place) of what a package comes from, without credentials."""
    tree = package.tree
    if tree is not None:
        place = _shown(tree.place) + (f" at {tree.commit[:12]}" if tree.commit else "")
        place += f", {tree.subdirectory}" if tree.subdirectory else ""
        return tree.kind, place + (", editable" if tree.editable else "")
    archive = next((file for file in package.files if file.direct), None)
    return ("archive", _shown(archive.url or archive.path)) if archive else ("index", _shown(package.index))


def _shown(url: str) -> str:
    return redacted(strip_credentials(url))


def _other_bytes(old: LockedPackage, new: LockedPackage) -> Iterator[Alarm]:
    """Files of the same name with another hash of an algorithm that both locks state."""
    hashes = {file.name: file.hashes for file in old.files if file.name}
    for file in sorted(new.files, key=lambda one: one.name):
        before = hashes.get(file.name, {})
        for algorithm in sorted({*before, *file.hashes}, key=lambda one: (one != "sha256", one)):
            one, other = before.get(algorithm), file.hashes.get(algorithm)
            if one and other and one.lower() != other.lower():
                yield Alarm(new.name, new.version, file.name, algorithm, one, other)
                break


def _lost_hashes(old: LockedPackage, new: LockedPackage) -> list[Detail]:
    """Where a file has no strong hash in common by which it could be told to be the same: what it had, and has."""
    after = {file.name: sorted(file.hashes) for file in new.files if file.name}
    lost = set()
    for file in old.files:
        left, had = after.get(file.name), sorted(filter(_strong, file.hashes))
        if left is not None and had and not set(had) & set(left):
            lost.add(Detail("hash", ", ".join(had), ", ".join(left)))
    return sorted(lost)


def _strong(algorithm: str) -> bool:
    return _STRONG.fullmatch(algorithm) is not None


def _another_line(old: LockedPackage | None, new: LockedPackage | None, locks: tuple[str, str], rules: Matrix) -> bool:
    """Whether the package comes from another build line now: as it was recorded, or by the indexes that it is from."""
    if old is None or new is None:
        return False
    before, after = own_line(old, rules), own_line(new, rules)
    if before and after and before != after:
        return True
    before, after = _line_of_index(old.index, rules), _line_of_index(new.index, rules)
    if before and after:
        return before != after
    # A package index carries one build of the family, often under the file name that an index of a line has too.
    family = any(new.name in family.packages for family in rules.tables.families)
    return family and bool(before or after) and bool(locks[0] and locks[1]) and locks[0] != locks[1]


def _line_of_index(index: str, rules: Matrix) -> str:
    """The build line that an index is of, on a mirror too: its URL ends in the line's path. Empty: of none."""
    place = strip_credentials(index).partition("?")[0].partition("#")[0].rstrip("/")
    return next((line.label for line in rules.tables.lines if place.endswith(f"/{line.path}")), "")


def remaining(found: Difference, told: Collection[str]) -> tuple[PackageChange, ...]:
    """What is left to tell where it was told already that the distributions in `told` came, went or moved."""
    left = []
    for change in found.changes:
        if change.name not in told or change.conda:
            left.append(change)
        elif details := tuple(one for one in change.details if one.kind in {"index", "source", "marker"}):
            kind: Kind = "marker" if all(one.kind == "marker" for one in details) else "source"
            left.append(change._replace(kind=kind, old=change.new, details=details))
    return tuple(left)
