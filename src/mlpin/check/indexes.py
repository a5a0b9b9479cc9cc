"""Lock and indexes: whether the locked files are still where they were, with the same bytes, and not yanked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from mlpin.check.model import Drift, Severity
from mlpin.errors import IndexUnavailable
from mlpin.index.names import version as parsed
from mlpin.lock.locked import Lock, LockedFile, LockedPackage
from mlpin.resolver.requirements import Specifier, specifier

if TYPE_CHECKING:
    from mlpin.candidate import Artifact, Listing
    from mlpin.resolver.ports import Catalog
    from mlpin.target import Target


def drifts(lock: Lock, target: Target | None, catalog: Catalog, *, outdated: bool = False) -> Iterator[Drift]:
    """What has become of the locked files; with `outdated` also what could be newer, as notes.

    Each package is looked for on the index that it was locked from. Raises `IndexUnavailable`.
    """
    asked = [package for package in lock.packages if package.index and package.files]
    asked_of = _asked(lock) if outdated else {}
    for package in asked:
        catalog.foresee(partial(catalog.listing_at, package.name, package.index))
    for package in lock.packages:
        if not package.index:
            yield from _local(lock, package)
            continue
        try:
            listing = catalog.listing_at(package.name, package.index)
        except IndexUnavailable as error:
            error.notes = (*error.notes, f"{package.name} was locked from there ({lock.shown}:{package.line})")
            raise
        there = {_plain(file.filename): file for files in listing.versions.values() for file in files}
        gone = [file for file in package.files if _plain(file.name) not in there]
        if len(gone) == len(package.files):
            said = f"{package.name} {package.version} is gone from {package.index}"
            yield _drift(lock, package, "gone", said, found="" if listing.found else "the whole project is gone")
            continue
        for file in gone:
            yield _drift(lock, package, "gone", f"{file.name} is gone from {package.index}", file.name)
        for file in package.files:
            if _plain(file.name) in there:
                yield from _same(lock, package, file, there[_plain(file.name)])
        if outdated and (newer := _newer(listing, package, target, asked_of.get(package.name, []))):
            said = f"{package.name} {package.version} could be {newer}"
            yield _drift(lock, package, "outdated", said, package.version, newer, note=True)


def _same(lock: Lock, package: LockedPackage, file: LockedFile, there: Artifact) -> Iterator[Drift]:
    for kind, value in there.secure_hashes.items():
        if kind in file.hashes and file.hashes[kind] != value:
            said = f"{file.name} has other content on the index now than when it was locked: do not install it unseen"
            yield _drift(lock, package, "hash", said, f"{kind}:{file.hashes[kind]}", f"{kind}:{value}")
    if there.yanked is not None and not package.yanked:
        reason = f": {there.yanked}" if there.yanked else ", no reason was given"
        said = f"{package.name} {package.version} was yanked from the index{reason}"
        yield _drift(lock, package, "yanked", said, found=there.yanked)


def _plain(filename: str) -> str:
    """A file name as it is compared: tools write it with capitals, dots or dashes, or without them."""
    return filename.lower().replace("-", "_").replace(".", "_")


def _asked(lock: Lock) -> dict[str, list[Specifier]]:
    """By name, the ranges in which locked packages ask for it."""
    from packaging.requirements import InvalidRequirement, Requirement

    found: dict[str, list[Specifier]] = {}
    for text in {text for package in lock.packages for text in package.requires}:
        with suppress(InvalidRequirement):
            wanted = Requirement(text)
            found.setdefault(wanted.name, []).append(specifier(str(wanted.specifier)))
    return found


def _newer(listing: Listing, package: LockedPackage, target: Target | None, asked: Sequence[Specifier]) -> str:
    """The newest release on the index that fits the target and who asks for it, if it is newer than what is locked."""
    try:
        locked = parsed(package.version)
    except ValueError:
        return ""
    for text in listing.versions:
        version = parsed(text)
        if version <= locked:
            return ""
        if version.is_prerelease and not locked.is_prerelease:
            continue
        if all(one.contains(version) for one in asked) and any(_fits(file, target) for file in listing.versions[text]):
            return text
    return ""


def _fits(file: Artifact, target: Target | None) -> bool:
    if file.yanked is not None or target is None:
        return file.yanked is None
    try:
        python = specifier(file.requires_python)
    except ValueError:
        return False
    fits = not file.requires_python or any(python.contains(one) for one in target.pythons)
    return fits and (not file.is_wheel or target.rank(file.tags) is not None)


def _local(lock: Lock, package: LockedPackage) -> Iterator[Drift]:
    """What is locked from a file beside the project."""
    for file in package.files:
        if not file.path:
            continue
        try:
            with (lock.path.parent / file.path).open("rb") as data:
                found = hashlib.file_digest(data, "sha256").hexdigest()
        except OSError:
            yield _drift(lock, package, "gone", f"{file.path} is not there", file.path)
            continue
        if (wanted := file.hashes.get("sha256")) and wanted != found:
            said = f"{file.path} has other content now than when it was locked"
            yield _drift(lock, package, "hash", said, f"sha256:{wanted}", f"sha256:{found}")


def _drift(
    lock: Lock,
    package: LockedPackage,
    kind: str,
    message: str,
    expected: str = "",
    found: str = "",
    *,
    note: bool = False,
) -> Drift:
    severity: Severity = "note" if note else "error"
    return Drift("index", kind, message, package.name, expected, found, lock.shown, package.line, severity)
