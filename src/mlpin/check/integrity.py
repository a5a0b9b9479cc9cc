"""A lock by itself: whether it is what its maker wrote, and a whole and valid lock for its target (PEP 751).

A lock of mlpin's whose digest holds is what mlpin wrote, and nothing more is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlpin.check import conda
from mlpin.check.model import Drift
from mlpin.lock.locked import Lock, LockedFile, LockedPackage, marker_holds

if TYPE_CHECKING:
    from mlpin.target import Target

_SECURE = frozenset({"sha256", "sha384", "sha512"})


def drifts(lock: Lock, target: Target | None) -> Iterator[Drift]:
    """What is wrong with a lock by itself. Without a target, what depends on one is left out."""
    if lock.ours and lock.intact:
        return
    if lock.ours:
        said = f"{lock.shown} was changed after it was made: its digest does not hold"
        yield Drift("lock", "edited", said, file=lock.shown, line=lock.line_of("digest = "))
    yield from _valid(lock)
    if target is not None:
        yield from _environment(lock, target)
    for package in lock.packages:
        yield from _files(lock, package, target)
    yield from _graph(lock, target)
    yield from conda.integrity(lock)


def _valid(lock: Lock) -> Iterator[Drift]:
    from packaging.pylock import Pylock, PylockValidationError

    try:
        Pylock.from_dict(lock.tables)
    except PylockValidationError as error:
        place = f" in `{error.context}`" if error.context else ""
        said = f"this is no valid lock (PEP 751): {error.message}{place}"
        yield Drift("lock", "invalid", said, file=lock.shown)


def _environment(lock: Lock, target: Target) -> Iterator[Drift]:
    """Whether the lock says that it is for its own target."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    line = lock.line_of("environments")
    if lock.environments and not any(marker_holds(marker, target) for marker in lock.environments):
        said = f"none of `environments` is the target, {target}"
        yield Drift("lock", "marker", said, found="; ".join(lock.environments), file=lock.shown, line=line)
    for text, package in [(lock.requires_python, None), *((one.requires_python, one) for one in lock.packages)]:
        try:
            wanted = SpecifierSet(text)
        except InvalidSpecifier:
            continue  # what is not valid has been said
        if text and not any(wanted.contains(version, prereleases=True) for version in target.pythons):
            who, place = (package.name, package.line) if package else ("the lock", lock.line_of("requires-python"))
            said = f"{who} needs Python {text}, the target has {target.python}"
            name = package.name if package else ""
            yield Drift("lock", "marker", said, name, text, target.python, lock.shown, place)


def _files(lock: Lock, package: LockedPackage, target: Target | None) -> Iterator[Drift]:
    """Whether the files of a package are its own, have hashes, and one of them fits the target."""
    name, line = package.name, package.line
    if not package.files and package.tree is None:
        yield Drift("lock", "file", f"{name} has no file that could be installed", name, file=lock.shown, line=line)
    if package.tree and package.tree.kind == "vcs" and not package.tree.commit:
        said = f"{name} comes from a repository, and no commit is locked"
        yield Drift("lock", "hash", said, name, file=lock.shown, line=line)
    for file in package.files:
        if not _SECURE & file.hashes.keys():
            said = f"{file.name} has no hash that can be relied on"
            yield Drift("lock", "hash", said, name, "sha256", ", ".join(file.hashes), lock.shown, line)
        if stated := _other(package, file):
            yield Drift(
                "lock", "file", f"{file.name} is no file of {stated}", name, stated, file.name, lock.shown, line
            )
    wheels = [file for file in package.files if file.kind == "wheel"]
    if target is not None and wheels and package.best(target) is None and package.applies(target):
        said = f"no locked wheel of {name} fits the target, {target}"
        yield Drift("lock", "tags", said, name, str(target), wheels[0].name, lock.shown, line)


def _other(package: LockedPackage, file: LockedFile) -> str:
    """`name version` where the file's name states another one; empty where it does not, or none can be read."""
    from mlpin.index import names

    if file.kind == "archive" or not package.version:
        return ""
    stated = names.read(file.name, package.name)
    if isinstance(stated, str):
        return f"{package.name} {package.version}"
    try:
        one, other = names.version(stated.version), names.version(package.version)
        same = names.version(one.public) == names.version(other.public)
    except ValueError:
        return ""  # what is no version has been called invalid
    return "" if stated.project == package.name and same else f"{package.name} {package.version}"


def _graph(lock: Lock, target: Target | None) -> Iterator[Drift]:
    """Whether each name stands once, and each edge leads to a package that it asks for."""
    from packaging.requirements import InvalidRequirement, Requirement

    by_name, provided = lock.by_name, lock.provided
    for name, several in by_name.items():
        there = [one for one in several if one.applies(target)]
        if len(there) > 1 and (target is not None or not all(one.marker for one in there)):
            said = f"{name} is locked {len(there)} times"
            yield Drift("lock", "duplicate", said, name, file=lock.shown, line=there[1].line)
    for package in lock.packages:
        name, line = package.name, package.line
        for child in package.dependencies:
            if child not in by_name and child not in provided:
                said = f"{name} depends on {child}, which is not locked"
                yield Drift("lock", "graph", said, child, file=lock.shown, line=line)
        for text in package.requires:
            try:
                wanted = Requirement(text)
            except InvalidRequirement:
                yield Drift("lock", "graph", f"`{text}` of {name} is no requirement", name, file=lock.shown, line=line)
                continue
            for one in by_name.get(wanted.name, ()):
                if one.version and not wanted.specifier.contains(one.version, prereleases=True):
                    said = f"{name} asks for {text}, and {one.name} {one.version} is locked"
                    yield Drift("lock", "graph", said, one.name, text, one.version, lock.shown, one.line)
